#include "text/tokenizer/gguf_pre_types.hpp"

#include <algorithm>
#include <array>

namespace nibble {
namespace {

enum class Recipe {
  gpt2,
  llama3,
  qwen2,
  qwen35,
  digits_gpt2,
  falcon,
  fallback,
  deepseek_llm,
  deepseek_coder,
  deepseek_v3,
  gpt4o,
  tekken
};

struct Name {
  std::string_view name;
  Recipe recipe;
  bool ignore_merges = false, adds_bos = false;
  bool nfc = false;  // the published tokenizers compose characters first, although llama.cpp does not
};

// Of names that mean the same, a file that Nibble writes gets the first.
constexpr std::array names = {
    Name{"default", Recipe::fallback},
    Name{"gpt-2", Recipe::gpt2},
    Name{"phi-2", Recipe::gpt2},
    Name{"mpt", Recipe::gpt2, false, false, true},
    Name{"olmo", Recipe::gpt2, false, false, true},
    Name{"jais", Recipe::gpt2},
    Name{"exaone4", Recipe::gpt2},
    Name{"gigachat", Recipe::gpt2},
    Name{"modern-bert", Recipe::gpt2},
    Name{"trillion", Recipe::gpt2},
    Name{"llama-bpe", Recipe::llama3, true, true},
    Name{"llama3", Recipe::llama3, true, true},
    Name{"llama-v3", Recipe::llama3, true, true},
    Name{"falcon3", Recipe::llama3, true, true},
    Name{"falcon-h1", Recipe::llama3, true, true},
    Name{"pixtral", Recipe::llama3, true, true},
    Name{"lfm2", Recipe::llama3, true, true},
    Name{"dbrx", Recipe::llama3},
    Name{"smaug-bpe", Recipe::llama3},
    Name{"chatglm-bpe", Recipe::llama3},
    Name{"glm4", Recipe::llama3, true},
    Name{"qwen2", Recipe::qwen2, false, false, true},
    Name{"deepseek-r1-qwen", Recipe::qwen2, false, false, true},
    Name{"qwen35", Recipe::qwen35},
    Name{"hunyuan", Recipe::qwen2},
    Name{"stablelm2", Recipe::qwen2},
    Name{"megrez", Recipe::qwen2},
    Name{"kormo", Recipe::qwen2},
    Name{"smollm", Recipe::digits_gpt2},
    Name{"starcoder", Recipe::digits_gpt2},
    Name{"refact", Recipe::digits_gpt2},
    Name{"command-r", Recipe::digits_gpt2},
    Name{"codeshell", Recipe::digits_gpt2},
    Name{"exaone", Recipe::digits_gpt2},
    Name{"minerva-7b", Recipe::digits_gpt2},
    Name{"falcon", Recipe::falcon},
    Name{"deepseek-llm", Recipe::deepseek_llm},
    Name{"deepseek-coder", Recipe::deepseek_coder},
    Name{"deepseek-v3", Recipe::deepseek_v3},
    Name{"hunyuan-dense", Recipe::deepseek_v3},
    Name{"gpt-4o", Recipe::gpt4o},
    Name{"llama4", Recipe::gpt4o},
    Name{"tekken", Recipe::tekken, true, true},
};

// The scripts with upper and lower case that DeepSeek LLM's pattern lists.
constexpr std::string_view cased_letters =
    R"(A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF})"
    R"(\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1})"
    R"(\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5})"
    R"(\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-)"
    R"(\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57})"
    R"(\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4})"
    R"(\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-)"
    R"(\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-)"
    R"(\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-)"
    R"(\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722})"
    R"(-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17})"
    R"(\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80})"
    R"(-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943})";

std::vector<std::string> splits_of(Recipe recipe) {
  const std::string gpt2(pattern_text(KnownPattern::gpt2));
  switch (recipe) {
    case Recipe::gpt2:
      return {gpt2};
    case Recipe::llama3:
      return {std::string(pattern_text(KnownPattern::llama3))};
    case Recipe::qwen2:
      return {std::string(pattern_text(KnownPattern::qwen2))};
    case Recipe::qwen35:
      return {R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})re"
              R"re(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re"};
    case Recipe::digits_gpt2:
      return {std::string(split_digits), gpt2};
    case Recipe::falcon:
      return {R"([\p{P}\$\+<=>\^~\|`]+)", gpt2, "[0-9][0-9][0-9]"};
    case Recipe::fallback:
      return {R"([\p{P}\$\+<=>\^~\|]+)", gpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"};
    case Recipe::deepseek_llm:
      return {"[\r\n]",
              "\\s?[" + std::string(cased_letters) + "]+",
              R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)",
              "\\s+$",
              "[一-龥ࠀ-一가-퟿]+",
              R"(\p{N}+)"};
    case Recipe::deepseek_coder:
      return {"[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[一-龥ࠀ-一가-퟿]+", R"(\p{N})"};
    case Recipe::deepseek_v3:
      return {R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+",
              R"re([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)re"
              R"re(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re"};
    case Recipe::gpt4o:
      return {R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)re"
              R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)?)re"
              R"re(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)re"
              R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+)re"
              R"re(|\s+(?!\S)|\s+)re"};
    case Recipe::tekken:
      return {R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)re"
              R"re(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)re"
              R"re(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)re"};
  }
  return {};
}

}  // namespace

Result<GgufPreType> gguf_pre_type(std::string_view name) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const Name& known) { return known.name == name; });
  if (found == names.end()) {
    std::string list;
    for (const Name& known : names) list += (list.empty() ? "" : ", ") + std::string(known.name);
    return error(Errc::unsupported, "tokenizer.ggml.pre is \"{}\", which Nibble does not know; it knows {}", name,
                 list);
  }
  GgufPreType type;
  type.ignore_merges = found->ignore_merges;
  type.adds_bos = found->adds_bos;
  type.nfc = found->nfc;
  type.splits = splits_of(found->recipe);
  return type;
}

std::string_view gguf_pre_name(const GgufPreType& type) {
  for (const Name& known : names)
    if (known.nfc == type.nfc && known.ignore_merges == type.ignore_merges && splits_of(known.recipe) == type.splits)
      return known.name;
  return {};
}

Result<PreTokenizer> pre_tokenizer_of(const GgufPreType& type) {
  PreTokenizer out;
  for (const std::string& split : type.splits) {
    if (split == split_digits) {
      out.add(SplitByClass{SplitByClass::digit, SplitBehavior::isolated});
      continue;
    }
    NIBBLE_TRY(SplitPattern pattern, SplitPattern::regex(split));
    out.add(SplitByPattern{std::move(pattern), SplitBehavior::isolated, false});
  }
  out.add(ByteLevelSplit{false, false, false});
  return out;
}

}  // namespace nibble

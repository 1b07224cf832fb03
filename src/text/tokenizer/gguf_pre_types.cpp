#include "text/tokenizer/gguf_pre_types.hpp"

#include <algorithm>
#include <array>

namespace nibble {
namespace {

enum class Recipe { gpt2, llama3, qwen2, digits_gpt2, falcon, fallback, deepseek_llm, deepseek_coder, deepseek_v3, gpt4o, tekken };

struct Name {
  std::string_view name;
  Recipe recipe;
  bool ignore_merges = false, adds_bos = false;
};

constexpr std::array names = {
    Name{"default", Recipe::fallback},
    Name{"gpt-2", Recipe::gpt2}, Name{"phi-2", Recipe::gpt2}, Name{"mpt", Recipe::gpt2}, Name{"olmo", Recipe::gpt2},
    Name{"jais", Recipe::gpt2}, Name{"exaone4", Recipe::gpt2}, Name{"gigachat", Recipe::gpt2},
    Name{"modern-bert", Recipe::gpt2}, Name{"trillion", Recipe::gpt2},
    Name{"llama-bpe", Recipe::llama3, true, true}, Name{"llama3", Recipe::llama3, true, true},
    Name{"llama-v3", Recipe::llama3, true, true}, Name{"falcon3", Recipe::llama3, true, true},
    Name{"falcon-h1", Recipe::llama3, true, true}, Name{"pixtral", Recipe::llama3, true, true},
    Name{"lfm2", Recipe::llama3, true, true},
    Name{"dbrx", Recipe::llama3}, Name{"smaug-bpe", Recipe::llama3}, Name{"chatglm-bpe", Recipe::llama3},
    Name{"glm4", Recipe::llama3, true},
    Name{"qwen2", Recipe::qwen2}, Name{"deepseek-r1-qwen", Recipe::qwen2}, Name{"stablelm2", Recipe::qwen2},
    Name{"megrez", Recipe::qwen2}, Name{"hunyuan", Recipe::qwen2}, Name{"kormo", Recipe::qwen2},
    Name{"smollm", Recipe::digits_gpt2}, Name{"starcoder", Recipe::digits_gpt2}, Name{"refact", Recipe::digits_gpt2},
    Name{"command-r", Recipe::digits_gpt2}, Name{"codeshell", Recipe::digits_gpt2}, Name{"exaone", Recipe::digits_gpt2},
    Name{"minerva-7b", Recipe::digits_gpt2},
    Name{"falcon", Recipe::falcon},
    Name{"deepseek-llm", Recipe::deepseek_llm}, Name{"deepseek-coder", Recipe::deepseek_coder},
    Name{"deepseek-v3", Recipe::deepseek_v3}, Name{"hunyuan-dense", Recipe::deepseek_v3},
    Name{"gpt-4o", Recipe::gpt4o}, Name{"llama4", Recipe::gpt4o},
    Name{"tekken", Recipe::tekken, true},
};

// The scripts with upper and lower case that DeepSeek LLM's pattern lists.
constexpr std::string_view cased_letters =
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-"
    "ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-"
    "𑣟𞤀-𞥃";

Result<void> add(PreTokenizer& out, std::initializer_list<std::string_view> patterns) {
  for (const std::string_view text : patterns) {
    NIBBLE_TRY(SplitPattern pattern, SplitPattern::regex(text));
    out.add(SplitByPattern{std::move(pattern), SplitBehavior::isolated, false});
  }
  return {};
}

Result<void> build(Recipe recipe, PreTokenizer& out) {
  const std::string_view gpt2 = pattern_text(KnownPattern::gpt2);
  switch (recipe) {
    case Recipe::gpt2: return add(out, {gpt2});
    case Recipe::llama3: return add(out, {pattern_text(KnownPattern::llama3)});
    case Recipe::qwen2: return add(out, {pattern_text(KnownPattern::qwen2)});
    case Recipe::digits_gpt2:
      out.add(SplitByClass{SplitByClass::digit, SplitBehavior::isolated});
      return add(out, {gpt2});
    case Recipe::falcon: return add(out, {R"([\p{P}\$\+<=>\^~\|`]+)", gpt2, "[0-9][0-9][0-9]"});
    case Recipe::fallback: return add(out, {R"([\p{P}\$\+<=>\^~\|]+)", gpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"});
    case Recipe::deepseek_llm:
      return add(out, {"[\r\n]", "\\s?[" + std::string(cased_letters) + "]+", "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$",
                       "[一-龥ࠀ-一가-퟿]+", R"(\p{N}+)"});
    case Recipe::deepseek_coder:
      return add(out, {"[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[一-龥ࠀ-一가-퟿]+", R"(\p{N})"});
    case Recipe::deepseek_v3:
      return add(out, {R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+",
                       R"re([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)re"
                       R"re(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re"});
    case Recipe::gpt4o:
      return add(out, {R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)re"
                       R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)?)re"
                       R"re(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)re"
                       R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+)re"
                       R"re(|\s+(?!\S)|\s+)re"});
    case Recipe::tekken:
      return add(out, {R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)re"
                       R"re(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)re"
                       R"re(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)re"});
  }
  return {};
}

}  // namespace

Result<GgufPreType> gguf_pre_type(std::string_view name) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const Name& known) { return known.name == name; });
  if (found == names.end()) {
    std::string list;
    for (const Name& known : names) list += (list.empty() ? "" : ", ") + std::string(known.name);
    return error(Errc::unsupported, "tokenizer.ggml.pre is \"{}\", which Nibble does not know; it knows {}", name, list);
  }
  GgufPreType type;
  type.ignore_merges = found->ignore_merges;
  type.adds_bos = found->adds_bos;
  NIBBLE_CHECK(build(found->recipe, type.pre_tokenizer));
  type.pre_tokenizer.add(ByteLevelSplit{false, false, false});
  return type;
}

}  // namespace nibble

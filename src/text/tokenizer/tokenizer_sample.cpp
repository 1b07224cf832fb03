#include "text/tokenizer/tokenizer_sample.hpp"

namespace nibble {
namespace {

// What pre-tokenizers and normalizers differ in: contractions, digits, runs of spaces, line breaks, other scripts,
// punctuation, characters that compose, bytes that are no character, and the beginnings of a text.
constexpr std::string_view samples[] = {
    "",
    " ",
    "Hello",
    " Hello world",
    "It's what they'LL say: we've 'RE 'told",
    "3 33 333 3333 33333 3.14 1,000,000 2nd x86_64 H2O",
    "a  b   c    d\te\t\tf",
    "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n",
    "trailing   ",
    "for (int i = 0; i < n; ++i) { x[i] += \"s\"; }  // done\r\n",
    "...!!!??? ------ ====== ~~~ $5 + 5% = #1 @home <b> a/b\\c",
    "Größe straße naïve café Ωmega Привет мир",
    "我想在苹果工作 1314151天～ こんにちは カタカナ 안녕하세요",
    "\xF0\x9F\x9A\x80 (normal) \xF0\x9F\x98\xB6\xE2\x80\x8D\xF0\x9F\x8C\xAB\xEF\xB8\x8F \xE2\x9C\x85 \xF0\x9F\xA6\x99",
    "กรุงเทพ हिन्दी العربية עברית",
    "CamelCaseWords and UPPER lower mixedCASE, cafe\xCC\x81 composed or not",
    "\xE2\x96\x81 lower one eighth block \xC2\xA0 no-break",
};

}  // namespace

Result<void> check_same_tokenizer(const Tokenizer& original, const Tokenizer& written,
                                  const std::unordered_set<std::string>& added) {
  const auto differs = [&](std::string_view text) {
    return error(Errc::unsupported,
                 "its tokenizer cannot be carried over: \"{}\" would be cut otherwise; keep the model in its container",
                 text);
  };
  for (const std::string_view text : samples) {
    const std::vector<std::int32_t> ids = original.encode(text);
    if (written.encode(text) != ids || written.decode(ids) != original.decode(ids)) return differs(text);
  }
  for (std::int32_t id = 0; id < original.vocabulary_size(); ++id) {
    const std::string token = original.token(id);
    if (token.empty()) continue;
    if (written.token(id) != token || written.is_special(id) != original.is_special(id)) return differs(token);
    if (!original.is_special(id) && added.count(token) == 0) continue;
    for (const char* around : {"", " "}) {  // some take the spaces beside them
      const std::string text = fmt::format("a{0}{1}{0}b", around, token);
      if (written.encode(text) != original.encode(text)) return differs(text);
    }
  }
  return {};
}

}  // namespace nibble

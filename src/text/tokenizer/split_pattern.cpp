#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/tokenizer/split_pattern.hpp"

#include <pcre2.h>

#include <algorithm>
#include <memory>
#include <new>

#include "base/utf8.hpp"
#include "text/tokenizer/unicode_class.hpp"

namespace nibble {

struct SplitPattern::Compiled {
  pcre2_code* code = nullptr;
  ~Compiled() { pcre2_code_free(code); }
};

namespace {

constexpr std::size_t longest_pattern = 16384;

constexpr std::string_view word_members = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";

// `members` as part of the character class that is open, or as one of their own.
std::string as_class(std::string_view members, bool in_class, bool negated = false) {
  return in_class ? std::string(members) : fmt::format("[{}{}]", negated ? "^" : "", members);
}

// \p{L} with the characters that PCRE2 may not know yet; `at` is left behind the closing brace.
std::string property(std::string_view pattern, std::size_t& at, bool in_class) {
  const bool braces = at + 2 < pattern.size() && pattern[at + 2] == '{';
  const std::size_t end = braces ? pattern.find('}', at) : at + 2;
  if (end >= pattern.size()) {
    at += 2;
    return std::string(pattern.substr(at - 2, 2));  // an error of the pattern, which the compiler will name
  }
  const std::string_view written = pattern.substr(at, end + 1 - at);
  const std::string_view added = added_to_property(braces ? written.substr(3, written.size() - 4) : written.substr(2));
  const bool negated = pattern[at + 1] == 'P';
  at = end + 1;
  if (added.empty() || (negated && in_class)) return std::string(written);
  return as_class("\\p" + std::string(written.substr(2)) + std::string(added), in_class, negated);
}

// Oniguruma's \s is White_Space and its \w has marks; PCRE2's are not, and it may be of an older Unicode. What has
// another meaning here is refused.
Result<std::string> translate(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (c == '\\') {
      if (next == 'p' || next == 'P') {
        out += property(pattern, i, in_class);
        continue;
      }
      i += 2;
      const bool upper = next == 'S' || next == 'W' || next == 'D';
      if (next == 's' || next == 'S')
        out += upper ? "\\P{White_Space}" : "\\p{White_Space}";
      else if (std::string_view("hHKCG").find(next) != std::string_view::npos || (upper && in_class))
        return error(Errc::unsupported, "the pattern uses \\{}, which Nibble does not read: {}", next, pattern);
      else if (next == 'w' || next == 'W')
        out += as_class(fmt::format("{}{}{}{}", word_members, added_to_property("L"), added_to_property("M"),
                                    added_to_property("Nd")),
                        in_class, upper);
      else if (next == 'd' || next == 'D')
        out += as_class(fmt::format("\\p{{Nd}}{}", added_to_property("Nd")), in_class, upper);
      else
        out += pattern.substr(i - 2, 2);
      continue;
    }
    if (in_class && ((c == '&' && next == '&') || (c == '[' && next != ':'))) {
      return error(Errc::unsupported, "the pattern combines character classes (&& or nested brackets): {}", pattern);
    }
    if (in_class && c == '[') {  // [:alpha:]
      const std::size_t end = pattern.find(":]", i);
      if (end == std::string_view::npos) return error(Errc::unsupported, "the pattern has an open [: {}", pattern);
      out += pattern.substr(i, end + 2 - i);
      i = end + 2;
      continue;
    }
    out += c;
    ++i;
    if (!in_class && c == '[') {
      in_class = true;
      if (next == '^') {
        out += next;
        ++i;
      }
      if (i < pattern.size() && pattern[i] == ']') {
        out += "\\]";
        ++i;
      }
    } else if (in_class && c == ']') {
      in_class = false;
    }
  }
  return out;
}

// std::bad_alloc where PCRE2 found no memory: then the next text tries again.
struct MatchState {
  std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data{pcre2_match_data_create(1, nullptr),
                                                                      pcre2_match_data_free};
  std::unique_ptr<pcre2_jit_stack, void (*)(pcre2_jit_stack*)> stack{pcre2_jit_stack_create(64 << 10, 8 << 20, nullptr),
                                                                     pcre2_jit_stack_free};
  std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> context{pcre2_match_context_create(nullptr),
                                                                               pcre2_match_context_free};
  MatchState() {
    if (!data || !stack || !context) throw std::bad_alloc();
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    pcre2_set_match_limit(context.get(), 1'000'000);
  }
};

}  // namespace

SplitPattern SplitPattern::literal(std::string text) {
  SplitPattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

SplitPattern SplitPattern::known(KnownPattern known) {
  SplitPattern pattern;
  pattern.known_ = known;
  return pattern;
}

Result<SplitPattern> SplitPattern::regex(std::string_view text) {
  if (const auto known = known_pattern(text)) return SplitPattern::known(*known);
  if (text.size() > longest_pattern) {
    return error(Errc::unsupported, "the pattern has {} bytes; the limit is {}", text.size(), longest_pattern);
  }
  NIBBLE_TRY(const std::string translated, translate(text));
  int code = 0;
  PCRE2_SIZE at = 0;
  auto compiled = std::make_shared<Compiled>();
  compiled->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, nullptr);
  if (compiled->code == nullptr) {
    if (code == PCRE2_ERROR_HEAP_FAILED) throw std::bad_alloc();
    PCRE2_UCHAR message[256] = {};
    pcre2_get_error_message(code, message, sizeof message);
    return error(Errc::unsupported, "the pattern does not compile: {} at byte {} of {}",
                 reinterpret_cast<const char*>(message), at, translated);
  }
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE);  // where it cannot, pcre2_match interprets
  SplitPattern pattern;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

double SplitPattern::growth(std::size_t replacement_bytes) const {
  std::uint32_t shortest = 1;
  if (compiled_ && pcre2_pattern_info(compiled_->code, PCRE2_INFO_MINLENGTH, &shortest) != 0) shortest = 0;
  if (!compiled_ && !known_) shortest = std::uint32_t(std::min(literal_.size(), std::size_t(1) << 30));
  const bool finds_nothing = !compiled_ && !known_ && literal_.empty();
  if (finds_nothing) return 1;
  if (shortest == 0) return 1 + double(replacement_bytes);  // also between any two characters
  return std::max(1.0, double(replacement_bytes) / shortest);
}

void SplitPattern::find_all(std::string_view text, std::vector<Span>& matches) const {
  if (known_) {
    for (std::size_t at = 0; at < text.size();) {
      const std::string_view rest = text.substr(at);
      const std::size_t length = *known_ == KnownPattern::gpt2
                                     ? match_gpt2(rest)
                                     : match_cl100k(rest, *known_ == KnownPattern::llama3 ? 3 : 1);
      matches.push_back({at, at + length});
      at += length;
    }
  } else if (compiled_) {
    find_compiled(text, matches);
  } else if (!literal_.empty()) {
    for (std::size_t at = 0; (at = text.find(literal_, at)) != std::string_view::npos; at += literal_.size()) {
      matches.push_back({at, at + literal_.size()});
    }
  }
}

// Where a hostile pattern exceeds the match limit, the rest of the text counts as unmatched.
void SplitPattern::find_compiled(std::string_view text, std::vector<Span>& matches) const {
  thread_local const MatchState state;
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t at = 0, last_end = std::string_view::npos;
  while (at <= text.size()) {
    const int result = pcre2_match(compiled_->code, subject, text.size(), at, PCRE2_NO_UTF_CHECK, state.data.get(),
                                   state.context.get());
    if (result == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
    if (result < 0) return;
    const PCRE2_SIZE* found = pcre2_get_ovector_pointer(state.data.get());
    const std::size_t begin = found[0], end = found[1];
    if (begin > end || begin < at) return;
    if (begin == end && begin == last_end) {  // an empty match right after the last one: step over one character
      if (at >= text.size()) return;
      at += decode_valid(text.data() + at).bytes;
      continue;
    }
    matches.push_back({begin, end});
    at = last_end = end;
  }
}

}  // namespace nibble

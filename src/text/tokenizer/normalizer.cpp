#include "text/tokenizer/normalizer.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/utf8.hpp"
#include "text/tokenizer/unicode_class.hpp"

namespace nibble {
namespace {

// Characters below U+0300 are their own NFC, ASCII is its own everything.
bool already_normal(const UnicodeForm& form, std::string_view text) {
  const unsigned char first_changed = form.compose && !form.compatibility ? 0xCC : 0x80;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < first_changed;
  });
}

bool apply(const UnicodeForm& form, std::string_view text, std::string& out) {
  if (text.empty() || already_normal(form, text)) return false;
  int options = UTF8PROC_STABLE | (form.compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE);
  if (form.compatibility) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t bytes = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                              utf8proc_ssize_t(text.size()), &result, utf8proc_option_t(options));
  if (bytes < 0) throw std::bad_alloc();  // nothing else is left: the text is valid
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> held(result, std::free);
  out.assign(reinterpret_cast<const char*>(result), std::size_t(bytes));
  return true;
}

bool apply(const ReplaceText& step, std::string_view text, std::string& out) {
  std::vector<Span> matches;
  step.pattern.find_all(text, matches);
  if (matches.empty()) return false;
  out.clear();
  std::size_t at = 0;
  for (const Span match : matches) {
    out.append(text.substr(at, match.begin - at)).append(step.content);
    at = match.end;
  }
  out.append(text.substr(at));
  return true;
}

bool apply(const PrependText& step, std::string_view text, std::string& out) {
  if (text.empty()) return false;
  out = step.prefix;
  out += text;
  return true;
}

template <class Change>
bool rewrite(std::string_view text, std::string& out, Change change) {
  out.clear();
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_valid(text.data() + at);
    change(c.value);
    at += c.bytes;
  }
  return true;
}

// Pairs of Unicode 15 to 17 that utf8proc may be too old to know; the reference library has them.
std::uint32_t lower_case(std::uint32_t c) {
  struct Run {
    std::uint32_t first, last, lower;  // `lower` is that of `first`
  };
  constexpr Run added[] = {{0x1C89, 0x1C89, 0x1C8A},   {0xA7CB, 0xA7CB, 0x264},  {0xA7CC, 0xA7CC, 0xA7CD},
                           {0xA7CE, 0xA7CE, 0xA7CF},   {0xA7D2, 0xA7D2, 0xA7D3}, {0xA7D4, 0xA7D4, 0xA7D5},
                           {0xA7DA, 0xA7DA, 0xA7DB},   {0xA7DC, 0xA7DC, 0x19B},  {0x10D50, 0x10D65, 0x10D70},
                           {0x16EA0, 0x16EB8, 0x16EBB}};
  if (c >= added[0].first)
    for (const Run& run : added)
      if (c >= run.first && c <= run.last) return run.lower + (c - run.first);
  return std::uint32_t(utf8proc_tolower(utf8proc_int32_t(c)));
}

bool apply(const LowercaseText&, std::string_view text, std::string& out) {
  return rewrite(text, out, [&](std::uint32_t c) {
    if (c == 0x130)
      out += "i\xCC\x87";  // the one character whose lower case is two
    else
      append_utf8(out, lower_case(c));
  });
}

bool apply(const StripAccents&, std::string_view text, std::string& out) {
  return rewrite(text, out, [&](std::uint32_t c) {
    if (!is_mark(c)) append_utf8(out, c);
  });
}

bool apply(const StripSpaces& step, std::string_view text, std::string& out) {
  std::size_t begin = 0, end = text.size();
  const auto space = [&](std::size_t at) { return classify(decode_valid(text.data() + at).value) == CharClass::space; };
  while (step.left && begin < end && space(begin)) begin += decode_valid(text.data() + begin).bytes;
  while (step.right && end > begin) {
    std::size_t last = end - 1;
    while ((static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
    if (!space(last)) break;
    end = last;
  }
  out = text.substr(begin, end - begin);
  return true;
}

bool apply(const EscapeSpaces& step, std::string_view text, bool at_start, std::string& out) {
  out.clear();
  if (step.collapse) text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  if (text.empty()) return true;
  out.reserve(text.size() + text.size() / 2);
  if (step.prefix == EscapeSpaces::always || (step.prefix == EscapeSpaces::first && at_start)) out += metaspace;
  bool after_space = false;
  for (const char c : text) {
    if (c != ' ')
      out += c;
    else if (!step.collapse || !after_space)
      out += metaspace;
    after_space = c == ' ';
  }
  while (step.collapse && out.ends_with(metaspace)) out.resize(out.size() - metaspace.size());
  return true;
}

template <class Step>
bool apply(const Step& step, std::string_view text, bool, std::string& out) {
  return apply(step, text, out);
}

double growth(const UnicodeForm& form) { return form.compatibility ? 12 : 3; }  // U+FDFA, U+0390
double growth(const ReplaceText& step) { return step.pattern.growth(step.content.size()); }
double growth(const PrependText& step) { return 1 + double(step.prefix.size()); }
double growth(const LowercaseText&) { return 1.5; }
double growth(const StripSpaces&) { return 1; }
double growth(const EscapeSpaces&) { return 2 * double(metaspace.size()); }
double growth(const StripAccents&) { return 1; }

}  // namespace

double Normalizer::growth() const {
  double product = 1;
  for (const Step& step : steps_) product *= std::visit([](const auto& s) { return nibble::growth(s); }, step);
  return product;
}

void Normalizer::add(Step step) { steps_.push_back(std::move(step)); }

std::string_view Normalizer::apply(std::string_view text, bool at_start, std::string& storage) const {
  std::string next;
  for (const Step& step : steps_) {
    if (!std::visit([&](const auto& s) { return nibble::apply(s, text, at_start, next); }, step)) continue;
    storage.swap(next);
    text = storage;
  }
  return text;
}

}  // namespace nibble

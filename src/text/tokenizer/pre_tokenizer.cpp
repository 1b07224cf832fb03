#include "text/tokenizer/pre_tokenizer.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "text/tokenizer/byte_alphabet.hpp"
#include "text/tokenizer/unicode_class.hpp"

namespace nibble {
namespace {

struct Part {
  Span span;
  bool is_match;
};

// Parts that `behavior` joins to one piece.
std::vector<Span> join_parts(const std::vector<Part>& parts, SplitBehavior behavior) {
  std::vector<Span> joined;
  bool previous = false;
  switch (behavior) {
    case SplitBehavior::removed:
      for (const Part& part : parts) {
        if (!part.is_match) joined.push_back(part.span);
      }
      break;
    case SplitBehavior::contiguous:
      for (const Part& part : parts) {
        if (part.is_match == previous && !joined.empty())
          joined.back().end = part.span.end;
        else
          joined.push_back(part.span);
        previous = part.is_match;
      }
      break;
    case SplitBehavior::merged_with_previous:
      for (const Part& part : parts) {
        if (part.is_match && !previous && !joined.empty())
          joined.back().end = part.span.end;
        else
          joined.push_back(part.span);
        previous = part.is_match;
      }
      break;
    case SplitBehavior::merged_with_next:
      for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        if (part->is_match && !previous && !joined.empty())
          joined.back().begin = part->span.begin;
        else
          joined.push_back(part->span);
        previous = part->is_match;
      }
      std::reverse(joined.begin(), joined.end());
      break;
    case SplitBehavior::isolated:
      break;
  }
  return joined;
}

// Cuts `text` at `matches` the way `behavior` says; empty pieces disappear.
void cut(std::string_view text, const std::vector<Span>& matches, SplitBehavior behavior, bool invert,
         std::vector<std::string_view>& out) {
  const auto emit = [&](Span span) {
    if (span.end > span.begin) out.push_back(text.substr(span.begin, span.end - span.begin));
  };
  if (behavior == SplitBehavior::isolated) {  // the common case needs no list of parts
    std::size_t at = 0;
    for (const Span match : matches) {
      emit({at, match.begin});
      emit(match);
      at = match.end;
    }
    return emit({at, text.size()});
  }
  std::vector<Part> parts;
  std::size_t at = 0;
  for (const Span match : matches) {
    if (match.begin > at) parts.push_back({{at, match.begin}, invert});
    parts.push_back({match, !invert});
    at = match.end;
  }
  if (at < text.size()) parts.push_back({{at, text.size()}, invert});
  for (const Span span : join_parts(parts, behavior)) emit(span);
}

void split(const SplitByPattern& step, std::string_view text, bool, PreTokenizer::Storage& storage) {
  storage.matches.clear();
  step.pattern.find_all(text, storage.matches);
  cut(text, storage.matches, step.behavior, step.invert, storage.next);
}

void split(const SplitByClass& step, std::string_view text, bool, PreTokenizer::Storage& storage) {
  storage.matches.clear();
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_valid(text.data() + at);
    const bool match = step.wanted == SplitByClass::digit         ? is_digit(c.value)
                       : step.wanted == SplitByClass::punctuation ? is_punctuation(c.value)
                                                                  : classify(c.value) == CharClass::space;
    if (match) storage.matches.push_back({at, at + c.bytes});
    at += c.bytes;
  }
  cut(text, storage.matches, step.behavior, false, storage.next);
}

void split(const ByteLevelSplit& step, std::string_view text, bool, PreTokenizer::Storage& storage) {
  if (text.empty()) return;
  if (step.add_prefix_space && text[0] != ' ') text = storage.texts.emplace_back(" " + std::string(text));
  const std::size_t first = storage.next.size();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = step.use_regex ? match_gpt2(text.substr(at)) : text.size() - at;
    storage.next.push_back(text.substr(at, length));
    at += length;
  }
  for (std::size_t i = first; step.map_bytes && i < storage.next.size(); ++i) {
    storage.next[i] = storage.texts.emplace_back(to_byte_alphabet(storage.next[i]));
  }
}

void split(const MetaspaceSplit& step, std::string_view text, bool at_start, PreTokenizer::Storage& storage) {
  if (text.empty()) return;
  std::string& written = storage.texts.emplace_back();
  written.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (c == ' ')
      written += step.replacement;
    else
      written += c;
  }
  const bool prepend = step.prepend == MetaspaceSplit::always || (step.prepend == MetaspaceSplit::first && at_start);
  if (prepend && !written.starts_with(step.replacement)) written.insert(0, step.replacement);
  if (!step.split) return storage.next.push_back(written);
  storage.matches.clear();
  SplitPattern::literal(step.replacement).find_all(written, storage.matches);
  cut(written, storage.matches, SplitBehavior::merged_with_next, false, storage.next);
}

bool rewrites(const PreTokenizer::Step& step) {
  return std::holds_alternative<ByteLevelSplit>(step) || std::holds_alternative<MetaspaceSplit>(step);
}

double growth(const SplitByPattern&) { return 1; }
double growth(const SplitByClass&) { return 1; }
double growth(const ByteLevelSplit& step) { return (step.add_prefix_space ? 2 : 1) * (step.map_bytes ? 2 : 1); }
double growth(const MetaspaceSplit& step) { return 2 * double(step.replacement.size()); }  // one more in front

}  // namespace

double PreTokenizer::growth() const {
  double product = 1;
  for (const Step& step : steps_) product *= std::visit([](const auto& s) { return nibble::growth(s); }, step);
  return product;
}

void PreTokenizer::add(Step step) { steps_.push_back(std::move(step)); }

void PreTokenizer::finish() {
  for (std::size_t i = 0; i + 1 < steps_.size(); ++i) {
    if (auto* step = std::get_if<ByteLevelSplit>(&steps_[i])) step->map_bytes = mapped_ = true;
  }
}

bool PreTokenizer::is_byte_level() const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [](const Step& step) { return std::holds_alternative<ByteLevelSplit>(step); });
}

void PreTokenizer::apply(std::string_view text, bool at_start, Storage& storage) const {
  storage.texts.clear();
  storage.pieces.clear();
  if (text.empty()) return;
  storage.pieces.push_back(text);
  for (const Step& step : steps_) {
    storage.next.clear();
    for (std::size_t i = 0; i < storage.pieces.size(); ++i) {
      std::visit([&](const auto& s) { split(s, storage.pieces[i], at_start && i == 0, storage); }, step);
    }
    // Steps that only cut may drop what the input began with; the others keep it.
    if (!storage.next.empty() && !rewrites(step)) at_start &= storage.next[0].data() == storage.pieces[0].data();
    storage.pieces.swap(storage.next);
    if (storage.pieces.empty()) return;
  }
  if (!mapped_) return;
  for (std::string_view& piece : storage.pieces) {
    std::string raw;
    if (from_byte_alphabet(piece, raw)) piece = storage.texts.emplace_back(std::move(raw));
  }
}

}  // namespace nibble

#include "text/tokenizer/token_decoder.hpp"

#include "base/utf8.hpp"
#include "text/tokenizer/byte_alphabet.hpp"

namespace nibble {

int byte_of_fallback(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int byte = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    byte = byte * 16 + digit;
  }
  return byte;
}

void append_byte_level(std::string_view token, std::string& bytes) {
  if (!from_byte_alphabet(token, bytes)) bytes += token;
}

std::string salvage_utf8(std::string_view run) {
  std::string out;
  while (!run.empty()) {
    std::size_t consumed = 0;
    const std::size_t length = well_formed_length(run, consumed);
    out += length ? run.substr(0, length) : replacement_character;
    run.remove_prefix(length ? length : 1);
  }
  return out;
}

void replace_in_token(std::string& token, const SplitPattern& pattern, std::string_view content) {
  std::vector<Span> matches;
  pattern.find_all(token, matches);
  if (matches.empty()) return;
  std::string out;
  std::size_t at = 0;
  for (const Span match : matches) {
    out.append(token, at, match.begin - at).append(content);
    at = match.end;
  }
  token = out.append(token, at);
}

void strip_token(const DecodeStrip& step, std::string& token) {
  if (step.content.empty()) return;
  std::string_view rest = token;
  for (std::size_t i = 0; i < step.start && rest.starts_with(step.content); ++i)
    rest.remove_prefix(step.content.size());
  for (std::size_t i = 0; i < step.stop && rest.ends_with(step.content); ++i) rest.remove_suffix(step.content.size());
  token = std::string(rest);
}

bool drop_prefix(const DecodeDropPrefix& step, std::string& token) {
  const bool dropped = token.starts_with(metaspace);
  if (dropped) token.erase(0, metaspace.size());
  return !token.empty() || (dropped && !step.all);
}

namespace {

using Tokens = std::vector<std::string>;

void apply(const DecodeByteLevel&, Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) append_byte_level(token, bytes);
  tokens = {is_valid_utf8(bytes) ? std::move(bytes) : repair_utf8(bytes)};
}

void apply(const DecodeByteFallback& step, Tokens& tokens) {
  Tokens out;
  std::string run;
  const auto end_run = [&] {
    if (is_valid_utf8(run) || step.salvage)
      out.push_back(salvage_utf8(run));
    else
      out.insert(out.end(), run.size(), std::string(replacement_character));
    run.clear();
  };
  for (std::string& token : tokens) {
    if (const int byte = byte_of_fallback(token); byte >= 0) {
      run += char(byte);
      continue;
    }
    if (!run.empty()) end_run();
    out.push_back(std::move(token));
  }
  if (!run.empty()) end_run();
  tokens = std::move(out);
}

void apply(const DecodeFuse&, Tokens& tokens) {
  std::string whole;
  for (const std::string& token : tokens) whole += token;
  tokens = {std::move(whole)};
}

void apply(const DecodeMetaspace& step, Tokens& tokens) {
  const SplitPattern pattern = SplitPattern::literal(step.replacement);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    replace_in_token(tokens[i], pattern, i == 0 && step.drop_first ? "" : " ");
}

void apply(const DecodeReplace& step, Tokens& tokens) {
  for (std::string& token : tokens) replace_in_token(token, step.pattern, step.content);
}

void apply(const DecodeStrip& step, Tokens& tokens) {
  for (std::string& token : tokens) strip_token(step, token);
}

void apply(const DecodeDropPrefix& step, Tokens& tokens) {
  for (std::string& token : tokens)
    if (drop_prefix(step, token)) return;
}

double growth(const DecodeByteLevel&) { return 3; }  // U+FFFD for a byte
double growth(const DecodeByteFallback&) { return 1; }
double growth(const DecodeFuse&) { return 1; }
double growth(const DecodeDropPrefix&) { return 1; }
double growth(const DecodeMetaspace&) { return 1; }
double growth(const DecodeReplace& step) { return step.pattern.growth(step.content.size()); }
double growth(const DecodeStrip&) { return 1; }

}  // namespace

double TokenDecoder::growth() const {
  double product = 1;
  for (const Step& step : steps_) product *= std::visit([](const auto& s) { return nibble::growth(s); }, step);
  return product;
}

void TokenDecoder::add(Step step) { steps_.push_back(std::move(step)); }

std::string TokenDecoder::decode(Tokens tokens) const {
  for (const Step& step : steps_) std::visit([&](const auto& s) { apply(s, tokens); }, step);
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && steps_.empty()) out += ' ';
    out += tokens[i];
  }
  return out;
}

}  // namespace nibble

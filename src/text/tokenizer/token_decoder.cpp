#include "text/tokenizer/token_decoder.hpp"

#include "text/tokenizer/byte_alphabet.hpp"
#include "text/tokenizer/utf8.hpp"

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

namespace {

using Tokens = std::vector<std::string>;

void apply(const DecodeByteLevel&, Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) {
    if (!from_byte_alphabet(token, bytes)) bytes += token;
  }
  tokens = {is_valid_utf8(bytes) ? std::move(bytes) : repair_utf8(bytes)};
}

// A run of byte tokens is its text if it is valid as a whole; otherwise every byte of it is U+FFFD.
void apply(const DecodeByteFallback&, Tokens& tokens) {
  Tokens out;
  std::string run;
  const auto end_run = [&] {
    if (run.empty()) return;
    if (is_valid_utf8(run))
      out.push_back(run);
    else
      out.insert(out.end(), run.size(), std::string(replacement_character));
    run.clear();
  };
  for (std::string& token : tokens) {
    if (const int byte = byte_of_fallback(token); byte >= 0) {
      run += char(byte);
      continue;
    }
    end_run();
    out.push_back(std::move(token));
  }
  end_run();
  tokens = std::move(out);
}

void apply(const DecodeFuse&, Tokens& tokens) {
  std::string whole;
  for (const std::string& token : tokens) whole += token;
  tokens = {std::move(whole)};
}

void replace(std::string& token, const SplitPattern& pattern, std::string_view content) {
  std::vector<Span> matches;
  pattern.find_all(token, matches);
  for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
    token.replace(match->begin, match->end - match->begin, content);
  }
}

void apply(const DecodeMetaspace& step, Tokens& tokens) {
  const SplitPattern pattern = SplitPattern::literal(step.replacement);
  for (std::size_t i = 0; i < tokens.size(); ++i) replace(tokens[i], pattern, i == 0 && step.drop_first ? "" : " ");
}

void apply(const DecodeReplace& step, Tokens& tokens) {
  for (std::string& token : tokens) replace(token, step.pattern, step.content);
}

void apply(const DecodeStrip& step, Tokens& tokens) {
  if (step.content.empty()) return;
  for (std::string& token : tokens) {
    std::size_t begin = 0, end = token.size();
    for (std::size_t i = 0; i < step.start && token.compare(begin, step.content.size(), step.content) == 0; ++i) {
      begin += step.content.size();
    }
    for (std::size_t i = 0; i < step.stop && end >= begin + step.content.size() &&
                            token.compare(end - step.content.size(), step.content.size(), step.content) == 0;
         ++i) {
      end -= step.content.size();
    }
    token = token.substr(begin, end - begin);
  }
}

}  // namespace

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

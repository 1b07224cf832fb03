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

namespace {

using Tokens = std::vector<std::string>;

struct Mode {
  bool salvage = false;  // whole characters of a malformed run of byte tokens are kept
  bool open = false;     // more follows: half a character at the end is left out
};

void apply(const DecodeByteLevel&, Tokens& tokens, Mode mode) {
  std::string bytes;
  for (const std::string& token : tokens) {
    if (!from_byte_alphabet(token, bytes)) bytes += token;
  }
  if (mode.open) bytes.resize(bytes.size() - incomplete_tail(bytes));
  tokens = {is_valid_utf8(bytes) ? std::move(bytes) : repair_utf8(bytes)};
}

// Each byte that begins no character is U+FFFD: finer than repair_utf8.
void add_salvaged(std::string_view run, Tokens& out) {
  while (!run.empty()) {
    std::size_t consumed = 0;
    const std::size_t length = well_formed_length(run, consumed);
    out.emplace_back(length ? run.substr(0, length) : replacement_character);
    run.remove_prefix(length ? length : 1);
  }
}

void apply(const DecodeByteFallback& step, Tokens& tokens, Mode mode) {
  Tokens out;
  std::string run;
  const auto end_run = [&] {
    if (is_valid_utf8(run))
      out.push_back(run);
    else if (step.salvage || mode.salvage)
      add_salvaged(run, out);
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
  if (mode.open) run.resize(run.size() - incomplete_tail(run));
  if (!run.empty()) end_run();
  tokens = std::move(out);
}

void apply(const DecodeFuse&, Tokens& tokens, Mode) {
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

void apply(const DecodeMetaspace& step, Tokens& tokens, Mode) {
  const SplitPattern pattern = SplitPattern::literal(step.replacement);
  for (std::size_t i = 0; i < tokens.size(); ++i) replace(tokens[i], pattern, i == 0 && step.drop_first ? "" : " ");
}

void apply(const DecodeReplace& step, Tokens& tokens, Mode) {
  for (std::string& token : tokens) replace(token, step.pattern, step.content);
}

void apply(const DecodeStrip& step, Tokens& tokens, Mode) {
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

void apply(const DecodeDropPrefix& step, Tokens& tokens, Mode) {
  constexpr std::string_view metaspace = "\xE2\x96\x81";
  for (std::string& token : tokens) {
    const bool dropped = token.starts_with(metaspace);
    if (dropped) token.erase(0, metaspace.size());
    if (!token.empty() || (dropped && !step.all)) return;
  }
}

std::string run(const std::vector<TokenDecoder::Step>& steps, Tokens tokens, Mode mode) {
  for (const auto& step : steps) std::visit([&](const auto& s) { apply(s, tokens, mode); }, step);
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && steps.empty()) out += ' ';
    out += tokens[i];
  }
  return out;
}

}  // namespace

void TokenDecoder::add(Step step) { steps_.push_back(std::move(step)); }

std::string TokenDecoder::decode(Tokens tokens) const { return run(steps_, std::move(tokens), {}); }

std::string TokenDecoder::decode_stream(Tokens tokens, bool ended) const {
  return run(steps_, std::move(tokens), {true, !ended});
}

}  // namespace nibble

#include "text/tokenizer/decoder_stream.hpp"

#include "base/utf8.hpp"
#include "text/tokenizer/byte_alphabet.hpp"

namespace nibble {
namespace {

using State = DecoderStream::State;

bool is_one_character(std::string_view text) { return !text.empty() && decode_valid(text.data()).bytes == text.size(); }

// What a step is given: tokens that stay as they are, tokens of which the last may still grow (byte tokens join), or
// one text that grows.
enum class Given { tokens, runs, text };

// Whether what the step has made of a beginning stays when more follows; `given` becomes what the next step is given.
bool stays(const DecodeByteLevel&, Given& given) {
  const bool was = given == Given::tokens;
  given = Given::text;
  return was;
}
bool stays(const DecodeByteFallback&, Given& given) {
  const bool was = given == Given::tokens;
  given = Given::runs;
  return was;
}
bool stays(const DecodeFuse&, Given& given) {
  given = Given::text;
  return true;
}
bool stays(const DecodeDropPrefix&, Given& given) { return given == Given::tokens; }
bool stays(const DecodeMetaspace& step, Given& given) {
  if (given == Given::tokens) return true;
  return is_one_character(step.replacement) && (given == Given::text || !step.drop_first);
}
bool stays(const DecodeReplace& step, Given& given) {
  return given == Given::tokens || is_one_character(step.pattern.literal_text());
}
bool stays(const DecodeStrip& step, Given& given) {
  if (given == Given::tokens || step.content.empty() || (step.start == 0 && step.stop == 0)) return true;
  return given == Given::text && step.stop == 0 && is_one_character(step.content);
}

// Takes the whole characters off `bytes`.
std::string whole_characters(std::string& bytes) {
  std::string out = bytes.substr(0, bytes.size() - incomplete_tail(bytes));
  bytes.erase(0, out.size());
  return out;
}

void next(const DecodeByteLevel&, std::string& text, State& state) {
  append_byte_level(text, state.bytes);
  text = repair_utf8(whole_characters(state.bytes));
}

void next(const DecodeByteFallback&, std::string& text, State& state) {
  if (const int byte = byte_of_fallback(text); byte >= 0) {
    state.bytes += char(byte);
    text = salvage_utf8(whole_characters(state.bytes));
  } else if (!state.bytes.empty()) {
    text.insert(0, salvage_utf8(std::exchange(state.bytes, {})));
  }
}

void next(const DecodeFuse&, std::string&, State&) {}

void next(const DecodeDropPrefix& step, std::string& text, State& state) {
  if (!state.begun) state.begun = drop_prefix(step, text);
}

void next(const DecodeMetaspace& step, std::string& text, State& state) {
  const bool is_first = state.whole || !state.begun;
  state.begun = true;
  replace_in_token(text, SplitPattern::literal(step.replacement), is_first && step.drop_first ? "" : " ");
}

void next(const DecodeReplace& step, std::string& text, State&) { replace_in_token(text, step.pattern, step.content); }

void next(const DecodeStrip& step, std::string& text, State& state) {
  if (!state.whole) return strip_token(step, text);
  if (step.content.empty()) return;
  while (!state.begun && state.done < step.start && text.starts_with(step.content)) {
    text.erase(0, step.content.size());
    ++state.done;
  }
  state.begun = state.begun || !text.empty();
}

}  // namespace

DecoderStream::DecoderStream(const TokenDecoder& decoder) : decoder_(decoder) {
  Given given = Given::tokens;
  for (const TokenDecoder::Step& step : decoder.steps()) {
    states_.emplace_back().whole = given != Given::tokens;
    certain_ = std::visit([&](const auto& s) { return stays(s, given); }, step) && certain_;
  }
}

std::string DecoderStream::run(std::size_t first, std::string text) {
  for (std::size_t i = first; i < states_.size(); ++i)
    std::visit([&](const auto& step) { next(step, text, states_[i]); }, decoder_.steps()[i]);
  return text;
}

std::string DecoderStream::push(std::string token) {
  if (!certain_) {
    held_.push_back(std::move(token));
    return {};
  }
  if (states_.empty() && std::exchange(begun_, true)) token.insert(0, 1, ' ');
  return run(0, std::move(token));
}

std::string DecoderStream::end() {
  std::string out = certain_ ? "" : decoder_.decode(std::move(held_));
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (const std::string bytes = std::exchange(states_[i].bytes, {}); !bytes.empty())
      out += run(i + 1, std::holds_alternative<DecodeByteLevel>(decoder_.steps()[i]) ? repair_utf8(bytes)
                                                                                     : salvage_utf8(bytes));
    states_[i].begun = false;
    states_[i].done = 0;
  }
  held_.clear();
  begun_ = false;
  return out;
}

}  // namespace nibble

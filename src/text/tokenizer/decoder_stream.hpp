// The steps of a TokenDecoder, one token at a time: each keeps what it must know of the tokens before, so that a token
// costs what it is long. Where a later token could change what an earlier one became (a Replace that matches across
// two), nothing is certain before the end, and the whole text comes with it.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer/token_decoder.hpp"

namespace nibble {

class DecoderStream {
 public:
  // `decoder` outlives this.
  explicit DecoderStream(const TokenDecoder& decoder);

  // What became certain with this token: whole characters, perhaps none.
  std::string push(std::string token);
  // What was held back; half a character is U+FFFD. All of it together is what decode() gives, but that a run of byte
  // tokens that is not valid as a whole keeps its whole characters. Then a new text may begin.
  std::string end();

  struct State {
    bool whole = false;    // the step works on the text so far, not on a list of tokens
    bool begun = false;    // DropPrefix, Strip: nothing is taken away any more. Metaspace: the first token is over
    std::size_t done = 0;  // Strip: how often
    std::string bytes;     // that begin a character and do not end it yet
  };

 private:
  std::string run(std::size_t first, std::string text);

  const TokenDecoder& decoder_;
  bool certain_ = true;  // else tokens are held
  std::vector<State> states_;
  std::vector<std::string> held_;
  bool begun_ = false;
};

}  // namespace nibble

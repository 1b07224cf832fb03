// Tokens that are found in the text before anything else happens to it: "<|im_start|>" and its like.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/tokenizer/normalizer.hpp"

namespace nibble {

struct AddedToken {
  std::string content;
  std::int32_t id = -1;
  bool special = false;                 // dropped by decode(skip_special), plain text when specials are not parsed
  bool single_word = false;             // only where no word character touches it
  bool lstrip = false, rstrip = false;  // takes the white space on that side with it
  bool normalized = false;              // looked for after normalization, in its own normalized form
  bool as_piece = false;                // looked for after normalization, as it stands
};

inline AddedToken special_token(std::string content, std::int32_t id) {
  AddedToken token;
  token.content = std::move(content);
  token.id = id;
  token.special = true;
  return token;
}

class AddedTokens {
 public:
  void add(AddedToken token);                 // a content that is there already is replaced
  void finish(const Normalizer& normalizer);  // builds the search; call once after the last add

  struct Segment {
    std::size_t begin = 0, end = 0;
    std::int32_t id = -1;  // -1: text
  };
  // Cuts `text` into tokens and the text between them.
  void find(std::string_view text, bool normalized, bool parse_special, std::vector<Segment>& out) const;

  const AddedToken* by_id(std::int32_t id) const;
  const AddedToken* by_content(std::string_view content) const;
  std::int64_t highest_id() const { return highest_id_; }
  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  class Trie {
   public:
    void add(std::string_view text, std::size_t token);
    // The longest token that begins at `at`: its index and end.
    std::optional<std::pair<std::size_t, std::size_t>> longest(std::string_view text, std::size_t at) const;
    std::size_t next_candidate(std::string_view text, std::size_t at) const;

   private:
    struct Node {  // sixteen bytes: there is one for every byte of the tokens
      std::int32_t token = -1;
      std::uint32_t child = 0, sibling = 0;  // 0: none, which is the root
      unsigned char byte = 0;
    };
    std::uint32_t child_of(std::uint32_t node, unsigned char byte) const;
    std::vector<Node> nodes_ = std::vector<Node>(1);
    bool first_[256] = {};
  };

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::int32_t, std::size_t> by_id_;
  std::unordered_map<std::string, std::size_t> by_content_;
  Trie raw_, normalized_;
  std::int64_t highest_id_ = -1;
};

}  // namespace nibble

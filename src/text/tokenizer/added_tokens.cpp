#include "text/tokenizer/added_tokens.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "text/tokenizer/unicode_class.hpp"

namespace nibble {
namespace {

std::size_t last_character(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

bool word_at(std::string_view text, std::size_t at) { return is_word(decode_valid(text.data() + at).value); }
bool space_at(std::string_view text, std::size_t at) {
  return classify(decode_valid(text.data() + at).value) == CharClass::space;
}

}  // namespace

void AddedTokens::Trie::add(std::string_view text, std::size_t token) {
  if (text.empty()) return;
  first_[static_cast<unsigned char>(text[0])] = true;
  std::uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    std::uint32_t next = child_of(node, byte);
    if (next == 0) {
      next = std::uint32_t(nodes_.size());
      nodes_.push_back({-1, 0, nodes_[node].child, byte});
      nodes_[node].child = next;
    }
    node = next;
  }
  nodes_[node].token = std::int32_t(token);
}

std::uint32_t AddedTokens::Trie::child_of(std::uint32_t node, unsigned char byte) const {
  std::uint32_t child = nodes_[node].child;
  while (child != 0 && nodes_[child].byte != byte) child = nodes_[child].sibling;
  return child;
}

std::optional<std::pair<std::size_t, std::size_t>> AddedTokens::Trie::longest(std::string_view text,
                                                                              std::size_t at) const {
  std::optional<std::pair<std::size_t, std::size_t>> best;
  for (std::uint32_t node = 0; at < text.size(); ++at) {
    node = child_of(node, static_cast<unsigned char>(text[at]));
    if (node == 0) break;
    if (nodes_[node].token >= 0) best = {std::size_t(nodes_[node].token), at + 1};
  }
  return best;
}

std::size_t AddedTokens::Trie::next_candidate(std::string_view text, std::size_t at) const {
  while (at < text.size() && !first_[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

void AddedTokens::add(AddedToken token) {
  highest_id_ = std::max<std::int64_t>(highest_id_, token.id);
  const auto [place, is_new] = by_content_.try_emplace(token.content, tokens_.size());
  by_id_[token.id] = place->second;
  if (is_new)
    tokens_.push_back(std::move(token));
  else
    tokens_[place->second] = std::move(token);
}

void AddedTokens::finish(const Normalizer& normalizer) {
  std::string storage;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    if (token.as_piece)
      normalized_.add(token.content, i);
    else if (token.normalized)
      normalized_.add(normalizer.apply(token.content, true, storage), i);
    else
      raw_.add(token.content, i);
  }
}

void AddedTokens::find(std::string_view text, bool normalized, bool parse_special, std::vector<Segment>& out) const {
  const Trie& trie = normalized ? normalized_ : raw_;
  std::size_t done = 0;
  for (std::size_t at = trie.next_candidate(text, 0); at < text.size(); at = trie.next_candidate(text, at)) {
    const auto match = trie.longest(text, at);
    if (!match) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[match->first];
    std::size_t begin = at, end = match->second;
    at = end;
    if (begin < done || (token.special && !parse_special)) continue;
    if (token.single_word &&
        ((begin > 0 && word_at(text, last_character(text, begin))) || (end < text.size() && word_at(text, end)))) {
      continue;
    }
    while (token.lstrip && begin > done && space_at(text, last_character(text, begin))) {
      begin = last_character(text, begin);
    }
    while (token.rstrip && end < text.size() && space_at(text, end)) end += decode_valid(text.data() + end).bytes;
    if (begin > done) out.push_back({done, begin, -1});
    out.push_back({begin, end, token.id});
    done = at = end;
  }
  if (done < text.size()) out.push_back({done, text.size(), -1});
}

const AddedToken* AddedTokens::by_id(std::int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::by_content(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  return found == by_content_.end() ? nullptr : &tokens_[found->second];
}

}  // namespace nibble

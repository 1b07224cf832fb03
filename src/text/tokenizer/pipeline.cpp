#include "text/tokenizer/pipeline.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace nibble {

struct Pipeline::Scratch {
  BpeScratchPtr bpe = Bpe::scratch();
  PreTokenizer::Storage pieces;
  std::string normalized;
  std::vector<AddedTokens::Segment> segments, inner;
};

Pipeline::Pipeline(PipelineParts parts) : parts_(std::move(parts)) {
  parts_.pre_tokenizer.finish();
  parts_.added.finish(parts_.normalizer);
}
Pipeline::~Pipeline() = default;

std::unique_ptr<Pipeline::Scratch> Pipeline::take_scratch() const {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Scratch>();
  auto scratch = std::move(idle_.back());
  idle_.pop_back();
  return scratch;
}

void Pipeline::give_scratch(std::unique_ptr<Scratch> scratch) const {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(scratch));
}

std::vector<std::int32_t> Pipeline::encode(std::string_view text, const EncodeOptions& options) const {
  std::string repaired;
  if (!is_valid_utf8(text)) {
    repaired = repair_utf8(text);
    text = repaired;
  }
  std::vector<std::int32_t> out;
  out.reserve(text.size() / 4 + 8);
  if (options.add_special) out = parts_.prefix;
  auto scratch = take_scratch();
  Bpe::expect(*scratch->bpe, text.size());
  scratch->segments.clear();
  parts_.added.find(text, false, options.parse_special, scratch->segments);
  for (const auto& segment : scratch->segments) {
    if (segment.id >= 0) {
      out.push_back(segment.id);
    } else {
      encode_text(text.substr(segment.begin, segment.end - segment.begin), segment.begin == 0, options.parse_special,
                  *scratch, out);
    }
  }
  constexpr std::size_t kept_up_to = 64 << 10;  // what a long text needed is not held for the lines of a conversation
  if (text.size() <= kept_up_to) give_scratch(std::move(scratch));
  if (options.add_special) out.insert(out.end(), parts_.suffix.begin(), parts_.suffix.end());
  return out;
}

void Pipeline::encode_text(std::string_view text, bool at_start, bool parse_special, Scratch& scratch,
                           std::vector<std::int32_t>& out) const {
  text = parts_.normalizer.apply(text, at_start, scratch.normalized);
  scratch.inner.clear();
  parts_.added.find(text, true, parse_special, scratch.inner);
  for (const auto& segment : scratch.inner) {
    if (segment.id >= 0) {
      out.push_back(segment.id);
      continue;
    }
    const auto piece = text.substr(segment.begin, segment.end - segment.begin);
    parts_.pre_tokenizer.apply(piece, at_start && segment.begin == 0, scratch.pieces);
    for (const std::string_view word : scratch.pieces.pieces) parts_.bpe.encode(word, *scratch.bpe, out);
  }
}

std::vector<std::string> Pipeline::tokens_of(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids) {
    const AddedToken* added = parts_.added.by_id(id);
    if (added == nullptr && !parts_.bpe.vocabulary().has(id)) continue;
    if (added != nullptr && added->special && skip_special) continue;
    tokens.emplace_back(added ? std::string_view(added->content) : parts_.bpe.vocabulary().token(id));
  }
  return tokens;
}

std::string Pipeline::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  return parts_.decoder.decode(tokens_of(ids, skip_special));
}

std::string Pipeline::decode_stream(std::span<const std::int32_t> ids, bool skip_special, bool ended) const {
  return parts_.decoder.decode_stream(tokens_of(ids, skip_special), ended);
}

std::int64_t Pipeline::vocabulary_size() const {
  return std::max(parts_.bpe.vocabulary().size(), parts_.added.highest_id() + 1);
}

std::string Pipeline::token(std::int32_t id) const {
  const AddedToken* added = parts_.added.by_id(id);
  return added ? added->content : std::string(parts_.bpe.vocabulary().token(id));
}

std::optional<std::int32_t> Pipeline::id(std::string_view token) const {
  if (const AddedToken* added = parts_.added.by_content(token)) return added->id;
  return parts_.bpe.vocabulary().id(token);
}

bool Pipeline::is_special(std::int32_t id) const {
  const AddedToken* added = parts_.added.by_id(id);
  return added != nullptr && added->special;
}

bool Pipeline::adds_bos() const { return parts_.bos && !parts_.prefix.empty() && parts_.prefix.front() == *parts_.bos; }

}  // namespace nibble

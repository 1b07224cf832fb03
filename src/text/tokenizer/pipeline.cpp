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

namespace {

Result<void> check_chain(const char* what, std::size_t steps, double growth) {
  if (steps > PipelineLimits::steps)
    return error(Errc::unsupported, "its {} has {} steps; the limit is {}", what, steps, PipelineLimits::steps);
  if (growth > PipelineLimits::growth)
    return error(Errc::unsupported,
                 "its {} may make a text {:.3g} times as long; the limit is {}, which no published tokenizer reaches",
                 what, growth, PipelineLimits::growth);
  return {};
}

Result<void> check_added(const AddedTokens& added) {
  std::size_t bytes = 0;
  for (const AddedToken& token : added.tokens()) {
    bytes += token.content.size();
    if (token.content.size() > PipelineLimits::longest)
      return error(Errc::unsupported, "added token {} has {} bytes; the limit is {}", token.id, token.content.size(),
                   PipelineLimits::longest);
  }
  if (bytes > PipelineLimits::added)
    return error(Errc::unsupported, "its added tokens have {} bytes together; the limit is {}", bytes,
                 PipelineLimits::added);
  return {};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_pipeline(PipelineParts parts) {
  parts.pre_tokenizer.finish();
  NIBBLE_CHECK(check_chain("normalizer", parts.normalizer.steps(), parts.normalizer.growth()));
  NIBBLE_CHECK(check_chain("pre-tokenizer", parts.pre_tokenizer.steps().size(), parts.pre_tokenizer.growth()));
  NIBBLE_CHECK(check_chain("decoder", parts.decoder.steps().size(), parts.decoder.growth()));
  NIBBLE_CHECK(check_added(parts.added));
  parts.added.finish(parts.normalizer);
  return std::unique_ptr<Tokenizer>(std::make_unique<Pipeline>(std::move(parts)));
}

Pipeline::Pipeline(PipelineParts parts) : parts_(std::move(parts)) {}
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

std::optional<std::string> Pipeline::stored_text(std::int32_t id, bool skip_special) const {
  const AddedToken* added = parts_.added.by_id(id);
  if (added == nullptr && !parts_.bpe.vocabulary().has(id)) return {};
  if (added != nullptr && added->special && skip_special) return {};
  return std::string(added ? std::string_view(added->content) : parts_.bpe.vocabulary().token(id));
}

std::string Pipeline::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids)
    if (auto text = stored_text(id, skip_special)) tokens.push_back(std::move(*text));
  return parts_.decoder.decode(std::move(tokens));
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

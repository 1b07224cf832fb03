#include "text/tokenizer/bpe_json.hpp"

#include <algorithm>

namespace nibble {

Result<Vocabulary> read_vocabulary(JsonCursor& cursor) {
  Vocabulary vocabulary;
  NIBBLE_CHECK(cursor.object([&](std::string_view token) -> Result<void> {
    NIBBLE_TRY(const std::int64_t id, cursor.integer());
    return vocabulary.add(token, id);
  }));
  return vocabulary;
}

Result<Bpe::Merge> split_merge(std::string_view merge) {
  const std::size_t space = merge.find(' ', 1);
  if (space == std::string_view::npos || space + 1 == merge.size()) {
    return error(Errc::corrupt_file, "\"{}\" is not two tokens with a space between", merge);
  }
  return Bpe::Merge{merge.substr(0, space), merge.substr(space + 1)};
}

Result<MergeList> read_merges(JsonCursor& cursor) {
  MergeList merges;
  std::string storage;
  const auto kept = [&](std::string_view text) {
    return text.data() == storage.data() ? std::string_view(merges.texts.emplace_back(text)) : text;
  };
  NIBBLE_CHECK(cursor.array([&]() -> Result<void> {
    const auto unusable = [&] { return error(Errc::corrupt_file, "merge {} is not two tokens", merges.pairs.size()); };
    if (cursor.peek() == '"') {
      NIBBLE_TRY(const std::string_view text, cursor.string(storage));
      const auto pair = split_merge(kept(text));
      if (!pair) return pair.error().at(fmt::format("merge {}", merges.pairs.size()));
      merges.pairs.push_back(*pair);
      return {};
    }
    if (cursor.peek() != '[') return unusable();
    Bpe::Merge pair;
    int parts = 0;
    NIBBLE_CHECK(cursor.array([&]() -> Result<void> {
      if (cursor.peek() != '"' || parts == 2) return unusable();
      NIBBLE_TRY(const std::string_view text, cursor.string(storage));
      (parts++ == 0 ? pair.first : pair.second) = kept(text);
      return {};
    }));
    if (parts != 2) return unusable();
    merges.pairs.push_back(pair);
    return {};
  }));
  return merges;
}

Result<MergeList> read_merge_lines(std::string_view text) {
  MergeList merges;
  for (std::size_t begin = 0, line = 1; begin < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view merge = text.substr(begin, end - begin);
    begin = end + 1;
    if (!merge.empty() && merge.back() == '\r') merge.remove_suffix(1);
    if (merge.empty() || (line == 1 && merge.starts_with("#version"))) continue;
    const auto pair = split_merge(merge);
    if (!pair) return pair.error().at(fmt::format("line {}", line));
    merges.pairs.push_back(*pair);
  }
  return merges;
}

}  // namespace nibble

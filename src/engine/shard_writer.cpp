#include "engine/shard_writer.hpp"

namespace nibble {

namespace fs = std::filesystem;

Result<void> ShardWriter::add(const std::vector<SafetensorsWriter::Entry>& entries,
                              const std::vector<std::span<const std::byte>>& bytes,
                              const std::vector<Receipt::Tensor>& notes) {
  std::uint64_t size = 0;
  for (const auto& part : bytes) size += part.size();
  if (held_ > 0 && held_ + size > shard_bytes_) NIBBLE_CHECK(finish_shard());
  if (!spool_) {
    NIBBLE_TRY(spool_, AtomicFile::create(folder_ / "spool"));
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    NIBBLE_CHECK(spool_->write(bytes[i]));
    entries_.push_back(entries[i]);
    receipt_.tensors[entries[i].name] = notes[i];
    total_ += bytes[i].size();
  }
  held_ += size;
  return {};
}

Result<void> ShardWriter::finish() {
  if (held_ > 0) NIBBLE_CHECK(finish_shard());
  Json map = Json::object();
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const std::string name = shards_.size() == 1
                                 ? "model.safetensors"
                                 : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards_.size());
    std::error_code code;
    fs::rename(folder_ / fmt::format("shard-{}", i), folder_ / name, code);
    if (code) return error(Errc::io_failure, "{}: cannot rename: {}", (folder_ / name).string(), code.message());
    for (const std::string& tensor : shards_[i]) map[tensor] = name;
  }
  if (shards_.size() < 2) return {};
  const Json index = {{"metadata", {{"total_size", total_}}}, {"weight_map", map}};
  NIBBLE_TRY(AtomicFile file, AtomicFile::create(folder_ / "model.safetensors.index.json"));
  NIBBLE_CHECK(file.write(index.dump(2)));
  return file.commit();
}

Result<void> ShardWriter::finish_shard() {
  NIBBLE_CHECK(spool_->commit());
  spool_.reset();
  NIBBLE_TRY(SafetensorsWriter writer,
             SafetensorsWriter::create(folder_ / fmt::format("shard-{}", shards_.size()), entries_,
                                       {{"format", "pt"}, {std::string(Receipt::key), receipt_.text()}}));
  {
    NIBBLE_TRY(const auto spooled, MappedFile::open(folder_ / "spool"));
    NIBBLE_CHECK(writer.write(spooled->bytes()));
  }
  NIBBLE_CHECK(writer.commit());
  std::error_code ignored;
  fs::remove(folder_ / "spool", ignored);
  shards_.emplace_back();
  for (const auto& entry : entries_) shards_.back().push_back(entry.name);
  entries_.clear(), receipt_.tensors.clear(), held_ = 0;
  return {};
}

}  // namespace nibble

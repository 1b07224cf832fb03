// safetensors files of limited size, with a receipt in each. A shard's header can be written only when its tensors are
// known (a nested offset is part of it as text), so tensors are spooled to a file and copied behind the header.
#pragma once

#include "engine/receipt.hpp"
#include "io/safetensors.hpp"

namespace nibble {

class ShardWriter {
 public:
  ShardWriter(std::filesystem::path folder, std::uint64_t shard_bytes, Receipt receipt)
      : folder_(std::move(folder)), shard_bytes_(shard_bytes), receipt_(std::move(receipt)) {}

  // The tensors of one weight, which stay in one shard, and what the receipt says of each.
  Result<void> add(const std::vector<SafetensorsWriter::Entry>& entries,
                   const std::vector<std::span<const std::byte>>& bytes, const std::vector<Receipt::Tensor>& notes);
  // Names shards as transformers does and writes the index if there are several.
  Result<void> finish();

 private:
  Result<void> finish_shard();

  std::filesystem::path folder_;
  std::uint64_t shard_bytes_, held_ = 0, total_ = 0;
  Receipt receipt_;  // of the shard that is being written
  std::optional<AtomicFile> spool_;
  std::vector<SafetensorsWriter::Entry> entries_;
  std::vector<std::vector<std::string>> shards_;
};

}  // namespace nibble

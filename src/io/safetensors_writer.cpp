#include <algorithm>
#include <numeric>
#include <string>

#include "io/json.hpp"
#include "io/safetensors.hpp"

namespace nibble {

std::vector<std::size_t> stored_order(const std::vector<SafetensorsWriter::Entry>& entries) {
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int left = place_among_dtypes(entries[a].dtype), right = place_among_dtypes(entries[b].dtype);
    return left != right ? left > right : entries[a].name < entries[b].name;
  });
  return order;
}

std::uint64_t SafetensorsWriter::Entry::bytes() const {
  std::uint64_t bytes = size_of(dtype);
  for (const std::int64_t size : shape) bytes *= std::uint64_t(size);
  return bytes;
}

Result<std::string> SafetensorsWriter::head(const std::string& place, const std::vector<Entry>& entries,
                                            const std::map<std::string, std::string>& metadata, std::uint64_t room) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const Entry& entry : entries) {
    std::uint64_t bytes = size_of(entry.dtype);
    for (const std::int64_t size : entry.shape)
      if (size < 0 || __builtin_mul_overflow(bytes, std::uint64_t(size), &bytes))
        return error(Errc::internal, "{}: tensor \"{}\" has an impossible shape", place, entry.name);
    if (header.contains(entry.name))
      return error(Errc::internal, "{}: tensor \"{}\" is declared twice", place, entry.name);
    header[entry.name] = {
        {"dtype", name_of(entry.dtype)}, {"shape", entry.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const OrderedJson::exception&) {
    return error(Errc::corrupt_file, "{}: a tensor's name or the metadata is not UTF-8, which this format cannot store",
                 place);
  }
  std::uint64_t length = (text.size() + 7) / 8 * 8;  // data begins 8-byte aligned
  if (room > 8) length = std::max(length, room - 8);
  text.resize(length, ' ');
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

Result<SafetensorsWriter> SafetensorsWriter::create(const std::filesystem::path& path,
                                                    const std::vector<Entry>& entries,
                                                    const std::map<std::string, std::string>& metadata) {
  NIBBLE_TRY(const std::string head, SafetensorsWriter::head(path.string(), entries, metadata));
  NIBBLE_TRY(AtomicFile file, AtomicFile::create(path));
  NIBBLE_CHECK(file.write(head));
  SafetensorsWriter writer(std::move(file));
  for (const Entry& entry : entries) writer.expected_ += entry.bytes();
  return writer;
}

Result<void> SafetensorsWriter::write(std::span<const std::byte> bytes) {
  written_ += bytes.size();
  NIBBLE_ASSERT(written_ <= expected_, "no more bytes are written than declared");
  return file_.write(bytes);
}

Result<void> SafetensorsWriter::commit() {
  NIBBLE_ASSERT(written_ == expected_, "every declared byte is written before commit");
  return file_.commit();
}

}  // namespace nibble

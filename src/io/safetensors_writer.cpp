#include <string>

#include "io/json.hpp"
#include "io/safetensors.hpp"

namespace nibble {

Result<SafetensorsWriter> SafetensorsWriter::create(const std::filesystem::path& path, const std::vector<Entry>& entries, const std::map<std::string, std::string>& metadata) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const Entry& entry : entries) {
    std::uint64_t bytes = size_of(entry.dtype);
    for (const std::int64_t size : entry.shape) bytes *= std::uint64_t(size);
    if (header.contains(entry.name)) return error(Errc::internal, "{}: tensor \"{}\" is declared twice", path.string(), entry.name);
    header[entry.name] = {{"dtype", name_of(entry.dtype)}, {"shape", entry.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data begins 8-byte aligned
  NIBBLE_TRY(AtomicFile file, AtomicFile::create(path));
  const std::uint64_t length = text.size();
  NIBBLE_CHECK(file.write(std::as_bytes(std::span(&length, 1))));
  NIBBLE_CHECK(file.write(text));
  SafetensorsWriter writer(std::move(file));
  writer.expected_ = offset;
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

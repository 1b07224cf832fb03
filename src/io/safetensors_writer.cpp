#include <algorithm>
#include <numeric>
#include <string>

#include "io/json.hpp"
#include "io/safetensors.hpp"

namespace nibble {
namespace {

// Where the reference implementation's list of types, narrow to wide, has this one.
int rank(DType type) {
  switch (type) {
    case DType::boolean:
      return 0;
    case DType::u8:
      return 1;
    case DType::i8:
      return 2;
    case DType::i16:
      return 3;
    case DType::f16:
      return 4;
    case DType::bf16:
      return 5;
    case DType::i32:
      return 6;
    case DType::f32:
      return 7;
    case DType::f64:
      return 8;
    case DType::i64:
      return 9;
  }
  return -1;
}

}  // namespace

std::vector<std::size_t> stored_order(const std::vector<SafetensorsWriter::Entry>& entries) {
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int left = rank(entries[a].dtype), right = rank(entries[b].dtype);
    return left != right ? left > right : entries[a].name < entries[b].name;
  });
  return order;
}

Result<SafetensorsWriter> SafetensorsWriter::create(const std::filesystem::path& path,
                                                    const std::vector<Entry>& entries,
                                                    const std::map<std::string, std::string>& metadata) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const Entry& entry : entries) {
    std::uint64_t bytes = size_of(entry.dtype);
    for (const std::int64_t size : entry.shape)
      if (size < 0 || __builtin_mul_overflow(bytes, std::uint64_t(size), &bytes))
        return error(Errc::internal, "{}: tensor \"{}\" has an impossible shape", path.string(), entry.name);
    if (header.contains(entry.name))
      return error(Errc::internal, "{}: tensor \"{}\" is declared twice", path.string(), entry.name);
    header[entry.name] = {
        {"dtype", name_of(entry.dtype)}, {"shape", entry.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const OrderedJson::exception&) {
    return error(Errc::corrupt_file, "{}: a tensor's name or the metadata is not UTF-8, which this format cannot store",
                 path.string());
  }
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

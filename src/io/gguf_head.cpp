// Source: ggml's docs/gguf.md.
#include "io/gguf_head.hpp"

#include <cstring>
#include <set>

#include "io/gguf_value_type.hpp"

namespace nibble {
namespace {

constexpr std::uint64_t alignment = 32;  // what a file without "general.alignment" has

using namespace gguf_value_type;

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}
void put_text(std::string& out, std::string_view value) {
  put(out, std::uint64_t(value.size()));
  out += value;
}

void put_value(std::string& out, bool value) {
  put(out, boolean);
  put(out, std::uint8_t(value));
}
void put_value(std::string& out, std::uint32_t value) {
  put(out, u32);
  put(out, value);
}
void put_value(std::string& out, float value) {
  put(out, f32);
  put(out, value);
}
void put_value(std::string& out, const std::string& value) {
  put(out, text);
  put_text(out, value);
}
void put_value(std::string& out, const GgufRaw& value) {
  put(out, value.type);
  out.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}
void put_value(std::string& out, const std::vector<std::string>& values) {
  put(out, array);
  put(out, text);
  put(out, std::uint64_t(values.size()));
  for (const std::string& value : values) put_text(out, value);
}
template <class T>
void put_value(std::string& out, const std::vector<T>& values) {
  put(out, array);
  put(out, std::is_same_v<T, float> ? f32 : i32);
  put(out, std::uint64_t(values.size()));
  for (const T value : values) put(out, value);
}

void put_entry(std::string& out, const GgufEntry& entry) {
  put_text(out, entry.key);
  std::visit([&](const auto& value) { put_value(out, value); }, entry.value);
}
}  // namespace

std::uint64_t GgufTensorInfo::bytes() const {
  std::uint64_t elements = 1;
  for (const std::int64_t size : shape) elements *= std::uint64_t(size);
  return elements / type->block_elements * type->block_bytes;
}

std::uint64_t gguf_padding(std::uint64_t size) { return (alignment - size % alignment) % alignment; }

Result<std::string> gguf_head(const std::string& place, const std::vector<GgufEntry>& metadata,
                              const std::vector<GgufTensorInfo>& tensors) {
  std::set<std::string_view> names;
  for (const GgufEntry& entry : metadata)
    if (!names.insert(entry.key).second)
      return error(Errc::internal, "{}: key \"{}\" is declared twice", place, entry.key);
  std::string header = "GGUF";
  put(header, std::uint32_t(3));
  put(header, std::uint64_t(tensors.size()));
  put(header, std::uint64_t(metadata.size()));
  for (const GgufEntry& entry : metadata) put_entry(header, entry);
  names.clear();
  std::uint64_t offset = 0;
  for (const GgufTensorInfo& entry : tensors) {
    if (!names.insert(entry.name).second)
      return error(Errc::internal, "{}: tensor \"{}\" is declared twice", place, entry.name);
    if (entry.shape.empty() || entry.shape.back() % entry.type->block_elements != 0)
      return error(Errc::internal, "{}: tensor \"{}\": rows are not whole blocks of {}", place, entry.name,
                   entry.type->name);
    put_text(header, entry.name);
    put(header, std::uint32_t(entry.shape.size()));
    for (auto size = entry.shape.rbegin(); size != entry.shape.rend(); ++size) put(header, std::uint64_t(*size));
    put(header, entry.type->number);
    put(header, offset);
    offset += entry.bytes() + gguf_padding(entry.bytes());
  }
  header.resize(header.size() + gguf_padding(header.size()));
  return header;
}

}  // namespace nibble

// Source: ggml's docs/gguf.md.
#include "io/gguf_writer.hpp"

#include <cstring>
#include <set>

namespace nibble {
namespace {

constexpr std::uint64_t alignment = 32;  // what a file without "general.alignment" has

// Value types, as the file numbers them.
enum ValueType : std::uint32_t { u32 = 4, i32 = 5, f32 = 6, boolean = 7, text = 8, array = 9 };

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

void put_value(std::string& out, bool value) { put(out, boolean), put(out, std::uint8_t(value)); }
void put_value(std::string& out, std::uint32_t value) { put(out, u32), put(out, value); }
void put_value(std::string& out, float value) { put(out, f32), put(out, value); }
void put_value(std::string& out, const std::string& value) { put(out, text), put_text(out, value); }
void put_value(std::string& out, const GgufRaw& value) {
  put(out, value.type);
  out.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}
void put_value(std::string& out, const std::vector<std::string>& values) {
  put(out, array), put(out, text), put(out, std::uint64_t(values.size()));
  for (const std::string& value : values) put_text(out, value);
}
template <class T>
void put_value(std::string& out, const std::vector<T>& values) {
  put(out, array), put(out, std::is_same_v<T, float> ? f32 : i32), put(out, std::uint64_t(values.size()));
  for (const T value : values) put(out, value);
}

void put_entry(std::string& out, const GgufEntry& entry) {
  put_text(out, entry.key);
  std::visit([&](const auto& value) { put_value(out, value); }, entry.value);
}
std::string head(std::size_t keys, std::size_t tensors) {
  std::string out = "GGUF";
  put(out, std::uint32_t(3)), put(out, std::uint64_t(tensors)), put(out, std::uint64_t(keys));
  return out;
}

std::uint64_t padding(std::uint64_t size) { return (alignment - size % alignment) % alignment; }

}  // namespace

std::uint64_t GgufWriter::Entry::bytes() const {
  std::uint64_t elements = 1;
  for (const std::int64_t size : shape) elements *= std::uint64_t(size);
  return elements / type->block_elements * type->block_bytes;
}

Result<GgufWriter> GgufWriter::create(const std::filesystem::path& path, const std::vector<GgufEntry>& metadata,
                                      const std::vector<Entry>& tensors) {
  std::set<std::string_view> names;
  for (const GgufEntry& entry : metadata)
    if (!names.insert(entry.key).second)
      return error(Errc::internal, "{}: key \"{}\" is declared twice", path.string(), entry.key);
  std::string header = head(metadata.size(), tensors.size());
  std::vector<std::pair<std::string, std::uint64_t>> places;
  std::vector<std::uint64_t> lengths;
  for (const GgufEntry& entry : metadata) {
    put_entry(header, entry);
    if (const auto* value = std::get_if<std::string>(&entry.value))
      places.emplace_back(entry.key, header.size() - value->size()), lengths.push_back(value->size());
  }
  names.clear();
  std::vector<std::uint64_t> sizes;
  std::uint64_t offset = 0;
  for (const Entry& entry : tensors) {
    if (!names.insert(entry.name).second)
      return error(Errc::internal, "{}: tensor \"{}\" is declared twice", path.string(), entry.name);
    if (entry.shape.empty() || entry.shape.back() % entry.type->block_elements != 0)
      return error(Errc::internal, "{}: tensor \"{}\": rows are not whole blocks of {}", path.string(), entry.name,
                   entry.type->name);
    put_text(header, entry.name);
    put(header, std::uint32_t(entry.shape.size()));
    for (auto size = entry.shape.rbegin(); size != entry.shape.rend(); ++size) put(header, std::uint64_t(*size));
    put(header, entry.type->number), put(header, offset);
    sizes.push_back(entry.bytes());
    offset += sizes.back() + padding(sizes.back());
  }
  header.resize(header.size() + padding(header.size()));
  NIBBLE_TRY(AtomicFile file, AtomicFile::create(path));
  NIBBLE_CHECK(file.write(header));
  GgufWriter writer(std::move(file));
  writer.size_ = header.size() + offset;
  writer.sizes_ = std::move(sizes), writer.text_places_ = std::move(places), writer.text_sizes_ = std::move(lengths);
  return writer;
}

std::string GgufWriter::metadata_alone(const std::vector<GgufEntry>& metadata) {
  std::string out = head(metadata.size(), 0);
  for (const GgufEntry& entry : metadata) put_entry(out, entry);
  return out;
}

Result<void> GgufWriter::write(std::span<const std::byte> bytes) {
  NIBBLE_ASSERT(at_ < sizes_.size() && bytes.size() <= sizes_[at_] - written_,
                "no more bytes are written than the tensor has");
  NIBBLE_CHECK(file_.write(bytes));
  written_ += bytes.size();
  if (written_ < sizes_[at_]) return {};
  const std::string zeros(padding(sizes_[at_]), '\0');
  ++at_, written_ = 0;
  return file_.write(zeros);
}

Result<void> GgufWriter::replace_text(std::string_view key, std::string_view text) {
  for (std::size_t i = 0; i < text_places_.size(); ++i)
    if (text_places_[i].first == key) {
      NIBBLE_ASSERT(text_sizes_[i] == text.size(), "a text is replaced by one of the same length");
      return file_.write_at(text_places_[i].second, std::as_bytes(std::span(text.data(), text.size())));
    }
  NIBBLE_ASSERT(false, "only a declared text is replaced");
  return {};
}

Result<void> GgufWriter::commit() {
  NIBBLE_ASSERT(at_ == sizes_.size(), "every declared tensor is written before commit");
  return file_.commit();
}

}  // namespace nibble

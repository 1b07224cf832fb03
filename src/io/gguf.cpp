#include "io/gguf.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "io/gguf_value_type.hpp"

namespace nibble {
namespace {

constexpr std::uint64_t entry_limit = 1 << 20;  // metadata keys, tensors
// Elements of all arrays together: two million tokens with their scores, types and merges, more than twice the largest
// vocabulary. A value takes 40 bytes here and may take one in the file: a file of gigabytes would take tens of them.
constexpr std::uint64_t array_limit = 1 << 23;
constexpr std::size_t key_limit = 65535;  // of a key's name, by the format
constexpr std::uint64_t default_alignment = 32;
constexpr int array_depth_limit = 4;

using namespace gguf_value_type;

// Reads forward, never beyond the end.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, std::string_view place) : bytes_(bytes), place_(place) {}

  template <class T>
  Result<T> read(std::string_view what) {
    if (bytes_.size() - at_ < sizeof(T)) return cut_short(what);
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  Result<std::string> read_text(std::string_view what) {
    NIBBLE_TRY(const auto length, read<std::uint64_t>(what));
    if (length > bytes_.size() - at_) return cut_short(what);
    std::string value(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
    at_ += length;
    return value;
  }
  Error cut_short(std::string_view what) const {
    return error(Errc::corrupt_file, "{}: byte {}: the file ends inside {}; it is cut short, get it again", place_, at_,
                 what);
  }
  // False once the arrays of the file have more elements than any model's.
  bool count_elements(std::uint64_t count) {
    if (count > array_limit - elements_) return false;
    elements_ += count;
    return true;
  }
  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }
  std::string_view place() const { return place_; }

 private:
  std::span<const std::byte> bytes_;
  std::string_view place_;
  std::size_t at_ = 0;
  std::uint64_t elements_ = 0;
};

template <class T, class As>
Result<GgufValue> read_scalar(Cursor& cursor, std::string_view key) {
  NIBBLE_TRY(const T value, cursor.read<T>(key));
  return GgufValue{As(value)};
}

std::size_t smallest_size(std::uint32_t type) {
  switch (type) {
    case u8:
    case i8:
    case boolean:
      return 1;
    case u16:
    case i16:
      return 2;
    case u32:
    case i32:
    case f32:
      return 4;
    case array:
      return 12;
    default:
      return 8;
  }
}

Result<GgufValue> read_value(Cursor& cursor, std::uint32_t type, std::string_view key, int depth) {
  switch (type) {
    case u8:
      return read_scalar<std::uint8_t, std::uint64_t>(cursor, key);
    case i8:
      return read_scalar<std::int8_t, std::int64_t>(cursor, key);
    case u16:
      return read_scalar<std::uint16_t, std::uint64_t>(cursor, key);
    case i16:
      return read_scalar<std::int16_t, std::int64_t>(cursor, key);
    case u32:
      return read_scalar<std::uint32_t, std::uint64_t>(cursor, key);
    case i32:
      return read_scalar<std::int32_t, std::int64_t>(cursor, key);
    case u64:
      return read_scalar<std::uint64_t, std::uint64_t>(cursor, key);
    case i64:
      return read_scalar<std::int64_t, std::int64_t>(cursor, key);
    case f32:
      return read_scalar<float, double>(cursor, key);
    case f64:
      return read_scalar<double, double>(cursor, key);
    case boolean: {
      NIBBLE_TRY(const auto value, cursor.read<std::uint8_t>(key));
      return GgufValue{value != 0};
    }
    case text: {
      NIBBLE_TRY(std::string value, cursor.read_text(key));
      return GgufValue{std::move(value)};
    }
    case array: {
      if (depth == array_depth_limit)
        return error(Errc::corrupt_file, "{}: key \"{}\": arrays nest deeper than {}", cursor.place(), key,
                     array_depth_limit);
      NIBBLE_TRY(const auto element, cursor.read<std::uint32_t>(key));
      NIBBLE_TRY(const auto count, cursor.read<std::uint64_t>(key));
      if (element > f64)
        return error(Errc::corrupt_file, "{}: key \"{}\": unknown value type {}", cursor.place(), key, element);
      // Every element takes at least its smallest size, so a count beyond the file is refused before memory is taken.
      if (!cursor.count_elements(count))
        return error(Errc::corrupt_file, "{}: key \"{}\" claims {} elements; all arrays together may have {}",
                     cursor.place(), key, count, array_limit);
      if (count > cursor.left() / smallest_size(element)) return cursor.cut_short(key);
      GgufValue::Array values;
      values.reserve(count);
      for (std::uint64_t i = 0; i < count; ++i) {
        NIBBLE_TRY(GgufValue value, read_value(cursor, element, key, depth + 1));
        values.push_back(std::move(value));
      }
      return GgufValue{std::move(values)};
    }
    default:
      return error(Errc::corrupt_file, "{}: key \"{}\": unknown value type {}", cursor.place(), key, type);
  }
}

struct PlacedTensor {
  GgufTensor tensor;
  std::uint64_t offset = 0;
};

Result<PlacedTensor> read_tensor_info(Cursor& cursor) {
  PlacedTensor out;
  NIBBLE_TRY(out.tensor.name, cursor.read_text("a tensor's name"));
  NIBBLE_TRY(const auto rank, cursor.read<std::uint32_t>(out.tensor.name));
  if (rank < 1 || rank > 4)
    return error(Errc::corrupt_file, "{}: tensor \"{}\": {} dimensions, expected 1 to 4", cursor.place(),
                 out.tensor.name, rank);
  for (std::uint32_t i = 0; i < rank; ++i) {
    NIBBLE_TRY(const auto size, cursor.read<std::uint64_t>(out.tensor.name));
    if (size > std::uint64_t(1) << 40)
      return error(Errc::corrupt_file, "{}: tensor \"{}\": a dimension of {} is impossible", cursor.place(),
                   out.tensor.name, size);
    out.tensor.shape.insert(out.tensor.shape.begin(), std::int64_t(size));
  }
  NIBBLE_TRY(out.tensor.type, cursor.read<std::uint32_t>(out.tensor.name));
  NIBBLE_TRY(out.offset, cursor.read<std::uint64_t>(out.tensor.name));
  return out;
}

// Size in bytes from type and shape; rows must be whole blocks.
Result<std::uint64_t> tensor_bytes(const GgufTensor& tensor, std::string_view place) {
  const GgmlType* type = ggml_type(tensor.type);
  if (!type)
    return error(Errc::unsupported, "{}: tensor \"{}\": ggml type {} is not known", place, tensor.name, tensor.type);
  std::uint64_t elements = 1, bytes = 0;
  for (const std::int64_t size : tensor.shape)
    if (__builtin_mul_overflow(elements, std::uint64_t(size), &elements))
      return error(Errc::corrupt_file, "{}: tensor \"{}\": its shape is impossible", place, tensor.name);
  if (tensor.shape.back() % type->block_elements != 0)
    return error(Errc::corrupt_file, "{}: tensor \"{}\": rows of {} are not whole blocks of {} {}", place, tensor.name,
                 tensor.shape.back(), type->block_elements, type->name);
  if (__builtin_mul_overflow(elements / type->block_elements, std::uint64_t(type->block_bytes), &bytes))
    return error(Errc::corrupt_file, "{}: tensor \"{}\": its shape is impossible", place, tensor.name);
  return bytes;
}

struct Counts {
  std::uint64_t tensors = 0, keys = 0;
};

Result<Counts> read_head(Cursor& cursor, std::span<const std::byte> bytes) {
  const std::string_view place = cursor.place();
  if (bytes.size() < 4 || std::memcmp(bytes.data(), "GGUF", 4) != 0)
    return error(Errc::corrupt_file,
                 "{}: does not begin with \"GGUF\"; name a .gguf file or a folder in Hugging Face layout", place);
  NIBBLE_TRY([[maybe_unused]] const auto magic, cursor.read<std::uint32_t>("the header"));
  NIBBLE_TRY(const auto version, cursor.read<std::uint32_t>("the header"));
  if (version != 0 && version % 65536 == 0)
    return error(Errc::unsupported,
                 "{}: its version number reads {}, so it was written for big-endian machines; convert it to "
                 "little-endian first",
                 place, version);
  if (version != 2 && version != 3)
    return error(Errc::unsupported, "{}: GGUF version {}, Nibble reads 2 and 3; write it anew with a current converter",
                 place, version);
  Counts counts;
  NIBBLE_TRY(counts.tensors, cursor.read<std::uint64_t>("the header"));
  NIBBLE_TRY(counts.keys, cursor.read<std::uint64_t>("the header"));
  if (counts.tensors > entry_limit || counts.keys > entry_limit)
    return error(Errc::corrupt_file, "{}: claims {} tensors and {} keys, more than {}", place, counts.tensors,
                 counts.keys, entry_limit);
  return counts;
}

Result<std::string> read_key(Cursor& cursor, std::uint64_t number) {
  NIBBLE_TRY(std::string key, cursor.read_text("a metadata key"));
  if (key.size() > key_limit || std::any_of(key.begin(), key.end(), [](char c) { return c < ' ' || c > '~'; }))
    return error(Errc::corrupt_file,
                 "{}: byte {}: the name of metadata key {} is not ASCII text of at most {} bytes; take the file again",
                 cursor.place(), cursor.at(), number, key_limit);
  return key;
}

Result<std::uint64_t> read_alignment(const Gguf& file, std::string_view place) {
  if (!file.find("general.alignment")) return default_alignment;
  const auto read = file.integer("general.alignment");
  if (!read) return read.error().at(std::string(place));
  const std::int64_t value = *read;
  if (value < 1 || value > 1 << 20 || (value & (value - 1)) != 0)
    return error(Errc::corrupt_file, "{}: \"general.alignment\" is {}, expected a power of two", place, value);
  return std::uint64_t(value);
}

// Gives each tensor its bytes of the file, whose data begin there, and sees that no two share any.
Result<std::vector<GgufTensor>> place_tensors(std::vector<PlacedTensor> placed, std::span<const std::byte> bytes,
                                              std::uint64_t data_begin, std::uint64_t alignment,
                                              std::string_view place) {
  std::vector<GgufTensor> tensors;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> extents;
  std::set<std::string> names;
  for (PlacedTensor& entry : placed) {
    NIBBLE_TRY(const std::uint64_t size, tensor_bytes(entry.tensor, place));
    if (entry.offset % alignment != 0)
      return error(Errc::corrupt_file, "{}: tensor \"{}\": offset {} is not a multiple of {}", place, entry.tensor.name,
                   entry.offset, alignment);
    if (data_begin > bytes.size() || entry.offset > bytes.size() - data_begin ||
        size > bytes.size() - data_begin - entry.offset)
      return error(Errc::corrupt_file,
                   "{}: tensor \"{}\": needs {} bytes at {} of the data, the file ends before; it is cut short, "
                   "get it again",
                   place, entry.tensor.name, size, entry.offset);
    entry.tensor.bytes = bytes.subspan(data_begin + entry.offset, size);
    extents.emplace_back(entry.offset, entry.offset + size);
    if (!names.insert(entry.tensor.name).second)
      return error(Errc::corrupt_file, "{}: tensor \"{}\" is stored twice", place, entry.tensor.name);
    tensors.push_back(std::move(entry.tensor));
  }
  std::sort(extents.begin(), extents.end());
  for (std::size_t i = 1; i < extents.size(); ++i)
    if (extents[i].first < extents[i - 1].second)
      return error(Errc::corrupt_file, "{}: two tensors overlap at byte {} of the data; take the file again", place,
                   extents[i].first);
  return tensors;
}

}  // namespace

std::uint64_t GgufTensor::elements() const {
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) count *= std::uint64_t(size);
  return count;
}

Result<Gguf> Gguf::parse(std::span<const std::byte> bytes, std::string_view place) {
  Cursor cursor(bytes, place);
  NIBBLE_TRY(const Counts counts, read_head(cursor, bytes));
  Gguf file;
  file.file_bytes_ = bytes.size();
  for (std::uint64_t i = 0; i < counts.keys; ++i) {
    NIBBLE_TRY(std::string key, read_key(cursor, i));
    NIBBLE_TRY(const auto type, cursor.read<std::uint32_t>(key));
    const std::size_t begin = cursor.at();
    NIBBLE_TRY(GgufValue value, read_value(cursor, type, key, 0));
    file.raw_.push_back({type, bytes.subspan(begin, cursor.at() - begin)});
    if (!file.index_.emplace(key, file.metadata_.size()).second)
      return error(Errc::corrupt_file, "{}: key \"{}\" is stored twice", place, key);
    file.metadata_.emplace_back(std::move(key), std::move(value));
  }
  std::vector<PlacedTensor> placed;
  for (std::uint64_t i = 0; i < counts.tensors; ++i) {
    NIBBLE_TRY(PlacedTensor tensor, read_tensor_info(cursor));
    placed.push_back(std::move(tensor));
  }
  NIBBLE_TRY(const std::uint64_t alignment, read_alignment(file, place));
  const std::uint64_t data_begin = (cursor.at() + alignment - 1) / alignment * alignment;
  NIBBLE_TRY(file.tensors_, place_tensors(std::move(placed), bytes, data_begin, alignment, place));
  return file;
}

const GgufValue* Gguf::find(std::string_view key) const {
  const auto found = index_.find(std::string(key));
  return found == index_.end() ? nullptr : &metadata_[found->second].second;
}

Result<std::string> Gguf::text(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value)
    return error(Errc::corrupt_file, "metadata key \"{}\" is missing; take a file made by a current converter", key);
  if (const auto* text = std::get_if<std::string>(&value->value)) return *text;
  return error(Errc::corrupt_file, "metadata key \"{}\" is not text", key);
}

Result<std::int64_t> Gguf::integer(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value) return error(Errc::corrupt_file, "metadata key \"{}\" is missing", key);
  if (const auto* number = std::get_if<std::int64_t>(&value->value)) return *number;
  if (const auto* number = std::get_if<std::uint64_t>(&value->value); number && *number <= std::uint64_t(INT64_MAX))
    return std::int64_t(*number);
  return error(Errc::corrupt_file, "metadata key \"{}\" is not a whole number", key);
}

Result<double> Gguf::number(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value)
    if (const auto* number = std::get_if<double>(&value->value)) return *number;
  if (auto whole = integer(key)) return double(*whole);
  return error(Errc::corrupt_file, "metadata key \"{}\" is {}", key, value ? "not a number" : "missing");
}

}  // namespace nibble

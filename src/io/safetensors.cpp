#include "io/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "io/json.hpp"

namespace nibble {
namespace {

constexpr std::uint64_t header_limit = 100'000'000;  // as the reference implementation

struct Extent {
  std::uint64_t begin = 0, end = 0;
};

Result<Extent> read_offsets(const Json& entry, std::string_view place, const std::string& name,
                            std::uint64_t data_bytes) {
  const auto found = entry.find("data_offsets");
  if (found == entry.end() || !found->is_array() || found->size() != 2 || !(*found)[0].is_number_unsigned() ||
      !(*found)[1].is_number_unsigned())
    return error(Errc::corrupt_file, "{}: tensor \"{}\": \"data_offsets\" should be two whole numbers", place, name);
  const Extent extent{(*found)[0].get<std::uint64_t>(), (*found)[1].get<std::uint64_t>()};
  if (extent.begin > extent.end)
    return error(Errc::corrupt_file, "{}: tensor \"{}\": ends at byte {} before it begins at {}", place, name,
                 extent.end, extent.begin);
  if (extent.end > data_bytes)
    return error(Errc::corrupt_file,
                 "{}: tensor \"{}\": ends at byte {} of the data, the file holds {}; it is cut short, get it again",
                 place, name, extent.end, data_bytes);
  return extent;
}

Result<StoredTensor> read_entry(const Json& entry, std::string_view place, const std::string& name,
                                std::span<const std::byte> data, Extent& extent) {
  StoredTensor tensor;
  tensor.name = name;
  if (!entry.is_object()) return error(Errc::corrupt_file, "{}: tensor \"{}\": expected an object", place, name);
  const auto type = entry.find("dtype");
  if (type == entry.end() || !type->is_string())
    return error(Errc::corrupt_file, "{}: tensor \"{}\": \"dtype\" is missing", place, name);
  const auto dtype = dtype_named(type->get_ref<const std::string&>());
  if (!dtype) {
    std::string known;
    for (const DTypeFacts& facts : dtypes) known.append(known.empty() ? "" : " ").append(facts.name);
    return error(Errc::unsupported, "{}: tensor \"{}\": dtype {} is not one that Nibble reads ({}); convert it first",
                 place, name, shown(*type), known);
  }
  tensor.dtype = *dtype;
  const auto shape = entry.find("shape");
  if (shape == entry.end() || !shape->is_array())
    return error(Errc::corrupt_file, "{}: tensor \"{}\": \"shape\" should be a list", place, name);
  std::uint64_t bytes = size_of(*dtype);
  for (const Json& size : *shape) {
    if (!size.is_number_unsigned() || size > std::uint64_t(1) << 40 ||
        __builtin_mul_overflow(bytes, size.get<std::uint64_t>(), &bytes))
      return error(Errc::corrupt_file, "{}: tensor \"{}\": shape {} is impossible", place, name, shown(*shape));
    tensor.shape.push_back(size.get<std::int64_t>());
  }
  NIBBLE_TRY(extent, read_offsets(entry, place, name, data.size()));
  if (extent.end - extent.begin != bytes)
    return error(Errc::corrupt_file, "{}: tensor \"{}\": {} {} needs {} bytes, the header gives it {}", place, name,
                 name_of(*dtype), shown(*shape), bytes, extent.end - extent.begin);
  tensor.bytes = data.subspan(extent.begin, bytes);
  return tensor;
}

}  // namespace

std::uint64_t StoredTensor::elements() const { return bytes.size() / size_of(dtype); }

Result<Safetensors> Safetensors::open(const std::filesystem::path& path) {
  NIBBLE_TRY(auto mapped, MappedFile::open(path));
  NIBBLE_TRY(Safetensors file, parse(mapped->bytes(), path.string()));
  file.file_ = std::move(mapped);
  return file;
}

Result<Safetensors> Safetensors::parse(std::span<const std::byte> bytes, std::string_view place) {
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes)
    return error(Errc::corrupt_file, "{}: {} bytes, too short for a safetensors file; it is cut short, get it again",
                 place, bytes.size());
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > header_limit)
    return error(Errc::corrupt_file,
                 "{}: the header claims {} bytes, more than the {} it may have; this is not a safetensors file", place,
                 header_bytes, header_limit);
  if (header_bytes > bytes.size() - 8)
    return error(Errc::corrupt_file, "{}: the header claims {} bytes, the file holds {}; it is cut short, get it again",
                 place, header_bytes, bytes.size() - 8);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, header_bytes);
  NIBBLE_TRY(const Json header, parse_json(text, fmt::format("{}: header", place), RepeatedKeys::refuse));
  if (!header.is_object())
    return error(Errc::corrupt_file, "{}: the header is not a JSON object; this is not a safetensors file", place);

  Safetensors file;
  file.file_bytes_ = bytes.size();
  const auto data = bytes.subspan(8 + header_bytes);
  std::vector<std::pair<Extent, std::size_t>> order;
  std::vector<StoredTensor> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object())
        return error(Errc::corrupt_file, "{}: \"__metadata__\" should map names to text, it is {}", place,
                     entry.type_name());
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string())
          return error(Errc::corrupt_file, "{}: \"__metadata__\": \"{}\" should be text, it is {}", place, key,
                       value.type_name());
        file.metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    Extent extent;
    NIBBLE_TRY(StoredTensor tensor, read_entry(entry, place, name, data, extent));
    order.push_back({extent, tensors.size()});
    tensors.push_back(std::move(tensor));
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.first.begin != b.first.begin ? a.first.begin < b.first.begin : a.first.end < b.first.end;
  });
  std::uint64_t end = 0;
  for (const auto& [extent, index] : order) {
    if (extent.begin != end)
      return error(Errc::corrupt_file, "{}: tensor \"{}\" {} at byte {} of the data, expected {}", place,
                   tensors[index].name, extent.begin < end ? "overlaps another: it begins" : "leaves a hole: it begins",
                   extent.begin, end);
    end = extent.end;
    file.tensors_.push_back(std::move(tensors[index]));
  }
  if (end != data.size())
    return error(Errc::corrupt_file,
                 "{}: {} bytes follow the last tensor; header and data do not belong together, get it again", place,
                 data.size() - end);
  return file;
}

}  // namespace nibble

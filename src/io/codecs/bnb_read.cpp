#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/numeric.hpp"
#include "base/printable.hpp"
#include "formats/all.hpp"
#include "io/codecs/bnb.hpp"
#include "io/codecs/bnb_quant_state.hpp"

namespace nibble {
namespace {

constexpr std::size_t longest_state = 65536;

std::string_view without_weight(std::string_view name) {
  return name.ends_with(".weight") ? name.substr(0, name.size() - 7) : std::string_view();
}

// Reads the parts of one weight. Every getter checks the type and size that the other parts imply.
class Reader {
 public:
  Reader(const TensorLookup& find, std::string_view name, Allocator& allocator)
      : find_(find), name_(name), allocator_(allocator) {}

  Result<BnbWeight> four_bit(const StoredTensor& state) {
    if (state.dtype != DType::u8 || state.bytes.size() > longest_state)
      return error(Errc::corrupt_file, "{}: {} bytes of {}, expected at most {} bytes of U8", state.name,
                   state.bytes.size(), name_of(state.dtype), longest_state);
    auto parsed = parse_quant_state({reinterpret_cast<const char*>(state.bytes.data()), state.bytes.size()});
    if (!parsed) return parsed.error().at(printable(state.name));
    const BnbQuantState& facts = *parsed;
    if (!state.name.ends_with(facts.quant_type))
      return error(Errc::corrupt_file, "{}: says quant_type \"{}\", its name says otherwise", state.name,
                   facts.quant_type);

    Weight& weight = out_.weight;
    weight.format = table_format(facts.quant_type)->name;  // there is one: any other name was refused above
    weight.rows = facts.rows;
    weight.cols = facts.cols;
    weight.block_size = facts.block_size;
    out_.dtype = facts.dtype;
    const auto elements = std::uint64_t(weight.elements());
    NIBBLE_TRY(const StoredTensor* codes, part(""));
    constexpr DType holders[] = {DType::u8, DType::i8, DType::f16, DType::bf16, DType::f32, DType::f64};
    if (std::find(std::begin(holders), std::end(holders), codes->dtype) == std::end(holders))
      return error(Errc::unsupported, "{}: 4-bit codes under dtype {}; known are U8, I8, F16, BF16, F32, F64",
                   codes->name, name_of(codes->dtype));
    NIBBLE_CHECK(expect_bytes(*codes, (elements + 1) / 2, "4-bit codes"));
    weight.codes = codes->bytes.data();
    weight.code_bytes = codes->bytes.size();
    out_.storage = codes->dtype;
    NIBBLE_TRY(weight.table, floats(".quant_map", 16));
    NIBBLE_CHECK(check_table(weight));

    const std::uint64_t blocks = (elements + facts.block_size - 1) / facts.block_size;
    NIBBLE_CHECK(facts.nested ? nested_scales(*facts.nested, blocks) : plain_scales(blocks));
    return std::move(out_);
  }

  Result<BnbWeight> eight_bit(const StoredTensor& codes, const StoredTensor& absmax) {
    const std::string module(without_weight(name_));
    if (codes.dtype != DType::i8 || codes.shape.size() != 2)
      return error(Errc::corrupt_file, "{}: {} of rank {}, expected an I8 matrix, because {} stands beside it",
                   codes.name, name_of(codes.dtype), codes.shape.size(), absmax.name);
    if (const StoredTensor* layout = find_(module + ".weight_format")) {
      if (layout->dtype != DType::u8 || layout->bytes.size() != 1)
        return error(Errc::corrupt_file, "{}: {} bytes of {}, expected one U8", layout->name, layout->bytes.size(),
                     name_of(layout->dtype));
      if (layout->bytes[0] != std::byte(0))
        return error(
            Errc::unsupported,
            "{}: layout {} is a tiled layout of bitsandbytes before 0.45; save the checkpoint again with a newer one",
            layout->name, int(layout->bytes[0]));
    }
    Weight& weight = out_.weight;
    weight.format = Int8::name;
    weight.rows = codes.shape[0];
    weight.cols = codes.shape[1];
    weight.codes = codes.bytes.data();
    weight.code_bytes = codes.bytes.size();
    NIBBLE_TRY(weight.scales, floats_of(absmax, std::uint64_t(weight.rows)));
    NIBBLE_CHECK(check_scales(absmax.name, weight.scales));
    out_.storage = DType::i8;
    return std::move(out_);
  }

 private:
  Result<const StoredTensor*> part(std::string_view suffix) {
    const std::string full = std::string(name_) + std::string(suffix);
    if (const StoredTensor* tensor = find_(full)) return tensor;
    return error(Errc::corrupt_file, "{}: missing; a 4-bit weight needs it (is a shard missing?)", full);
  }

  static Result<void> expect_bytes(const StoredTensor& tensor, std::uint64_t bytes, std::string_view what) {
    if (tensor.bytes.size() == bytes) return {};
    return error(Errc::corrupt_file, "{}: {} bytes of {}, expected {}", tensor.name, tensor.bytes.size(), what, bytes);
  }

  Result<std::span<const float>> floats(std::string_view suffix, std::uint64_t count) {
    NIBBLE_TRY(const StoredTensor* tensor, part(suffix));
    return floats_of(*tensor, count);
  }

  Result<std::span<const float>> floats_of(const StoredTensor& tensor, std::uint64_t count) {
    if (tensor.dtype != DType::f32 || tensor.bytes.size() != count * sizeof(float))
      return error(Errc::corrupt_file, "{}: {} bytes of {}, expected {} values of F32", tensor.name,
                   tensor.bytes.size(), name_of(tensor.dtype), count);
    if (reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % alignof(float) == 0)
      return std::span(reinterpret_cast<const float*>(tensor.bytes.data()), count);
    NIBBLE_TRY(float* copy, room(count));
    if (copy) std::memcpy(copy, tensor.bytes.data(), tensor.bytes.size());
    return std::span<const float>(copy, count);
  }

  Result<float*> room(std::uint64_t count) {
    NIBBLE_TRY(Buffer buffer, Buffer::take(allocator_, count * sizeof(float), Purpose::scales));
    return out_.copies.emplace_back(std::move(buffer)).as<float>();
  }

  Result<void> check_table(const Weight& weight) {
    const std::span<const float> table = weight.table;
    const std::span<const float> own = table_of(weight.format);
    const bool sorted = std::is_sorted(own.begin(), own.end());
    for (std::size_t i = 0; table.data() && i < table.size(); ++i)
      if (!(std::fabs(table[i]) <= 1) || (sorted && i > 0 && !(table[i - 1] < table[i])))
        return error(Errc::corrupt_file, "{}.quant_map: value {} is {}; a table of {} holds numbers from -1 to 1{}",
                     name_, i, table[i], weight.format, sorted ? " in ascending order" : "");
    return {};
  }

  Result<void> check_scales(std::string_view name, std::span<const float> scales) const {
    if (allocator_.counts_only()) return {};  // sizes are asked for: scales of gigabytes of weights stay unread
    for (std::size_t i = 0; scales.data() && i < scales.size(); ++i)
      if (!(scales[i] >= 0 && std::isfinite(scales[i])))
        return error(Errc::corrupt_file, "{}: scale {} is {}; an absolute maximum is finite and not negative", name, i,
                     scales[i]);
    return {};
  }

  Result<void> plain_scales(std::uint64_t blocks) {
    NIBBLE_TRY(const StoredTensor* absmax, part(".absmax"));
    NIBBLE_TRY(out_.weight.scales,
               absmax->dtype == DType::bf16 ? repacked_scales(*absmax, blocks) : floats_of(*absmax, blocks));
    return check_scales(absmax->name, out_.weight.scales);
  }

  // bitsandbytes on a CPU with AVX512-BF16 repacks a model that has run, and saves scales as (columns / block, rows) in
  // bf16.
  Result<std::span<const float>> repacked_scales(const StoredTensor& absmax, std::uint64_t blocks) {
    const Weight& weight = out_.weight;
    const std::int64_t per_row = weight.cols / weight.block_size;
    if (weight.cols % weight.block_size != 0 || absmax.shape != std::vector<std::int64_t>{per_row, weight.rows} ||
        absmax.bytes.size() != blocks * 2)
      return error(Errc::corrupt_file, "{}: scales in BF16, expected {} values of F32", absmax.name, blocks);
    NIBBLE_TRY(float* scales, room(blocks));
    for (std::int64_t k = 0; scales && k < per_row; ++k)
      for (std::int64_t row = 0; row < weight.rows; ++row) {
        std::uint16_t bits;
        std::memcpy(&bits, absmax.bytes.data() + 2 * (k * weight.rows + row), sizeof bits);
        scales[row * per_row + k] = bf16_to_float(bits);
      }
    return std::span<const float>(scales, blocks);
  }

  Result<void> nested_scales(const BnbQuantState::Nested& facts, std::uint64_t blocks) {
    NestedScales& nested = out_.weight.nested;
    NIBBLE_TRY(const StoredTensor* codes, part(".absmax"));
    if (codes->dtype != DType::u8)
      return error(Errc::corrupt_file, "{}: nested scales are {}, expected U8", codes->name, name_of(codes->dtype));
    NIBBLE_CHECK(expect_bytes(*codes, blocks, "nested scales"));
    nested.codes = {reinterpret_cast<const std::uint8_t*>(codes->bytes.data()), codes->bytes.size()};
    nested.block = facts.block;
    NIBBLE_TRY(nested.absmax, floats(".nested_absmax", (blocks + facts.block - 1) / facts.block));
    NIBBLE_CHECK(check_scales(std::string(name_) + ".nested_absmax", nested.absmax));
    NIBBLE_TRY(nested.map, floats(".nested_quant_map", 256));
    for (std::size_t i = 0; nested.map.data() && i < nested.map.size(); ++i)
      if (!(std::fabs(nested.map[i]) <= 1) || (i > 0 && !(nested.map[i - 1] < nested.map[i])))
        return error(Errc::corrupt_file,
                     "{}.nested_quant_map: value {} is {}; the map holds numbers from -1 to 1 in ascending order",
                     name_, i, nested.map[i]);
    nested.offset = float(facts.offset);
    return {};
  }

  const TensorLookup& find_;
  std::string_view name_;
  Allocator& allocator_;
  BnbWeight out_;
};

// The state tensor of a 4-bit weight, under whichever of its names.
const StoredTensor* find_state(const TensorLookup& find, std::string_view name) {
  for (const FormatFacts& format : precisions())
    if (format.kind == FormatKind::table)
      if (const StoredTensor* state = find(std::string(name) + state_suffix(format))) return state;
  return nullptr;
}

}  // namespace

bool is_bnb_weight(const TensorLookup& find, std::string_view name) {
  const std::string_view module = without_weight(name);
  if (module.empty()) return false;
  return find_state(find, name) || find(std::string(name) + ".absmax") || find(std::string(module) + ".SCB");
}

std::string bnb_companion_of(std::string_view name) {
  for (const std::string_view suffix : {".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"})
    if (name.ends_with(suffix) && name.substr(0, name.size() - suffix.size()).ends_with(".weight"))
      return std::string(name.substr(0, name.size() - suffix.size()));
  for (const std::string_view prefix : state_prefixes)
    if (const auto at = name.find(prefix); at != std::string_view::npos) return std::string(name.substr(0, at));
  for (const std::string_view suffix : {".SCB", ".weight_format"})
    if (name.ends_with(suffix)) return std::string(name.substr(0, name.size() - suffix.size())) + ".weight";
  return {};
}

Result<BnbWeight> read_bnb_weight(const TensorLookup& find, std::string_view name, Allocator& allocator) {
  const StoredTensor* weight = find(name);
  if (!weight) return error(Errc::not_found, "{}: not in the checkpoint", name);
  Reader reader(find, name, allocator);
  if (const StoredTensor* state = find_state(find, name)) return reader.four_bit(*state);
  if (const StoredTensor* absmax = find(std::string(without_weight(name)) + ".SCB"))
    return reader.eight_bit(*weight, *absmax);
  const std::vector<FormatFacts> tables = precisions({FormatKind::table});
  return error(Errc::corrupt_file,
               "{}: has neither {}{} (or {}) nor {}.SCB beside it, so its codes cannot be read (is a shard missing?)",
               name, name, state_suffix(tables.front()), names_of(std::span(tables).subspan(1)), without_weight(name));
}

}  // namespace nibble

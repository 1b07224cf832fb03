#include <algorithm>
#include <cstring>

#include "formats/all.hpp"
#include "io/codecs/bnb.hpp"
#include "io/codecs/bnb_quant_state.hpp"

namespace nibble {
namespace {

template <class T>
std::span<const std::byte> bytes_of(std::span<const T> values) {
  return std::as_bytes(values);
}

void add(BnbTensors& out, std::string name, DType dtype, std::vector<std::int64_t> shape,
         std::span<const std::byte> bytes) {
  out.entries.push_back({std::move(name), dtype, std::move(shape)});
  out.bytes.push_back(bytes);
}

std::span<const std::byte> keep(BnbTensors& out, std::string_view text) {
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return out.made.emplace_back(first, first + text.size());
}

Result<BnbTensors> four_bit(const std::string& name, const Weight& weight, DType dtype, DType storage) {
  if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16)
    return error(Errc::bad_request, "{}: a 4-bit weight decodes to F32, F16 or BF16, not to {}", name, name_of(dtype));
  if (!has_own_table(weight))
    return error(Errc::unsupported,
                 "{}: its table is not the one of {}, with which bitsandbytes would decode it; quantize the decoded "
                 "values again, or write them in 16 bits",
                 name, weight.format);
  if (weight.code_bytes % size_of(storage) != 0)
    return error(Errc::unsupported, "{}: {} bytes of codes are not whole elements of {}; store them as U8", name,
                 weight.code_bytes, name_of(storage));
  BnbTensors out;
  const FormatFacts format = format_facts(weight.format);
  BnbQuantState state{std::string(quant_type_of(format)), weight.block_size, dtype, weight.rows, weight.cols, {}};
  const auto count = [](const auto& span) { return std::vector<std::int64_t>{std::int64_t(span.size())}; };
  add(out, name, storage, {std::int64_t(weight.code_bytes / size_of(storage)), 1}, {weight.codes, weight.code_bytes});
  const NestedScales& nested = weight.nested;
  if (nested.empty()) {
    add(out, name + ".absmax", DType::f32, count(weight.scales), bytes_of(weight.scales));
  } else {
    state.nested = {nested.block, double(nested.offset)};
    add(out, name + ".absmax", DType::u8, count(nested.codes), bytes_of(nested.codes));
    add(out, name + ".nested_absmax", DType::f32, count(nested.absmax), bytes_of(nested.absmax));
    add(out, name + ".nested_quant_map", DType::f32, count(nested.map), bytes_of(nested.map));
  }
  add(out, name + ".quant_map", DType::f32, count(weight.table), bytes_of(weight.table));
  const std::string json = print_quant_state(state);
  add(out, name + state_suffix(format), DType::u8, {std::int64_t(json.size())}, keep(out, json));
  return out;
}

}  // namespace

bool has_own_table(const Weight& weight) {
  const std::span<const float> table = table_of(weight.format);
  return !table.empty() && std::equal(table.begin(), table.end(), weight.table.begin(), weight.table.end());
}

Result<BnbTensors> write_bnb_weight(std::string_view name, const Weight& weight, DType dtype, DType storage) {
  const FormatKind kind = format_facts(weight.format).kind;
  if (kind == FormatKind::table) return four_bit(std::string(name), weight, dtype, storage);
  if (kind != FormatKind::row)
    return error(Errc::bad_request, "{}: {} has no layout in several tensors; {} have", name, weight.format,
                 names_of(precisions({FormatKind::row, FormatKind::table}), " and "));
  if (!name.ends_with(".weight"))
    return error(Errc::bad_request,
                 "{}: an int8 tensor must be named \"....weight\", because its scales are named after the module",
                 name);
  const std::string module(name.substr(0, name.size() - 7));
  BnbTensors out;
  add(out, module + ".SCB", DType::f32, {weight.rows}, bytes_of(weight.scales));
  add(out, std::string(name), DType::i8, {weight.rows, weight.cols}, {weight.codes, weight.code_bytes});
  add(out, module + ".weight_format", DType::u8, {}, keep(out, std::string_view("\0", 1)));
  return out;
}

}  // namespace nibble

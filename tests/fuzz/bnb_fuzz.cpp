// bitsandbytes' layout. The first byte says what the rest is: a quantization state ('0'), config.json's
// quantization_config ('1'), or a safetensors file of whole quantized weights ('2').
#include "../made/made_files.hpp"
#include "fuzz.hpp"
#include "io/codecs/bnb.hpp"
#include "io/codecs/bnb_config.hpp"
#include "io/codecs/bnb_quant_state.hpp"
#include "ops/dequantize.hpp"

namespace {

using namespace nibble;

bool read_state(std::string_view text) {
  const auto state = parse_quant_state(text);
  if (!state) return false;
  const std::string printed = print_quant_state(*state);
  const auto again = parse_quant_state(printed);
  fuzz_expect(again && print_quant_state(*again) == printed, "a printed state reads back as it was");
  return true;
}

bool read_config(std::string_view text) {
  const auto json = parse_json(text, "fuzz");
  if (!json) return false;
  const auto config = parse_bnb_config(*json);
  if (!config) return false;
  const auto again = parse_bnb_config(to_json(*config));
  fuzz_expect(again && to_json(*again) == to_json(*config), "a printed config reads back as it was");
  return true;
}

bool read_weights(std::string_view bytes) {
  const auto file = Safetensors::parse(std::as_bytes(std::span(bytes)), "fuzz");
  if (!file) return false;
  const TensorLookup find = [&](std::string_view name) -> const StoredTensor* {
    for (const StoredTensor& tensor : file->tensors())
      if (tensor.name == name) return &tensor;
    return nullptr;
  };
  bool read = false;
  for (const StoredTensor& tensor : file->tensors()) {
    (void)bnb_companion_of(tensor.name);
    if (!is_bnb_weight(find, tensor.name)) continue;
    HostAllocator memory;
    const auto weight = read_bnb_weight(find, tensor.name, memory);
    CountingAllocator counting;
    const auto counted = read_bnb_weight(find, tensor.name, counting);
    fuzz_expect(counted.has_value() || !weight.has_value(), "what is read can be counted");
    if (!weight) continue;
    read = true;
    // An accepted weight decodes from its first element to its last.
    const std::int64_t elements = weight->weight.elements();
    std::vector<float> values(std::size_t(elements), 0.0f);
    if (elements > 0) reader_of(weight->weight)(0, elements, values.data());
    const auto written = write_bnb_weight(tensor.name, weight->weight, weight->dtype, weight->storage);
    const bool writable = weight->weight.table.empty() || has_own_table(weight->weight);
    fuzz_expect(written.has_value() == writable, "an accepted weight can be written, unless its table is another's");
  }
  return read;
}

// The file that bitsandbytes would have written for a matrix of these sizes.
std::string file_of(std::string_view format, std::int64_t rows, std::int64_t cols, bool nested) {
  static HostAllocator memory;
  static ThreadPool pool(1);
  auto made = allocate_quantized(memory, {format, 64, nested}, rows, cols, Purpose::workspace, Purpose::workspace);
  (void)quantize(
      [](std::int64_t first, std::int64_t count, float* out) {
        for (std::int64_t i = 0; i < count; ++i) out[i] = float((first + i) * 37 % 101 - 50) / 64;
      },
      *made, pool);
  const auto tensors = write_bnb_weight("w.weight", made->weight, DType::bf16);
  made::Json header;
  std::string data;
  for (std::size_t i = 0; i < tensors->entries.size(); ++i) {
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensors->bytes[i].data()), tensors->bytes[i].size());
    header[tensors->entries[i].name] = {{"dtype", name_of(tensors->entries[i].dtype)},
                                        {"shape", tensors->entries[i].shape},
                                        {"data_offsets", {begin, data.size()}}};
  }
  return made::safetensors(header.dump(), data);
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  if (bytes.empty()) return false;
  const std::string_view rest = bytes.substr(1);
  return bytes[0] == '0' ? read_state(rest) : bytes[0] == '1' ? read_config(rest) : read_weights(rest);
}

std::vector<std::string> fuzz_seeds() {
  return {
      R"(0{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [2, 3]})",
      R"(0{"quant_type": "fp4", "blocksize": 4096, "dtype": "float16", "shape": [11, 64], "nested_blocksize": 256, )"
      R"("nested_dtype": "float32", "nested_offset": 0.05187632888555527})",
      R"(1{"quant_method":"bitsandbytes","load_in_4bit":true,"load_in_8bit":false,"bnb_4bit_quant_type":"nf4",)"
      R"("bnb_4bit_use_double_quant":true,"bnb_4bit_compute_dtype":"torch.bfloat16","bnb_4bit_quant_storage":"uint8"})",
      R"(1{"load_in_8bit":true,"llm_int8_threshold":6.0,"llm_int8_skip_modules":["lm_head"],)"
      R"("llm_int8_enable_fp32_cpu_offload":false,"llm_int8_has_fp16_weight":false})",
      "2" + file_of("nf4", 3, 43, false),
      "2" + file_of("nf4", 5, 64, true),
      "2" + file_of("fp4", 2, 96, false),
      "2" + file_of("int8", 4, 6, false)};
}

std::vector<std::string> fuzz_words() {
  return {"\"quant_type\":",
          "\"blocksize\":",
          "\"shape\":[",
          "\"nested_offset\":",
          "\"nested_blocksize\":256",
          "\"nested_dtype\":\"float32\"",
          "\"dtype\":",
          "4096",
          "[1, 1099511627776]",
          "1e308",
          "-1",
          "null",
          "\"llm_int8_threshold\":",
          "\"load_in_4bit\":true",
          ".absmax",
          ".quant_map",
          ".nested_absmax",
          "BF16",
          "F64",
          "U8",
          "I8",
          std::string("\x00\x00\x80\x7f", 4),
          std::string("\x00\x00\xc0\x7f", 4)};
}

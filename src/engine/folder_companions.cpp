#include "engine/folder_companions.hpp"

#include "base/utf8.hpp"
#include "engine/placement.hpp"
#include "io/codecs/bnb_config.hpp"
#include "io/codecs/bnb_quant_state.hpp"
#include "io/folder.hpp"
#include "models/gguf_config.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"

namespace nibble {

namespace fs = std::filesystem;

Result<void> write_whole(const fs::path& path, std::span<const std::byte> bytes) {
  NIBBLE_TRY(AtomicFile file, AtomicFile::create(path));
  NIBBLE_CHECK(file.write(bytes));
  return file.commit();
}

Result<Json> folder_config(const Checkpoint& checkpoint, const ModelConfig& config, const QuantizationConfig& precision,
                           const std::vector<std::string>& skipped, DType storage) {
  Json out = checkpoint.config();
  if (checkpoint.is_gguf()) {
    NIBBLE_TRY(out, config_json_of_gguf(checkpoint, config));
  }
  out.erase("quantization_config");
  if (precision.quantized()) {
    BnbConfig bnb;
    const FormatFacts& format = facts_of(precision.format);
    bnb.bits = precision.four_bits() ? 4 : 8;
    if (precision.four_bits()) bnb.quant_type = std::string(quant_type_of(format));
    bnb.own = format.bitsandbytes.empty();
    bnb.double_quant = precision.double_quant;
    bnb.compute_dtype = compute_dtype_of(precision);
    bnb.threshold = precision.int8_threshold;
    bnb.quant_storage = storage;
    if (!skipped.empty()) bnb.skip_modules = skipped;
    out["quantization_config"] = to_json(bnb);
  } else {
    out.erase("torch_dtype");
    out["dtype"] = precision.format == Precision::fp32   ? "float32"
                   : precision.format == Precision::fp16 ? "float16"
                                                         : "bfloat16";
  }
  return out;
}

Result<void> write_companions(const Checkpoint& checkpoint, const fs::path& to) {
  const fs::path& from = checkpoint.path();
  const auto write_text = [&](const char* name, const std::string& text) {
    return write_whole(to / name, std::as_bytes(std::span(text.data(), text.size())));
  };
  if (checkpoint.is_gguf()) {
    if (!checkpoint.gguf()->find("tokenizer.ggml.model")) return {};  // a file of weights alone
    if (!is_valid_utf8(checkpoint.chat_template()))
      return error(Errc::corrupt_file, "{}: \"tokenizer.chat_template\" is not UTF-8, so no folder can hold it",
                   from.string());
    auto files = tokenizer_from_gguf(*checkpoint.gguf());
    if (!files) return files.error().at(from.string());
    if (!checkpoint.chat_template().empty()) files->config["chat_template"] = checkpoint.chat_template();
    NIBBLE_CHECK(write_text("tokenizer.json", files->tokenizer));
    return write_text("tokenizer_config.json", files->config.dump(2) + "\n");
  }
  NIBBLE_TRY(const std::vector<std::string> names, names_in_folder(from));
  for (const std::string& name : names) {
    const std::string extension = fs::path(name).extension();
    std::error_code ignored;
    if (!fs::is_regular_file(from / name, ignored) || extension == ".safetensors" || extension == ".bin" ||
        extension == ".pth" || extension == ".pt" || extension == ".gguf")
      continue;
    if (name == "config.json" || name == "model.safetensors.index.json" || name[0] == '.') continue;
    NIBBLE_TRY(const auto source, MappedFile::open(from / name));
    NIBBLE_CHECK(write_whole(to / name, source->bytes()));
  }
  return {};
}

}  // namespace nibble

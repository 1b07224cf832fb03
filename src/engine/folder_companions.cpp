#include "engine/folder_companions.hpp"

#include <algorithm>
#include <cctype>

#include "base/digest.hpp"
#include "base/utf8.hpp"
#include "engine/placement.hpp"
#include "io/codecs/bnb_config.hpp"
#include "io/codecs/bnb_quant_state.hpp"
#include "io/folder.hpp"
#include "models/gguf_config.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"

namespace nibble {

namespace fs = std::filesystem;

namespace {

bool is_paper(const std::string& name) {
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return char(std::toupper(c)); });
  return upper.ends_with(".MD") || upper.starts_with("LICENSE") || upper.starts_with("LICENCE") ||
         upper.starts_with("NOTICE");
}

// Weights, and what says where they lie: the copy has its own.
bool is_of_weights(const std::string& name) {
  const std::string extension = fs::path(name).extension();
  return extension == ".safetensors" || extension == ".bin" || extension == ".pth" || extension == ".pt" ||
         extension == ".gguf" || name == "config.json" || name.ends_with(".index.json");
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

// A snapshot of the hub's cache is links to blobs of the same model, two folders up.
Result<void> check_inside(const fs::path& file, const fs::path& folder) {
  std::error_code code;
  if (!fs::is_symlink(file, code)) return {};
  const fs::path real = fs::canonical(file, code), home = fs::canonical(folder, code);
  const bool snapshot = home.parent_path().filename() == "snapshots";
  if (!code && (lies_in(real, home) || (snapshot && lies_in(real, home.parent_path().parent_path() / "blobs"))))
    return {};
  return error(Errc::bad_request,
               "{}: is a link that leads out of the model's folder, to {}; a copy would make that file public. Put the "
               "file itself there, or remove the link",
               file.string(), real.string());
}

Result<std::vector<Companion>> copied_companions(const fs::path& from, std::vector<std::string>& left) {
  std::vector<Companion> out;
  NIBBLE_TRY(std::vector<std::string> names, names_in_folder(from));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    std::error_code ignored;
    if (name[0] == '.' || is_of_weights(name) || !fs::is_regular_file(from / name, ignored)) continue;
    Companion companion{.name = name, .decides = decides_beside_weights(name)};
    if (!companion.decides && !is_paper(name)) {
      left.push_back(name);
      continue;
    }
    NIBBLE_CHECK(check_inside(from / name, from));
    companion.most = fs::status(from / name, ignored).permissions();
    NIBBLE_TRY(companion.copied, MappedFile::open(from / name));
    out.push_back(std::move(companion));
  }
  return out;
}

Result<std::vector<Companion>> made_companions(const Checkpoint& checkpoint) {
  std::vector<Companion> out;
  if (!checkpoint.gguf()->find("tokenizer.ggml.model")) return out;  // a file of weights alone
  if (!is_valid_utf8(checkpoint.chat_template()))
    return error(Errc::corrupt_file, "{}: \"tokenizer.chat_template\" is not UTF-8, so no folder can hold it",
                 checkpoint.path().string());
  auto files = tokenizer_from_gguf(*checkpoint.gguf());
  if (!files) return files.error().at(checkpoint.path().string());
  if (!checkpoint.chat_template().empty()) files->config["chat_template"] = checkpoint.chat_template();
  out.push_back({.name = "tokenizer.json", .text = std::move(files->tokenizer)});
  out.push_back({.name = "tokenizer_config.json", .text = files->config.dump(2) + "\n"});
  return out;
}

}  // namespace

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

bool decides_beside_weights(std::string_view name) {
  if (name == "config.json" || name.ends_with(".index.json")) return false;  // written anew
  const std::string extension = fs::path(name).extension();
  return extension == ".json" || extension == ".jinja" || extension == ".model" || extension == ".tiktoken" ||
         name == "merges.txt" || name == "vocab.txt";
}

std::span<const std::byte> Companion::bytes() const {
  return copied ? copied->bytes() : std::as_bytes(std::span(text.data(), text.size()));
}

Result<std::vector<Companion>> companions_of(const Checkpoint& checkpoint, std::vector<std::string>& left) {
  auto out = checkpoint.is_gguf() ? made_companions(checkpoint) : copied_companions(checkpoint.path(), left);
  if (out)
    for (Companion& companion : *out) companion.sha256 = sha256(companion.bytes());
  return out;
}

Result<void> write_companions(const std::vector<Companion>& companions, const fs::path& to) {
  for (const Companion& companion : companions) {
    if (sha256(companion.bytes()) != companion.sha256)
      return error(Errc::io_failure, "{}: has changed while the copy was made", companion.copied->path().string());
    NIBBLE_CHECK(write_whole(to / companion.name, companion.bytes()));
    std::error_code ignored;
    fs::permissions(to / companion.name, fs::status(to / companion.name, ignored).permissions() & companion.most,
                    ignored);
  }
  return {};
}

}  // namespace nibble

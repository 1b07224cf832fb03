#include "engine/folder_companions.hpp"

#include <algorithm>
#include <cmath>

#include "engine/placement.hpp"
#include "io/codecs/bnb_config.hpp"
#include "io/codecs/bnb_quant_state.hpp"
#include "io/folder.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"
#include "text/tokenizer/utf8.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

// The "llama3" scaling whose frequencies, divided, are those that a GGUF file lists. Between its two plateaus the
// inverse of a divisor is a line over the frequency; its ends give the scaling up to a common factor of
// low_freq_factor, high_freq_factor and the context, so low_freq_factor is 1.
Result<RopeScaling> scaling_of(ModelConfig config, const std::vector<float>& divisors) {
  RopeScaling scaling;
  scaling.kind = RopeScaling::Kind::llama3;
  scaling.factor = *std::max_element(divisors.begin(), divisors.end());
  scaling.low_freq_factor = 1, scaling.high_freq_factor = 4, scaling.original_positions = 8192;  // Llama 3.1's
  std::vector<std::pair<double, double>> ramp;  // turns over one position, share of the unscaled frequency
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    const double plain = std::pow(config.rope_theta, -2.0 * double(i) / double(config.head_dim));
    if (divisors[i] > 1 && double(divisors[i]) < scaling.factor)
      ramp.emplace_back(plain / (2 * 3.14159265358979323846),
                        (1 / double(divisors[i]) - 1 / scaling.factor) / (1 - 1 / scaling.factor));
  }
  if (ramp.size() == 1) {  // between Llama 3.1's usual 1 and 4
    const auto [x, y] = ramp.front();
    scaling.original_positions = std::llround((3 * y + 1) / x);
  } else if (ramp.size() >= 2) {
    const auto [x0, y0] = ramp.front();
    const auto [x1, y1] = ramp.back();
    const double slope = (y0 - y1) / (x0 - x1), at_zero = y0 - slope * x0;
    if (at_zero < 0 && slope > 0) {
      scaling.high_freq_factor = std::round((1 - 1 / at_zero) * 1000) / 1000;
      scaling.original_positions = std::llround(slope * (scaling.high_freq_factor - 1));
    }
  }
  config.rope_scaling = scaling;
  const std::vector<double> scaled = rope_frequencies(config).frequencies;
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    const double plain = std::pow(config.rope_theta, -2.0 * double(i) / double(config.head_dim));
    if (std::fabs(plain / scaled[i] / double(divisors[i]) - 1) > 1e-5)
      return error(Errc::unsupported,
                   "tensor \"rope_freqs.weight\" divides frequency {} by {}, which no \"llama3\" scaling of a "
                   "config.json does; keep the model as GGUF",
                   i, divisors[i]);
  }
  return scaling;
}

// The shortest number that is this one in fp32, which is all that GGUF keeps: 1e-6, not 9.99999997e-7.
double shortest(double value) { return std::stod(fmt::format("{}", float(value))); }

// A config made from metadata, as transformers reads it: nothing that is null, and scaling in both spellings.
Result<Json> config_of_gguf(const Checkpoint& checkpoint, const ModelConfig& config) {
  Json out = checkpoint.config();
  for (auto entry = out.begin(); entry != out.end();) entry = entry->is_null() ? out.erase(entry) : std::next(entry);
  out["head_dim"] = config.head_dim;
  if (const CheckpointTensor* stored = checkpoint.find("rope_freqs.weight")) {
    std::vector<float> divisors(stored->elements());
    stored->read(0, std::int64_t(divisors.size()), divisors.data());
    if (std::any_of(divisors.begin(), divisors.end(), [](float d) { return d != 1; })) {
      auto scaling = scaling_of(config, divisors);
      if (!scaling) return scaling.error().at(checkpoint.path().string());
      out["rope_parameters"] = {{"rope_type", "llama3"},
                                {"rope_theta", config.rope_theta},
                                {"factor", scaling->factor},
                                {"low_freq_factor", scaling->low_freq_factor},
                                {"high_freq_factor", scaling->high_freq_factor},
                                {"original_max_position_embeddings", scaling->original_positions}};
    }
  }
  for (const char* key : {"rope_theta", "factor"})
    if (Json& rope = out["rope_parameters"]; rope.contains(key)) rope[key] = shortest(rope[key].get<double>());
  out["rms_norm_eps"] = shortest(config.rms_norm_eps);
  out["rope_theta"] = out["rope_parameters"]["rope_theta"];
  if (!is_text(out["rope_parameters"]["rope_type"], "default")) {
    out["rope_scaling"] = out["rope_parameters"];
    out["rope_scaling"].erase("rope_theta");
  }
  const auto pad = checkpoint.gguf()->integer("tokenizer.ggml.padding_token_id");
  if (pad && *pad >= 0 && *pad < config.vocab_size) out["pad_token_id"] = *pad;
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
    NIBBLE_TRY(out, config_of_gguf(checkpoint, config));
  }
  out.erase("quantization_config");
  if (precision.quantized()) {
    BnbConfig bnb;
    const FormatFacts& format = facts_of(precision.format);
    bnb.bits = precision.four_bits() ? 4 : 8;
    if (precision.four_bits()) bnb.quant_type = std::string(quant_type_of(format));
    bnb.own = format.bitsandbytes.empty();
    bnb.double_quant = precision.double_quant, bnb.compute_dtype = compute_dtype_of(precision),
    bnb.threshold = precision.int8_threshold, bnb.quant_storage = storage;
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

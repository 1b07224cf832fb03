// A copy as a Hugging Face folder, tensor by tensor; memory holds one at a time.
#include "engine/conversion.hpp"
#include "engine/folder_companions.hpp"
#include "engine/shard_writer.hpp"
#include "formats/all.hpp"
#include "io/codecs/bnb.hpp"
#include "io/folder.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

DType dense_dtype(std::string_view format) {
  return format == Fp32::name ? DType::f32 : format == Fp16::name ? DType::f16 : DType::bf16;
}
std::string_view dense_format(DType dtype) {
  return dtype == DType::bf16 ? Bf16::name : dtype == DType::f16 ? Fp16::name : Fp32::name;
}

class FolderWriter {
 public:
  FolderWriter(Conversion& conversion, const QuantizeCheckpointOptions& options, SkipPatterns skip,
               const fs::path& folder)
      : conversion_(conversion),
        options_(options),
        skip_(std::move(skip)),
        kept_(kept_dtype(conversion.checkpoint())),
        shards_(folder, options.shard_bytes, conversion.receipt(options.precision.label())) {}

  // Everything that can be wrong with the request is found before the first byte is written.
  Result<void> check(const ModuleSpec& module) {
    if (conversion_.quantized_as(module).empty()) {
      NIBBLE_TRY([[maybe_unused]] const CheckpointTensor* tensor, find_tensor(conversion_.checkpoint(), module));
      return {};
    }
    NIBBLE_TRY(const std::string_view format, format_for(module));
    NIBBLE_TRY(const auto ready, conversion_.source().in_place(module, format, options_.precision));
    conversion_.release();
    if (ready || format == Fp32::name) return {};
    return conversion_.round_again(module, format);
  }

  Result<void> write(const ModuleSpec& module) {
    NIBBLE_TRY(const std::string_view format, format_for(module));
    const bool matrix = module.cols > 0, quantized = format_facts(format).bits < 16;
    if (quantized)
      ++conversion_.report.quantized_modules;
    else if (module.role == Role::linear)
      ++conversion_.report.kept_modules, skipped_.push_back(module.module());
    const CheckpointTensor* tensor = conversion_.checkpoint().find(module.name);
    if (!matrix && options_.precision.quantized() && tensor->in_place())  // vectors are copied as they are
      return copy(module, *tensor);

    NIBBLE_TRY(const std::optional<Weight> ready,
               matrix ? conversion_.source().in_place(module, format, options_.precision)
                      : Result<std::optional<Weight>>(std::optional<Weight>()));
    QuantizedWeight made;
    Weight weight;
    ErrorSums difference;
    const std::string place = conversion_.checkpoint().path().string();
    if (ready) {
      weight = *ready;
      if (tensor->readable()) NIBBLE_CHECK(check_finite(place, *tensor));
    } else {
      NIBBLE_TRY(made, allocate_quantized(
                           conversion_.memory(),
                           {format, options_.precision.block_size, options_.precision.double_quant && quantized},
                           module.rows, matrix ? module.cols : 1, Purpose::linear_weights, Purpose::scales));
      NIBBLE_TRY(const ElementReader read, conversion_.source().reader(module));
      if (auto ok = quantize(read, made, conversion_.pool()); !ok)
        return ok.error().at(fmt::format("{}: tensor \"{}\"", place, module.name));
      weight = made.weight;
      difference = error_between(read, reader_of(weight), std::int64_t(module.elements()), conversion_.pool());
    }
    if (!quantized) return store(module, difference, {module.name, dense_dtype(format), shape_of(module)}, weight);
    NIBBLE_TRY(const BnbTensors tensors, write_bnb_weight(module.name, weight, kept_));
    std::size_t own = 0;
    while (tensors.entries[own].name != module.name) ++own;
    return shards_.add(tensors.entries, tensors.bytes,
                       conversion_.finish_module(module, difference, tensors.bytes, own));
  }

  Result<std::vector<std::string>> finish() {
    NIBBLE_CHECK(shards_.finish());
    // Naming some replaces the default, which leaves out the head.
    if (!skipped_.empty()) skipped_.push_back("lm_head");
    return skipped_;
  }

 private:
  static std::vector<std::int64_t> shape_of(const ModuleSpec& module) {
    return module.cols > 0 ? std::vector<std::int64_t>{module.rows, module.cols}
                           : std::vector<std::int64_t>{module.rows};
  }

  Result<std::string_view> format_for(const ModuleSpec& module) const {
    if (module.cols > 0) return format_of(module, options_.precision, skip_, kept_);
    if (!options_.precision.quantized()) return name_of(options_.precision.format);
    NIBBLE_TRY(const CheckpointTensor* tensor, find_tensor(conversion_.checkpoint(), module));
    return dense_format(tensor->dtype.value_or(DType::f32));
  }

  Result<void> store(const ModuleSpec& module, const ErrorSums& difference, const SafetensorsWriter::Entry& entry,
                     const Weight& weight) {
    const std::vector<std::span<const std::byte>> bytes = {{weight.codes, weight.code_bytes}};
    return shards_.add({entry}, bytes, conversion_.finish_module(module, difference, bytes));
  }

  Result<void> copy(const ModuleSpec& module, const CheckpointTensor& tensor) {
    NIBBLE_CHECK(check_finite(conversion_.checkpoint().path(), tensor));
    return shards_.add({{module.name, *tensor.dtype, tensor.shape}}, {tensor.bytes},
                       conversion_.finish_module(module, {}, {tensor.bytes}));
  }

  Conversion& conversion_;
  const QuantizeCheckpointOptions& options_;
  SkipPatterns skip_;
  DType kept_;
  ShardWriter shards_;
  std::vector<std::string> skipped_;
};

}  // namespace

Result<QuantizeReport> write_folder(Conversion& conversion, const fs::path& out,
                                    const QuantizeCheckpointOptions& options) {
  NIBBLE_TRY(SkipPatterns skip, SkipPatterns::compile(options.precision.skip));
  NIBBLE_TRY(AtomicFolder folder, AtomicFolder::create(out));
  FolderWriter writer(conversion, options, std::move(skip), folder.path());
  for (const ModuleSpec& module : conversion.modules()) NIBBLE_CHECK(writer.check(module));
  for (const ModuleSpec& module : conversion.modules()) {
    NIBBLE_CHECK(conversion.may_go_on(out));
    NIBBLE_CHECK(writer.write(module));
  }
  NIBBLE_TRY(const std::vector<std::string> skipped, writer.finish());
  NIBBLE_TRY(const Json config,
             folder_config(conversion.checkpoint(), conversion.config(), options.precision, skipped));
  const std::string text = config.dump(2) + "\n";
  NIBBLE_CHECK(write_whole(folder.path() / "config.json", std::as_bytes(std::span(text.data(), text.size()))));
  NIBBLE_CHECK(write_companions(conversion.checkpoint(), folder.path()));
  std::uint64_t written = 0;
  NIBBLE_TRY(const std::vector<std::string> names, names_in_folder(folder.path()));
  for (const std::string& name : names)
    if (name.ends_with(".safetensors")) written += fs::file_size(folder.path() / name);
  QuantizeReport report = conversion.finish(written);
  NIBBLE_CHECK(folder.commit());  // last: nothing can fail behind it
  return report;
}

}  // namespace nibble

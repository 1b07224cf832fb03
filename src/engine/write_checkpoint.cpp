// A quantized copy, tensor by tensor. A shard's header can be written only when its tensors are known (a nested offset
// is part of it as text), so tensors are spooled to a file and copied behind the header; memory holds one tensor at a
// time.
#include <chrono>
#include <fstream>

#include "engine/load.hpp"
#include "engine/weights.hpp"
#include "formats/all.hpp"
#include "io/codecs/bnb.hpp"
#include "io/codecs/bnb_config.hpp"
#include "nibble/quantize.hpp"
#include "ops/quantize.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

class ShardWriter {
 public:
  ShardWriter(fs::path folder, std::uint64_t shard_bytes) : folder_(std::move(folder)), shard_bytes_(shard_bytes) {}

  // Tensors of one weight stay in one shard.
  Result<void> add(const std::vector<SafetensorsWriter::Entry>& entries,
                   const std::vector<std::span<const std::byte>>& bytes) {
    std::uint64_t size = 0;
    for (const auto& part : bytes) size += part.size();
    if (held_ > 0 && held_ + size > shard_bytes_) NIBBLE_CHECK(finish_shard());
    if (!spool_) {
      NIBBLE_TRY(spool_, AtomicFile::create(folder_ / "spool"));
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
      NIBBLE_CHECK(spool_->write(bytes[i]));
      entries_.push_back(entries[i]);
      total_ += bytes[i].size();
    }
    held_ += size;
    return {};
  }

  // Names shards as transformers does and writes the index if there are several.
  Result<void> finish() {
    if (held_ > 0) NIBBLE_CHECK(finish_shard());
    Json map = Json::object();
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      const std::string name = shards_.size() == 1
                                   ? "model.safetensors"
                                   : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards_.size());
      std::error_code code;
      fs::rename(folder_ / fmt::format("shard-{}", i), folder_ / name, code);
      if (code) return error(Errc::io_failure, "{}: cannot rename: {}", (folder_ / name).string(), code.message());
      for (const std::string& tensor : shards_[i]) map[tensor] = name;
    }
    if (shards_.size() < 2) return {};
    const Json index = {{"metadata", {{"total_size", total_}}}, {"weight_map", map}};
    NIBBLE_TRY(AtomicFile file, AtomicFile::create(folder_ / "model.safetensors.index.json"));
    NIBBLE_CHECK(file.write(index.dump(2)));
    return file.commit();
  }

 private:
  Result<void> finish_shard() {
    NIBBLE_CHECK(spool_->commit());
    spool_.reset();
    NIBBLE_TRY(SafetensorsWriter writer, SafetensorsWriter::create(folder_ / fmt::format("shard-{}", shards_.size()),
                                                                   entries_, {{"format", "pt"}}));
    {
      NIBBLE_TRY(const auto spooled, MappedFile::open(folder_ / "spool"));
      NIBBLE_CHECK(writer.write(spooled->bytes()));
    }
    NIBBLE_CHECK(writer.commit());
    std::error_code ignored;
    fs::remove(folder_ / "spool", ignored);
    shards_.emplace_back();
    for (const auto& entry : entries_) shards_.back().push_back(entry.name);
    entries_.clear(), held_ = 0;
    return {};
  }

  fs::path folder_;
  std::uint64_t shard_bytes_, held_ = 0, total_ = 0;
  std::optional<AtomicFile> spool_;
  std::vector<SafetensorsWriter::Entry> entries_;
  std::vector<std::vector<std::string>> shards_;
};

DType dense_dtype(std::string_view format) {
  return format == Fp32::name ? DType::f32 : format == Fp16::name ? DType::f16 : DType::bf16;
}

// Everything in the folder that is not weights: tokenizer, generation defaults, template, licence.
Result<void> copy_companions(const fs::path& from, const fs::path& to) {
  std::error_code code;
  for (fs::directory_iterator entry(from, code), end; !code && entry != end; entry.increment(code)) {
    const std::string extension = entry->path().extension(), name = entry->path().filename();
    std::error_code ignored;
    if (!entry->is_regular_file(ignored) || extension == ".safetensors" || extension == ".bin" || extension == ".pth" ||
        extension == ".pt" || extension == ".gguf")
      continue;
    if (name == "config.json" || name == "model.safetensors.index.json" || name[0] == '.') continue;
    NIBBLE_TRY(const auto source, MappedFile::open(entry->path()));
    NIBBLE_TRY(AtomicFile copy, AtomicFile::create(to / name));
    NIBBLE_CHECK(copy.write(source->bytes()));
    NIBBLE_CHECK(copy.commit());
  }
  if (code) return error(Errc::io_failure, "{}: cannot list: {}", from.string(), code.message());
  return {};
}

Result<void> write_config(const Checkpoint& checkpoint, const QuantizationConfig& precision,
                          const std::vector<std::string>& skipped, const fs::path& to) {
  Json config = checkpoint.config();
  config.erase("quantization_config");
  if (precision.quantized()) {
    BnbConfig bnb;
    bnb.bits = precision.format == Precision::int8 ? 8 : 4;
    if (bnb.bits == 4) bnb.quant_type = std::string(name_of(precision.format));
    bnb.double_quant = precision.double_quant, bnb.compute_dtype = compute_dtype_of(precision),
    bnb.threshold = precision.int8_threshold;
    if (!skipped.empty()) bnb.skip_modules = skipped;
    config["quantization_config"] = to_json(bnb);
  } else {
    const char* name = precision.format == Precision::fp32   ? "float32"
                       : precision.format == Precision::fp16 ? "float16"
                                                             : "bfloat16";
    config.erase("torch_dtype");
    config["dtype"] = name;
  }
  NIBBLE_TRY(AtomicFile file, AtomicFile::create(to / "config.json"));
  NIBBLE_CHECK(file.write(config.dump(2) + "\n"));
  return file.commit();
}

// What is copied instead of quantized is looked at as well: a copy that cannot compute is no copy to keep.
Result<void> check_finite(const fs::path& path, const CheckpointTensor& tensor) {
  const std::int64_t bad = first_nonfinite(tensor);
  if (bad < 0) return {};
  return error(Errc::corrupt_file,
               "{}: tensor \"{}\": element {} is NaN or infinite; check the file or the training run that wrote it",
               path.string(), tensor.name, bad);
}

}  // namespace

Result<QuantizeReport> quantize_checkpoint(const fs::path& path, const fs::path& out,
                                           const QuantizeCheckpointOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  if (options.precision.format == Precision::stored)
    return error(Errc::bad_request, "name the precision to write: fp32, fp16, bf16, int8, nf4 or fp4");
  NIBBLE_CHECK(options.precision.check());
  NIBBLE_CHECK(check_threads(options.threads));
  NIBBLE_TRY(const auto checkpoint, Checkpoint::open(path));
  if (checkpoint->is_gguf())
    return error(Errc::unsupported,
                 "{}: writing a Hugging Face folder from GGUF is not supported, its tokenizer cannot be carried over; "
                 "quantize from the original folder",
                 path.string());
  NIBBLE_TRY(const ModelConfig config, read_model_config(checkpoint->config(), path.string(), options.ignore_config));
  NIBBLE_TRY([[maybe_unused]] const QuantizationConfig stored, resolve_precision({}, *checkpoint));
  NIBBLE_TRY(const SkipPatterns skip, SkipPatterns::compile(options.precision.skip));
  NIBBLE_TRY(AtomicFolder folder, AtomicFolder::create(out));

  HostAllocator memory;
  std::vector<Buffer> copies;
  const auto source = checkpoint_source(*checkpoint, memory, copies, false);
  ThreadPool pool(options.threads);
  ShardWriter writer(folder.path(), options.shard_bytes);
  const DType kept = kept_dtype(*checkpoint);
  const std::vector<ModuleSpec> modules = list_modules(config);
  QuantizeReport report;
  std::vector<std::string> skipped;
  std::uint64_t total = 0, done = 0;
  for (const ModuleSpec& module : modules) total += module.elements();
  for (const ModuleSpec& module : modules) {
    if (options.stop && options.stop()) return error(Errc::cancelled, "{}: stopped, nothing was written", out.string());
    const bool matrix = module.cols > 0;
    if (matrix && !is_bnb_weight([&](std::string_view name) { return checkpoint->find_stored(name); }, module.name)) {
      NIBBLE_TRY([[maybe_unused]] const CheckpointTensor* tensor, find_tensor(*checkpoint, module));
    }
    const std::string_view format =
        matrix ? format_of(module, options.precision, skip, kept)
               : name_of(options.precision.quantized() || options.precision.format == Precision::stored
                             ? Precision::stored
                             : options.precision.format);
    const bool quantized = format_facts(format).bits < 16 && matrix;
    if (quantized)
      ++report.quantized_modules;
    else if (module.role == Role::linear)
      ++report.kept_modules, skipped.push_back(module.module());

    if (!matrix && options.precision.quantized()) {  // vectors are copied as they are
      const CheckpointTensor* tensor = checkpoint->find(module.name);
      if (!tensor || !tensor->dtype) return find_tensor(*checkpoint, module).error();
      NIBBLE_CHECK(check_finite(path, *tensor));
      NIBBLE_CHECK(writer.add({{module.name, *tensor->dtype, tensor->shape}}, {tensor->bytes}));
    } else {
      NIBBLE_TRY(const std::optional<Weight> ready, matrix ? source->in_place(module, format, options.precision)
                                                           : Result<std::optional<Weight>>(std::optional<Weight>()));
      QuantizedWeight made;
      Weight weight;
      if (ready) {
        weight = *ready;
        if (const CheckpointTensor* tensor = checkpoint->find(module.name); tensor && tensor->readable())
          NIBBLE_CHECK(check_finite(path, *tensor));
      } else {
        NIBBLE_TRY(made,
                   allocate_quantized(
                       memory, {format, options.precision.block_size, options.precision.double_quant && quantized},
                       module.rows, matrix ? module.cols : 1, Purpose::linear_weights, Purpose::scales));
        NIBBLE_TRY(const ElementReader read, source->reader(module));
        if (auto ok = quantize(read, made, pool); !ok)
          return ok.error().at(fmt::format("{}: tensor \"{}\"", path.string(), module.name));
        weight = made.weight;
      }
      report.peak_buffer_bytes = std::max(report.peak_buffer_bytes, memory.use().peak_total);
      if (quantized) {
        NIBBLE_TRY(const BnbTensors tensors, write_bnb_weight(module.name, weight, kept));
        NIBBLE_CHECK(writer.add(tensors.entries, tensors.bytes));
      } else {
        const std::vector<std::int64_t> shape =
            matrix ? std::vector<std::int64_t>{module.rows, module.cols} : std::vector<std::int64_t>{module.rows};
        NIBBLE_CHECK(writer.add({{module.name, dense_dtype(format), shape}}, {{weight.codes, weight.code_bytes}}));
      }
      copies.clear();
    }
    done += module.elements();
    if (options.progress) options.progress(double(done) / double(total));
  }
  NIBBLE_CHECK(writer.finish());
  if (!skipped.empty()) skipped.push_back("lm_head");  // naming some replaces the default, which leaves out the head
  NIBBLE_CHECK(write_config(*checkpoint, options.precision, skipped, folder.path()));
  NIBBLE_CHECK(copy_companions(checkpoint->path(), folder.path()));
  for (const auto& entry : fs::directory_iterator(folder.path()))
    if (entry.path().extension() == ".safetensors") report.bytes_written += entry.file_size();
  NIBBLE_CHECK(folder.commit());
  report.bytes_read = checkpoint->file_bytes();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace nibble

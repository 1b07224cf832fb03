#include "engine/weights.hpp"

#include <cmath>
#include <cstring>

#include "formats/all.hpp"
#include "io/codecs/bnb.hpp"
#include "ops/dequantize.hpp"

namespace nibble {
namespace {

std::string_view dense_format(DType type) {
  return type == DType::f32    ? Fp32::name
         : type == DType::f16  ? Fp16::name
         : type == DType::bf16 ? Bf16::name
                               : std::string_view();
}

// The block format of a tensor, if kernels compute with it.
std::string_view block_format(const CheckpointTensor& tensor) {
  if (tensor.dtype || !tensor.block_type) return {};
  const FormatFacts facts = format_facts(tensor.block_type->name);
  return facts.is_block() ? facts.name : std::string_view();
}

Weight blocks_of(const ModuleSpec& module, std::string_view format, std::span<const std::byte> bytes) {
  Weight weight;
  weight.format = format;
  weight.rows = module.rows;
  weight.cols = module.cols;
  weight.codes = bytes.data();
  weight.code_bytes = bytes.size();
  return weight;
}

class CheckpointSource final : public WeightSource {
 public:
  CheckpointSource(const Checkpoint& checkpoint, Allocator& memory, std::vector<Buffer>& copies, bool as_stored)
      : checkpoint_(checkpoint), memory_(memory), copies_(copies), as_stored_(as_stored) {}

  Result<std::optional<Weight>> in_place(const ModuleSpec& module, std::string_view format,
                                         const QuantizationConfig& config) override {
    if (is_quantized(module)) {
      NIBBLE_TRY(const Weight weight, read_quantized(module));
      const bool same = weight.format == format &&
                        (format == Int8::name ||
                         (weight.block_size == config.block_size && weight.nested.empty() != config.double_quant));
      return as_stored_ || same ? std::optional<Weight>(weight) : std::nullopt;
    }
    NIBBLE_TRY(const CheckpointTensor* tensor, find_tensor(checkpoint_, module));
    if (tensor->interleaved_heads > 0) return std::optional<Weight>();
    if (const std::string_view blocks = block_format(*tensor); !blocks.empty() && blocks == format)
      return std::optional(blocks_of(module, blocks, tensor->bytes));
    if (!tensor->in_place()) return std::optional<Weight>();
    const std::string_view stored = dense_format(*tensor->dtype);
    if (stored.empty() || (stored != format && !as_stored_)) return std::optional<Weight>();
    if (reinterpret_cast<std::uintptr_t>(tensor->bytes.data()) % size_of(*tensor->dtype) != 0)
      return std::optional<Weight>();
    Weight weight;
    weight.format = stored;
    weight.rows = module.rows;
    weight.cols = module.cols;
    weight.codes = tensor->bytes.data();
    weight.code_bytes = tensor->bytes.size();
    return std::optional<Weight>(weight);
  }

  Result<std::optional<std::string_view>> plain_format(const ModuleSpec& module) override {
    std::optional<std::string_view> out;
    if (!as_stored_ || is_quantized(module)) return out;
    NIBBLE_TRY(const CheckpointTensor* tensor, find_tensor(checkpoint_, module));
    if (tensor->dtype && !dense_format(*tensor->dtype).empty()) out = dense_format(*tensor->dtype);
    if (const std::string_view blocks = block_format(*tensor); !blocks.empty() && module.cols > 0) out = blocks;
    return out;
  }

  Result<void> copy_blocks(const ModuleSpec& module, std::byte* out) override {
    NIBBLE_TRY(const CheckpointTensor* tensor, find_tensor(checkpoint_, module));
    const std::size_t row_bytes = tensor->bytes.size() / std::size_t(module.rows);
    for (std::int64_t row = 0; row < module.rows; ++row)
      std::memcpy(out + std::size_t(row) * row_bytes,
                  tensor->bytes.data() + std::size_t(tensor->file_row(row)) * row_bytes, row_bytes);
    return {};
  }

  Result<ElementReader> reader(const ModuleSpec& module) override {
    if (is_quantized(module)) {
      NIBBLE_TRY(const Weight weight, read_quantized(module));
      return reader_of(weight);
    }
    NIBBLE_TRY(const CheckpointTensor* tensor, find_tensor(checkpoint_, module));
    return ElementReader(
        [tensor](std::int64_t first, std::int64_t count, float* out) { tensor->read(first, count, out); });
  }

  std::vector<double> rope_factors() const override {
    const CheckpointTensor* tensor = checkpoint_.find("rope_freqs.weight");
    if (!tensor || !checkpoint_.is_gguf()) return {};  // the container's reader has checked size and values
    std::vector<float> values(tensor->elements());
    tensor->read(0, std::int64_t(values.size()), values.data());
    return {values.begin(), values.end()};
  }

 private:
  TensorLookup lookup() const {
    return [this](std::string_view name) { return checkpoint_.find_stored(name); };
  }
  bool is_quantized(const ModuleSpec& module) const { return module.cols > 0 && is_bnb_weight(lookup(), module.name); }

  Result<Weight> read_quantized(const ModuleSpec& module) {
    auto read = read_bnb_weight(lookup(), module.name, memory_);
    if (!read) return read.error().at(checkpoint_.path().string());
    const Weight weight = read->weight;
    if (weight.rows != module.rows || weight.cols != module.cols)
      return error(Errc::corrupt_file, "{}: tensor \"{}\" is {} x {}, config.json asks for {} x {}",
                   checkpoint_.path().string(), module.name, weight.rows, weight.cols, module.rows, module.cols);
    for (Buffer& copy : read->copies) copies_.push_back(std::move(copy));
    return weight;
  }

  const Checkpoint& checkpoint_;
  Allocator& memory_;
  std::vector<Buffer>& copies_;
  bool as_stored_;
};

// A reproducible draw per element: the sum of four uniform bytes is near enough to normal, with deviation 0.02.
class RandomSource final : public WeightSource {
 public:
  RandomSource(std::uint64_t seed, double outliers) : seed_(seed), outliers_(outliers) {}

  Result<std::optional<Weight>> in_place(const ModuleSpec&, std::string_view, const QuantizationConfig&) override {
    return std::optional<Weight>();
  }

  Result<ElementReader> reader(const ModuleSpec& module) override {
    const std::uint64_t salt = seed_ ^ std::hash<std::string>()(module.name);
    const std::int64_t width = std::max<std::int64_t>(module.cols, 1);
    // LLM.int8 meets outliers where a norm's gain or a row that feeds the next product is large.
    const bool norm = module.role == Role::norm;
    const bool feeds_product = module.role == Role::linear && (module.part == Part::v || module.part == Part::up);
    const auto every = outliers_ > 0 ? std::int64_t(std::lround(1 / outliers_)) : 0;
    return ElementReader([=](std::int64_t first, std::int64_t count, float* out) {
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t element = first + i;
        std::uint64_t bits = (std::uint64_t(element) + salt) * 0x9e3779b97f4a7c15ull;
        bits = (bits ^ (bits >> 31)) * 0xbf58476d1ce4e5b9ull;
        bits ^= bits >> 29;
        const auto sum = std::int64_t(bits & 255) + std::int64_t((bits >> 16) & 255) +
                         std::int64_t((bits >> 32) & 255) + std::int64_t((bits >> 48) & 255);
        float value = float(sum - 510) * float(0.02 / 147.8);
        const std::int64_t row = element / width;
        const bool outlier = every > 0 && row % every == every / 2;
        // Elsewhere values stay so small that no row of a long prompt reaches the threshold by chance: the planted
        // share is then the share of columns that hold an outlier.
        if (norm)
          value = outlier ? 40.0f : 1.0f;
        else if (feeds_product && every > 0)
          value *= outlier ? 80.0f : 0.03f;
        out[i] = value;
      }
    });
  }

 private:
  std::uint64_t seed_;
  double outliers_;
};

class CountingSource final : public WeightSource {
 public:
  explicit CountingSource(DType stored) : stored_(dense_format(stored)) {}

  Result<std::optional<Weight>> in_place(const ModuleSpec& module, std::string_view format,
                                         const QuantizationConfig&) override {
    if (format != stored_) return std::optional<Weight>();
    Weight weight;
    weight.format = stored_;
    weight.rows = module.rows;
    weight.cols = module.cols;
    weight.code_bytes = format_facts(stored_).code_bytes(module.elements());
    return std::optional<Weight>(weight);
  }
  Result<ElementReader> reader(const ModuleSpec&) override { return ElementReader(); }

 private:
  std::string_view stored_;
};

}  // namespace

Result<const CheckpointTensor*> find_tensor(const Checkpoint& checkpoint, const ModuleSpec& module) {
  const CheckpointTensor* tensor = checkpoint.find(module.name);
  if (!tensor)
    return error(
        Errc::corrupt_file,
        "{}: tensor \"{}\" is missing; config.json and the weights do not belong together, or a shard is missing",
        checkpoint.path().string(), module.name);
  const std::vector<std::int64_t> expected =
      module.cols ? std::vector<std::int64_t>{module.rows, module.cols} : std::vector<std::int64_t>{module.rows};
  if (tensor->shape != expected)
    return error(Errc::corrupt_file, "{}: tensor \"{}\" has shape [{}], config.json asks for [{}]",
                 checkpoint.path().string(), module.name, fmt::join(tensor->shape, ", "), fmt::join(expected, ", "));
  if (!tensor->readable())
    return error(Errc::unsupported,
                 "{}: tensor \"{}\" is stored as {}, which Nibble cannot read yet; take another file of this model",
                 checkpoint.path().string(), module.name, tensor->type);
  return tensor;
}

std::unique_ptr<WeightSource> checkpoint_source(const Checkpoint& checkpoint, Allocator& memory,
                                                std::vector<Buffer>& copies, bool as_stored) {
  return std::make_unique<CheckpointSource>(checkpoint, memory, copies, as_stored);
}
std::unique_ptr<WeightSource> random_source(const ModelConfig&, std::uint64_t seed, double outliers) {
  return std::make_unique<RandomSource>(seed, outliers);
}
std::unique_ptr<WeightSource> counting_source(DType stored) { return std::make_unique<CountingSource>(stored); }

}  // namespace nibble

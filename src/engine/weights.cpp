#include "engine/weights.hpp"

#include <cstring>

#include "formats/all.hpp"
#include "io/codecs/bnb.hpp"
#include "models/gguf_rope.hpp"
#include "ops/dequantize.hpp"
#include "tensor/dense_types.hpp"

namespace nibble {
namespace {

// The format of a tensor, if kernels compute with it: dense, or blocks.
std::string_view computed_format(const CheckpointTensor& tensor) {
  if (tensor.dtype) return dense_format(*tensor.dtype);
  const FormatFacts facts = format_facts(tensor.block_type->name);
  return facts.is_block() ? facts.name : std::string_view();
}

Weight weight_of(const ModuleSpec& module, std::string_view format, std::span<const std::byte> bytes) {
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
  CheckpointSource(const Checkpoint& checkpoint, Allocator& memory, std::vector<Buffer>& copies)
      : checkpoint_(checkpoint), memory_(memory), copies_(copies) {}

  Result<StoredWeight> stored(const ModuleSpec& module) override {
    if (module.cols > 0 && is_bnb_weight(lookup(), module.name)) return quantized(module);
    NIBBLE_TRY(const CheckpointTensor* tensor, find_tensor(checkpoint_, module));
    StoredWeight out;
    out.read = [tensor](std::int64_t first, std::int64_t count, float* to) { tensor->read(first, count, to); };
    if (module.cols == 0) return out;
    out.format = computed_format(*tensor);
    if (out.format.empty()) return out;
    const bool aligned =
        !tensor->dtype || reinterpret_cast<std::uintptr_t>(tensor->bytes.data()) % size_of(*tensor->dtype) == 0;
    if (aligned && tensor->rope_heads == 0) out.in_place = weight_of(module, out.format, tensor->bytes);
    if (!tensor->dtype) out.copy_blocks = [tensor](std::byte* to) { copy_rows(*tensor, to); };
    return out;
  }

  std::vector<double> rope_divisors() const override {
    const std::vector<float> divisors = stored_rope_divisors(checkpoint_);
    return {divisors.begin(), divisors.end()};
  }

 private:
  TensorLookup lookup() const {
    return [this](std::string_view name) { return checkpoint_.find_stored(name); };
  }

  Result<StoredWeight> quantized(const ModuleSpec& module) {
    auto read = read_bnb_weight(lookup(), module.name, memory_);
    if (!read) return read.error().at(checkpoint_.path().string());
    const Weight& weight = read->weight;
    if (weight.rows != module.rows || weight.cols != module.cols)
      return error(Errc::corrupt_file, "{}: tensor \"{}\" is {} x {}, config.json asks for {} x {}",
                   checkpoint_.path().string(), module.name, weight.rows, weight.cols, module.rows, module.cols);
    for (Buffer& copy : read->copies) copies_.push_back(std::move(copy));
    return StoredWeight{weight.format, weight, reader_of(weight), {}};
  }

  static void copy_rows(const CheckpointTensor& tensor, std::byte* to) {
    const std::size_t row_bytes = tensor.bytes.size() / std::size_t(tensor.rows());
    const GgufRows order = tensor.row_order();
    for (std::int64_t row = 0; row < tensor.rows(); ++row)
      std::memcpy(to + std::size_t(row) * row_bytes, tensor.bytes.data() + std::size_t(order.in_file(row)) * row_bytes,
                  row_bytes);
  }

  const Checkpoint& checkpoint_;
  Allocator& memory_;
  std::vector<Buffer>& copies_;
};

class CountingSource final : public WeightSource {
 public:
  explicit CountingSource(CountedForms forms) : forms_(std::move(forms)) {}

  Result<StoredWeight> stored(const ModuleSpec& module) override {
    if (module.cols == 0) return StoredWeight{};
    NIBBLE_TRY(const CountedForm form, forms_(module));
    StoredWeight out;
    out.format = form.format;
    if (!form.in_place) return out;
    out.in_place = weight_of(module, form.format, {});
    out.in_place->code_bytes = format_facts(form.format).code_bytes(module.elements());
    return out;
  }

 private:
  CountedForms forms_;
};

}  // namespace

bool is_quantized_so(const Weight& weight, std::string_view format, const QuantizationConfig& config) {
  if (weight.format != format) return false;
  if (format_facts(format).kind != FormatKind::table) return true;
  return weight.block_size == config.block_size && weight.nested.empty() != config.double_quant;
}

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
                                                std::vector<Buffer>& copies) {
  return std::make_unique<CheckpointSource>(checkpoint, memory, copies);
}
std::unique_ptr<WeightSource> counting_source(CountedForms forms) {
  return std::make_unique<CountingSource>(std::move(forms));
}
std::unique_ptr<WeightSource> counting_source(DType dtype) {
  return counting_source(
      [dtype](const ModuleSpec&) -> Result<CountedForm> { return CountedForm{dense_format(dtype)}; });
}

}  // namespace nibble

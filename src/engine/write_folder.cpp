// A copy as a Hugging Face folder, tensor by tensor; memory holds one at a time.
#include <limits>

#include "base/digest.hpp"
#include "engine/continued_output.hpp"
#include "engine/finished_output.hpp"
#include "engine/folder_companions.hpp"
#include "formats/all.hpp"
#include "io/codecs/bnb.hpp"
#include "io/codecs/bnb_config.hpp"
#include "ops/dequantize.hpp"
#include "tensor/dense_types.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

// Of a 4-bit weight this is the one tensor whose length depends on what the weight holds.
constexpr std::string_view state_mark = ".quant_state.";

class FolderWriter final : public ContinuedOutput::Container {
 public:
  FolderWriter(Conversion& conversion, const QuantizeCheckpointOptions& options, SkipPatterns skip, DType storage)
      : conversion_(conversion),
        options_(options),
        skip_(std::move(skip)),
        unquantized_dtype_(unquantized_dtype_of(conversion.checkpoint())),
        storage_(storage),
        receipt_(conversion.receipt(options.precision.label())) {}

  // Everything that can be wrong with the request is found here, before anything is written.
  Result<OutputPlan> plan() {
    OutputPlan plan;
    plan.to = options_.precision.label();
    plan.recipe = fmt::format("{} {} {}", plan.to, options_.precision.block_size, name_of(unquantized_dtype_));
    std::uint64_t shard_bytes = 0;  // of the last file
    for (const ModuleSpec& module : conversion_.modules()) {
      NIBBLE_CHECK(check(module));
      NIBBLE_TRY(std::vector<SafetensorsWriter::Entry> entries, planned_entries(module));
      OutputPlan::Weight weight;
      weight.module = &module;
      std::uint64_t bytes = 0;
      for (std::size_t i = 0; i < entries.size(); ++i) {
        Journal::Part part{entries[i].name, entries[i].bytes(), {std::string(64, '0'), {}, {}}};
        if (part.name == module.name) {
          part.note.source = part.note.sha256;
          part.note.error = 0;
        }
        if (part.name.find(state_mark) != std::string::npos) weight.varying = i;
        bytes += part.bytes;
        weight.record.parts.push_back(std::move(part));
      }
      if (plan.files.empty() || (shard_bytes > 0 && shard_bytes + bytes > options_.shard_bytes)) {
        plan.files.push_back({{}, 0, plan.weights.size(), 0});
        shard_bytes = 0;
      }
      shard_bytes += bytes;
      plan.files.back().end = plan.weights.size() + 1;
      plan.weights.push_back(std::move(weight));
      entries_.push_back(std::move(entries));
    }
    for (std::size_t i = 0; i < plan.files.size(); ++i)  // as transformers names them
      plan.files[i].name = plan.files.size() == 1
                               ? "model.safetensors"
                               : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, plan.files.size());
    NIBBLE_CHECK(plan_small_files(plan));
    return plan;
  }

  Result<std::string> head(const OutputPlan::File& file, ContinuedOutput::Records records) override {
    std::vector<SafetensorsWriter::Entry> entries;
    receipt_.tensors.clear();
    receipt_.files = file.first == 0 ? hashes_ : std::map<std::string, std::string>();
    for (std::size_t i = file.first; i < file.end; ++i)
      for (std::size_t part = 0; part < entries_[i].size(); ++part) {
        const Journal::Part& made = records[i - file.first]->parts[part];
        entries.push_back(entries_[i][part]);
        if (made.name.find(state_mark) != std::string::npos) entries.back().shape = {std::int64_t(made.bytes)};
        receipt_.tensors[made.name] = made.note;
      }
    return SafetensorsWriter::head(file.name, entries, {{"format", "pt"}, {std::string(Receipt::key), receipt_.text()}},
                                   file.room);
  }

  Result<ContinuedOutput::Made> make(std::size_t index) override {
    const ModuleSpec& module = conversion_.modules()[index];
    NIBBLE_TRY(const std::string_view format, format_for(module));
    const CheckpointTensor* tensor = conversion_.checkpoint().find(module.name);
    const fs::path& place = conversion_.checkpoint().path();
    if (is_copied(module)) {
      NIBBLE_CHECK(check_finite(place, *tensor));
      return ContinuedOutput::Made{{}, {tensor->bytes}};
    }
    const bool quantized = format_facts(format).bits < 16;
    NIBBLE_TRY(const StoredWeight stored, conversion_.source().stored(module));
    if (!has_form(stored, module, format)) return convert(stored, module, format);
    if (!quantized) NIBBLE_CHECK(check_finite(place, *tensor));  // codes may lie under a floating type
    return parts_of(module, *stored.in_place, nullptr, {});
  }

  std::uint64_t small_bytes() const override { return small_bytes_; }
  const std::map<std::string, std::string>& small_files() const override { return hashes_; }

  Result<void> write_small_files(const ContinuedOutput& output) const {
    NIBBLE_CHECK(write_index(output));
    NIBBLE_CHECK(write_whole(output.folder() / "config.json", std::as_bytes(std::span(config_))));
    return write_companions(companions_, output.folder());
  }

 private:
  Result<void> write_index(const ContinuedOutput& output) const {
    if (output.plan().files.size() < 2) return {};
    Json map = Json::object();
    std::uint64_t bytes = 0, parameters = 0;
    for (const OutputPlan::File& file : output.plan().files)
      for (std::size_t i = file.first; i < file.end; ++i) {
        parameters += output.plan().weights[i].module->elements();
        for (const Journal::Part& part : output.record(i).parts) {
          map[part.name] = file.name;
          bytes += part.bytes;
        }
      }
    const Json index = {{"metadata", {{"total_parameters", parameters}, {"total_size", bytes}}}, {"weight_map", map}};
    const std::string text = index.dump(2) + "\n";
    return write_whole(output.folder() / "model.safetensors.index.json", std::as_bytes(std::span(text)));
  }

  // Everything beside the weights, so that nothing about it can fail behind them.
  Result<void> plan_small_files(const OutputPlan& plan) {
    NIBBLE_TRY(const Json config,
               folder_config(conversion_.checkpoint(), conversion_.config(), options_.precision, skipped(), storage_));
    config_ = config.dump(2) + "\n";
    hashes_["config.json"] = sha256(config_);
    std::vector<std::string> left;
    NIBBLE_TRY(companions_, companions_of(conversion_.checkpoint(), left));
    if (!left.empty())
      conversion_.say(fmt::format("{} {} left where {}, as no copy needs {}", fmt::join(left, ", "),
                                  left.size() == 1 ? "is" : "are", left.size() == 1 ? "it is" : "they are",
                                  left.size() == 1 ? "it" : "them"));
    constexpr std::uint64_t block = 4096;  // a file takes whole ones
    small_bytes_ = config_.size() + 2 * block;
    for (const Companion& companion : companions_) {
      if (companion.decides) hashes_[companion.name] = companion.sha256;
      small_bytes_ += companion.bytes().size() + block;
    }
    if (plan.files.size() > 1)
      for (const OutputPlan::Weight& weight : plan.weights)
        for (const Journal::Part& part : weight.record.parts) small_bytes_ += part.name.size() + 48;  // of the index
    return {};
  }

  // Weights that stay as they are in a quantized copy, head and all.
  std::vector<std::string> skipped() const {
    std::vector<std::string> names = skipped_;
    if (!names.empty()) names.push_back("lm_head");  // naming some replaces the default, which leaves out the head
    return names;
  }

  Result<ContinuedOutput::Made> convert(const StoredWeight& stored, const ModuleSpec& module, std::string_view format) {
    const QuantizeOptions options{format, options_.precision.block_size,
                                  options_.precision.double_quant && format_facts(format).bits < 16};
    NIBBLE_TRY(QuantizedWeight made,
               allocate_quantized(conversion_.memory(), options, module.rows, module.cols > 0 ? module.cols : 1,
                                  Purpose::linear_weights, Purpose::scales));
    if (auto ok = quantize(stored.read, made, conversion_.pool()); !ok)
      return ok.error().at(fmt::format("{}: tensor \"{}\"", conversion_.checkpoint().path().string(), module.name));
    const ErrorSums difference =
        error_between(stored.read, reader_of(made.weight), std::int64_t(module.elements()), conversion_.pool());
    const Weight weight = made.weight;
    return parts_of(module, weight, std::make_shared<QuantizedWeight>(std::move(made)), difference);
  }

  // The tensors of a weight, which `memory` holds.
  Result<ContinuedOutput::Made> parts_of(const ModuleSpec& module, const Weight& weight,
                                         std::shared_ptr<const void> memory, const ErrorSums& error) const {
    if (format_facts(weight.format).bits >= 16)
      return ContinuedOutput::Made{std::move(memory), {{weight.codes, weight.code_bytes}}, 0, error};
    struct Tensors {
      std::shared_ptr<const void> weight;
      BnbTensors bnb;
    };
    const auto tensors = std::make_shared<Tensors>();
    tensors->weight = std::move(memory);
    NIBBLE_TRY(tensors->bnb, write_bnb_weight(module.name, weight, unquantized_dtype_, storage_));
    std::size_t own = 0;
    while (tensors->bnb.entries[own].name != module.name) ++own;
    return ContinuedOutput::Made{tensors, tensors->bnb.bytes, own, error};
  }

  Result<void> check(const ModuleSpec& module) {
    NIBBLE_TRY(const std::string_view format, format_for(module));
    if (format_facts(format).bits < 16)
      ++conversion_.report.quantized_modules;
    else if (module.role == Role::linear) {
      ++conversion_.report.kept_modules;
      skipped_.push_back(module.module());
    }
    if (conversion_.quantized_as(module).empty()) {
      NIBBLE_TRY([[maybe_unused]] const CheckpointTensor* tensor, find_tensor(conversion_.checkpoint(), module));
      return {};
    }
    NIBBLE_TRY(const StoredWeight stored, conversion_.source().stored(module));
    const bool has_it = has_form(stored, module, format);
    conversion_.drop_copies();
    if (has_it || format == Fp32::name) return {};
    // The same name, and yet another form: another block size, other scales, or a table that the file brings.
    const bool same = conversion_.quantized_as(module) == format;
    return conversion_.round_again(
        module, same ? fmt::format("{} in another form", options_.precision.label()) : std::string(format));
  }

  // The tensors of a weight, each at its longest.
  Result<std::vector<SafetensorsWriter::Entry>> planned_entries(const ModuleSpec& module) const {
    const std::vector<std::int64_t> shape =
        module.cols > 0 ? std::vector<std::int64_t>{module.rows, module.cols} : std::vector<std::int64_t>{module.rows};
    if (is_copied(module)) {
      const CheckpointTensor* tensor = conversion_.checkpoint().find(module.name);
      return std::vector<SafetensorsWriter::Entry>{{module.name, *tensor->dtype, tensor->shape}};
    }
    NIBBLE_TRY(const std::string_view format, format_for(module));
    if (format_facts(format).bits >= 16)
      return std::vector<SafetensorsWriter::Entry>{{module.name, *dense_dtype(format), shape}};
    CountingAllocator counting;
    NIBBLE_TRY(QuantizedWeight sizes,
               allocate_quantized(counting, {format, options_.precision.block_size, options_.precision.double_quant},
                                  module.rows, module.cols, Purpose::linear_weights, Purpose::scales));
    sizes.weight.nested.offset = -std::numeric_limits<float>::min();  // no number prints longer
    auto tensors = write_bnb_weight(module.name, sizes.weight, unquantized_dtype_, storage_);
    if (!tensors) return tensors.error().at(conversion_.checkpoint().path().string());
    return std::move(tensors->entries);
  }

  Result<std::string_view> format_for(const ModuleSpec& module) const {
    if (module.cols > 0) return format_of(module, options_.precision, skip_, unquantized_dtype_);
    if (!options_.precision.quantized()) return name_of(options_.precision.format);
    NIBBLE_TRY(const CheckpointTensor* tensor, find_tensor(conversion_.checkpoint(), module));
    const std::string_view format = dense_format(vector_dtype(*tensor));
    return format.empty() ? Fp32::name : format;
  }

  // In quantized precisions vectors are copied as they are. GGUF holds all of them in fp32, though a model was made in
  // 16 bits; then they get the type of the rest, or transformers meets two types in one product.
  DType vector_dtype(const CheckpointTensor& tensor) const {
    return conversion_.checkpoint().is_gguf() ? unquantized_dtype_ : tensor.dtype.value_or(DType::f32);
  }
  bool is_copied(const ModuleSpec& module) const {
    const CheckpointTensor* tensor = conversion_.checkpoint().find(module.name);
    return module.cols == 0 && options_.precision.quantized() && tensor->in_place() &&
           *tensor->dtype == vector_dtype(*tensor);
  }

  // The source has the weight in this very form.
  bool has_form(const StoredWeight& stored, const ModuleSpec& module, std::string_view format) const {
    if (module.cols == 0 || !stored.in_place) return false;
    const bool foreign_table = !stored.in_place->table.empty() && !has_own_table(*stored.in_place);
    return !foreign_table && is_quantized_so(*stored.in_place, format, options_.precision);
  }

  Conversion& conversion_;
  const QuantizeCheckpointOptions& options_;
  SkipPatterns skip_;
  DType unquantized_dtype_, storage_;
  Receipt receipt_;  // of the file whose head is made
  std::vector<std::vector<SafetensorsWriter::Entry>> entries_;
  std::vector<std::string> skipped_;
  std::string config_;  // config.json
  std::vector<Companion> companions_;
  std::map<std::string, std::string> hashes_;  // of both
  std::uint64_t small_bytes_ = 0;
};

// The dtype of 4-bit codes: the one asked for, or the source's.
Result<DType> storage_of(const Checkpoint& checkpoint, const QuantizeCheckpointOptions& options) {
  if (!options.quant_storage.empty()) {
    if (!options.precision.four_bits())
      return error(Errc::bad_request, "a dtype for the storage of codes goes with {}, not with {}",
                   names_of(precisions({FormatKind::table}), " and "), options.precision.label());
    auto storage = parse_quant_storage(options.quant_storage);
    if (!storage) return Error{Errc::bad_request, storage.error().message};
    return storage;
  }
  const auto found = checkpoint.config().find("quantization_config");
  if (!options.precision.four_bits() || checkpoint.is_gguf() || found == checkpoint.config().end()) return DType::u8;
  NIBBLE_TRY(const BnbConfig config, parse_bnb_config(*found));
  return config.bits == 4 ? config.quant_storage : DType::u8;
}

}  // namespace

Result<QuantizeReport> write_folder(Conversion& conversion, const fs::path& out,
                                    const QuantizeCheckpointOptions& options) {
  NIBBLE_TRY(SkipPatterns skip, SkipPatterns::compile(options.precision.skip));
  NIBBLE_CHECK(check_skip(options.precision, conversion.modules()));
  NIBBLE_TRY(const bool stands, check_output(conversion, out, Target::folder, options));
  NIBBLE_TRY(const DType storage, storage_of(conversion.checkpoint(), options));
  FolderWriter writer(conversion, options, std::move(skip), storage);
  NIBBLE_TRY(OutputPlan plan, writer.plan());
  if (stands) return report_finished_output(conversion, writer, plan, out);
  ContinuedOutput output(conversion, writer, std::move(plan), options.replace);
  NIBBLE_CHECK(output.write(out));
  if (auto written = writer.write_small_files(output); !written) return output.leave(written.error());
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const OutputPlan::File& file : output.plan().files) bytes += fs::file_size(output.folder() / file.name, ignored);
  QuantizeReport report = conversion.finish(bytes);
  NIBBLE_CHECK(output.put_in_place(output.folder()));  // last: nothing can fail behind it
  return report;
}

}  // namespace nibble

// A copy as one GGUF file, tensor by tensor; memory holds one at a time.
#include <algorithm>
#include <cmath>

#include "base/digest.hpp"
#include "engine/continued_output.hpp"
#include "engine/finished_output.hpp"
#include "engine/gguf_recipe.hpp"
#include "models/architectures.hpp"
#include "models/gguf_config.hpp"
#include "models/gguf_rope.hpp"
#include "models/part_names.hpp"
#include "ops/quantize_pieces.hpp"
#include "text/tokenizer/tokenizer_convert.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

struct Planned {
  const ModuleSpec* module;
  GgufTensorInfo entry;
  std::int64_t rope_heads = 0;             // > 0: rows stand as gguf_rows.hpp says
  const CheckpointTensor* same = nullptr;  // the source has the very bytes
};

// The source's rows in the order of the file.
ElementReader in_file_order(ElementReader read, GgufRows order, std::int64_t width) {
  return [=, read = std::move(read)](std::int64_t first, std::int64_t count, float* out) {
    read_rows(
        read, [&](std::int64_t row) { return order.in_model(row); }, width, first, count, out);
  };
}

Result<void> encode(const GgmlType& type, const ElementReader& read, std::int64_t rows, std::int64_t cols,
                    std::byte* out, Conversion& conversion) {
  const std::int64_t rows_at_once = std::max<std::int64_t>(1, piece_elements / cols), most = rows_at_once * cols;
  const std::size_t row_bytes = std::size_t(cols) / type.block_elements * type.block_bytes;
  ThreadPool& pool = conversion.pool();
  NIBBLE_TRY(const Buffer scratch,
             Buffer::take(conversion.memory(), std::size_t(pool.size() * most) * sizeof(float), Purpose::workspace));
  FirstBadWeight bad;
  pool.run((rows + rows_at_once - 1) / rows_at_once, [&](std::int64_t piece, int thread) {
    const std::int64_t row = piece * rows_at_once, count = std::min(rows_at_once, rows - row) * cols;
    float* values = scratch.as<float>() + thread * most;
    read(row * cols, count, values);
    for (std::int64_t i = 0; i < count; ++i)
      if (!std::isfinite(values[i])) return bad.report(row * cols + i);
    type.encode(values, count, out + std::size_t(row) * row_bytes);
  });
  if (!bad.found()) return {};
  return error(Errc::corrupt_file,
               "the weight at row {}, column {} is NaN or infinite; check the file or the training run that wrote it",
               bad.element() / cols, bad.element() % cols);
}

class GgufConversion final : public ContinuedOutput::Container {
 public:
  GgufConversion(Conversion& conversion, const GgufRecipe& recipe)
      : conversion_(conversion), recipe_(recipe), gguf_(conversion.checkpoint().gguf()) {}

  Result<QuantizeReport> run(const fs::path& out, const QuantizeCheckpointOptions& options) {
    NIBBLE_TRY(const bool stands, check_output(conversion_, out, Target::file, options));
    const std::string place = conversion_.checkpoint().path().string();
    if (auto ok = plan(); !ok) return ok.error().at(place);
    NIBBLE_TRY(metadata_, describe());
    receipt_ = conversion_.receipt(std::string(recipe_.name));
    NIBBLE_TRY(receipt_.files[std::string(Receipt::metadata_key)], hash_of_metadata(metadata_));
    metadata_.push_back({std::string(Receipt::key), std::string()});
    if (!divisors_.empty()) {
      const std::string name(gguf_rope_tensor);
      entries_.push_back({name, ggml_type("F32"), {std::int64_t(divisors_.size())}});
      receipt_.tensors[name] = {sha256(std::as_bytes(std::span(divisors_))), {}, {}};
    }
    OutputPlan layout;
    layout.form = Target::file;
    layout.to = layout.recipe = recipe_.name;
    for (const Planned& tensor : planned_) {
      if (tensor.entry.type->block_elements > 1)
        ++conversion_.report.quantized_modules;
      else if (tensor.module->role == Role::linear)
        ++conversion_.report.kept_modules;
      const std::string hash(64, '0');
      layout.weights.push_back(
          {tensor.module, {{{tensor.entry.name, tensor.entry.bytes(), {hash, hash, 0.0}}}, {}}, {}});
      entries_.push_back(tensor.entry);
    }
    layout.files.push_back({out.filename().string(), 0, 0, planned_.size()});
    if (stands) return report_finished_output(conversion_, *this, layout, out);
    ContinuedOutput output(conversion_, *this, std::move(layout), options.replace);
    NIBBLE_CHECK(output.write(out));
    const fs::path made = output.folder() / out.filename();
    std::error_code ignored;
    const std::uint64_t bytes = fs::file_size(made, ignored);
    QuantizeReport report = conversion_.finish(bytes);
    NIBBLE_CHECK(output.put_in_place(made));  // last: nothing can fail behind it
    return report;
  }

  // Rope divisors belong to no module and stand first, so they count as head.
  Result<std::string> head(const OutputPlan::File& file, ContinuedOutput::Records records) override {
    for (const Journal::Record* record : records) receipt_.tensors[record->parts[0].name] = record->parts[0].note;
    std::get<std::string>(metadata_.back().value) = receipt_.text();
    NIBBLE_TRY(std::string head, gguf_head(file.name, metadata_, entries_));
    const std::string_view bytes(reinterpret_cast<const char*>(divisors_.data()), divisors_.size() * sizeof(float));
    return std::move(head.append(bytes).append(gguf_padding(bytes.size()), '\0'));
  }
  std::uint64_t padding(std::uint64_t bytes) const override { return gguf_padding(bytes); }

  Result<ContinuedOutput::Made> make(std::size_t index) override {
    const Planned& tensor = planned_[index];
    const ModuleSpec& module = *tensor.module;
    const GgmlType& type = *tensor.entry.type;
    const fs::path& place = conversion_.checkpoint().path();
    if (tensor.same) {
      NIBBLE_CHECK(check_finite(place, *tensor.same));
      return ContinuedOutput::Made{{}, {tensor.same->bytes}};
    }
    NIBBLE_TRY(Buffer blocks, Buffer::take(conversion_.memory(), tensor.entry.bytes(), Purpose::linear_weights));
    NIBBLE_TRY(const StoredWeight stored, conversion_.source().stored(module));
    // A vector is one row.
    const bool matrix = module.cols > 0;
    const std::int64_t rows = matrix ? module.rows : 1, width = matrix ? module.cols : module.rows;
    ElementReader read = stored.read;
    if (tensor.rope_heads > 0)
      read = in_file_order(std::move(read), {module.rows, tensor.rope_heads}, matrix ? module.cols : 1);
    if (auto ok = encode(type, read, rows, width, blocks.as<std::byte>(), conversion_); !ok)
      return ok.error().at(fmt::format("{}: tensor \"{}\"", place.string(), module.name));
    CheckpointTensor copy;
    copy.shape = tensor.entry.shape;
    copy.block_type = &type;
    copy.bytes = {blocks.as<std::byte>(), blocks.bytes()};
    const ErrorSums difference = error_between(
        read, [&](std::int64_t first, std::int64_t count, float* out) { copy.read(first, count, out); },
        std::int64_t(module.elements()), conversion_.pool());
    if (!std::isfinite(difference.difference))
      return error(Errc::unsupported, "{}: tensor \"{}\": some values are beyond what {} holds; choose f32 or bf16",
                   place.string(), module.name, type.name);
    return ContinuedOutput::Made{std::make_shared<Buffer>(std::move(blocks)), {copy.bytes}, 0, difference};
  }

 private:
  // Types, shapes and the order of rows; refuses what cannot be written before anything is.
  Result<void> plan() {
    const ModelConfig& config = conversion_.config();
    NIBBLE_TRY(config_keys_, write_gguf_config(config, conversion_.checkpoint().path().stem().string()));
    divisors_ = gguf_ ? stored_rope_divisors(conversion_.checkpoint()) : std::vector<float>();
    if (divisors_.empty()) divisors_ = rope_divisors_of(config);
    const bool rope_order = architecture_of_type(config.model_type)->gguf_rope_order;
    for (const ModuleSpec& module : conversion_.modules()) {
      Planned tensor;
      tensor.module = &module;
      tensor.entry.name = gguf_name(module.name);
      tensor.entry.shape = {module.rows};
      tensor.entry.type = ggml_type("F32");  // of norms and biases
      if (module.cols > 0) {
        tensor.entry.shape.push_back(module.cols);
        NIBBLE_TRY(tensor.entry.type, gguf_matrix_type(recipe_, config, config.model_type, module));
      }
      if (rope_order) tensor.rope_heads = rope_heads_of(module.part, config.heads, config.kv_heads);
      const std::string quantized = conversion_.quantized_as(module);
      if (gguf_ || quantized.empty()) {
        NIBBLE_TRY(const CheckpointTensor* stored, find_tensor(conversion_.checkpoint(), module));
        if (stored->type == tensor.entry.type->name && stored->rope_heads == tensor.rope_heads) tensor.same = stored;
      }
      if (!quantized.empty() && !tensor.same && tensor.entry.type->name != "F32")
        NIBBLE_CHECK(conversion_.round_again(module, recipe_.name));
      planned_.push_back(std::move(tensor));
    }
    return {};
  }

  // All keys: a GGUF source's own, else the config's and the tokenizer's.
  Result<std::vector<GgufEntry>> describe() {
    std::vector<GgufEntry> out;
    if (gguf_) {
      for (std::size_t i = 0; i < gguf_->metadata().size(); ++i) {
        const std::string& key = gguf_->metadata()[i].first;
        if (key != "general.file_type" && key != "general.quantization_version" && key != "general.alignment" &&
            !key.starts_with("split.") && key != Receipt::key)
          out.push_back({key, gguf_->raw_metadata()[i]});
      }
    } else {
      const Checkpoint& checkpoint = conversion_.checkpoint();
      out = std::move(config_keys_);
      NIBBLE_TRY(std::vector<GgufEntry> tokenizer,
                 tokenizer_to_gguf(checkpoint.path(), conversion_.config().vocab_size));
      for (GgufEntry& entry : tokenizer) out.push_back(std::move(entry));
      if (!checkpoint.chat_template().empty()) out.push_back({"tokenizer.chat_template", checkpoint.chat_template()});
    }
    out.push_back({"general.file_type", recipe_.number});
    out.push_back({"general.quantization_version", std::uint32_t(2)});  // ggml's blocks as they are since 2023
    return out;
  }

  Conversion& conversion_;
  const GgufRecipe& recipe_;
  const Gguf* gguf_;  // the source, if it is one
  std::vector<GgufEntry> config_keys_;
  std::vector<float> divisors_;  // of rope
  std::vector<Planned> planned_;
  std::vector<GgufEntry> metadata_;      // the last is the receipt
  std::vector<GgufTensorInfo> entries_;  // of the file
  Receipt receipt_;
};

}  // namespace

Result<QuantizeReport> write_gguf(Conversion& conversion, const fs::path& out,
                                  const QuantizeCheckpointOptions& options) {
  return GgufConversion(conversion, *gguf_recipe(options.gguf_type)).run(out, options);
}

}  // namespace nibble

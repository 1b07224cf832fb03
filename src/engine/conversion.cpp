#include "engine/conversion.hpp"

#include "base/digest.hpp"
#include "base/out_of_memory.hpp"
#include "engine/claimed_tensors.hpp"
#include "engine/gguf_recipe.hpp"
#include "engine/load.hpp"
#include "io/codecs/bnb.hpp"

namespace nibble {

namespace fs = std::filesystem;

Result<std::unique_ptr<Conversion>> Conversion::open(const fs::path& path, const QuantizeCheckpointOptions& options) {
  NIBBLE_CHECK(check_threads(options.threads));
  std::unique_ptr<Conversion> out(new Conversion(options));
  NIBBLE_TRY(out->checkpoint_, Checkpoint::open(path));
  NIBBLE_TRY(out->config_, read_model_config(out->checkpoint_->config(), path.string(), options.ignore_config));
  NIBBLE_TRY(const QuantizationConfig stored, resolve_precision({}, *out->checkpoint_));
  NIBBLE_TRY(const std::vector<std::string> left_out,
             unclaimed_tensors(*out->checkpoint_, out->config_, options.ignore_tensors));
  for (const std::string& note : out->checkpoint_->notes()) out->say(note);
  if (!left_out.empty())
    out->say(fmt::format("{} that the model does not compute with {} left out: \"{}\"{}",
                         left_out.size() == 1 ? std::string("a tensor") : fmt::format("{} tensors", left_out.size()),
                         left_out.size() == 1 ? "is" : "are",
                         fmt::join(std::span(left_out).first(std::min(left_out.size(), std::size_t(3))), "\", \""),
                         left_out.size() > 3 ? " and more" : ""));
  out->stored_ = stored.label();
  out->modules_ = list_modules(out->config_);
  std::string types;
  for (const ModuleSpec& module : out->modules_) {
    out->source_bytes_ += out->bytes_of(module);
    if (const std::string type = out->quantized_as(module); !type.empty() && types.find(type) == std::string::npos)
      types += (types.empty() ? "" : ", ") + type;
  }
  if (!types.empty()) out->stored_ = types;
  out->source_ = checkpoint_source(*out->checkpoint_, *out->memory_, out->copies_);
  return out;
}

std::string Conversion::quantized_as(const ModuleSpec& module) const {
  if (module.cols == 0) return {};
  const TensorLookup lookup = [&](std::string_view name) { return checkpoint_->find_stored(name); };
  if (is_bnb_weight(lookup, module.name)) return stored_;
  const CheckpointTensor* tensor = checkpoint_->find(module.name);
  return tensor && !tensor->dtype ? tensor->type : std::string();
}

Result<void> Conversion::round_again(const ModuleSpec& module, std::string_view to) {
  const std::string from = quantized_as(module);
  if (!options_.allow_requantize)
    return error(Errc::bad_request,
                 "{}: tensor \"{}\" is already quantized ({}); as {} it would be rounded a second time, and the error "
                 "adds to the first. Convert from the original model, write fp32 or f32, which keeps every value, or "
                 "pass --allow-requantize to accept it",
                 checkpoint_->path().string(), module.name, from, to);
  if (report.requantized_from.find(from) == std::string::npos)
    report.requantized_from += (report.requantized_from.empty() ? "" : ", ") + from;
  return {};
}

Receipt Conversion::receipt(std::string recipe) const {
  Receipt out;
  out.version = NIBBLE_VERSION;
  out.recipe = std::move(recipe);
  out.source_type = stored_;
  return out;
}

std::uint64_t Conversion::bytes_of(const ModuleSpec& module) const {
  std::uint64_t sum = 0;
  for (const CheckpointTensor* part : checkpoint_->parts_of(module.name)) sum += part->bytes.size();
  return sum;
}

std::string Conversion::source_files() const {
  std::string out;
  for (const auto& file : checkpoint_->files()) {
    std::error_code code;
    const auto time = fs::last_write_time(file->path(), code).time_since_epoch().count();
    out += fmt::format("{} {} {}\n", file->path().filename().string(), file->bytes().size(), time);
  }
  return out;
}

Result<void> Conversion::may_go_on(const fs::path& out) const {
  if (options_.stop && options_.stop()) return error(Errc::cancelled, "{}: stopped", out.string());
  return {};
}

std::vector<Receipt::Tensor> Conversion::notes(const ModuleSpec& module, const ErrorSums& error,
                                               const std::vector<std::span<const std::byte>>& parts, std::size_t own) {
  std::vector<Receipt::Tensor> notes(parts.size());
  pool_.run(std::int64_t(parts.size()) + 1, [&](std::int64_t piece, int) {
    if (piece == 0)
      notes[own].source = source_hash(*checkpoint_, module.name);
    else
      notes[std::size_t(piece - 1)].sha256 = sha256(parts[std::size_t(piece - 1)]);
  });
  notes[own].error = error.relative();
  return notes;
}

void Conversion::module_done(const ModuleSpec& module) {
  drop_copies();
  report.peak_buffer_bytes = std::max(report.peak_buffer_bytes, memory_->use().peak_total);
  done_ += bytes_of(module);
  show_progress();
}

void Conversion::count_earlier(const ModuleSpec& module, std::uint64_t written) {
  done_ += bytes_of(module);
  report.bytes_taken_over += written;
}

void Conversion::show_progress() const {
  if (options_.progress) options_.progress(done_, source_bytes_);
}

void Conversion::account(const ModuleSpec& module, const ErrorSums& error) {
  if (const double relative = error.relative(); relative > report.worst_error) {
    report.worst_error = relative;
    report.worst_tensor = module.name;
  }
  sums_.add(error);
}

QuantizeReport Conversion::finish(std::uint64_t bytes_written) {
  report.relative_error = sums_.relative();
  report.bytes_read = checkpoint_->file_bytes();
  report.bytes_written = bytes_written;
  report.seconds = now_seconds() - start_;
  return report;
}

Result<void> check_finite(const fs::path& path, const CheckpointTensor& tensor) {
  const std::int64_t bad = first_nonfinite(tensor);
  if (bad < 0) return {};
  return error(Errc::corrupt_file,
               "{}: tensor \"{}\": element {} is NaN or infinite; check the file or the training run that wrote it",
               path.string(), tensor.name, bad);
}

bool is_gguf_type(std::string_view name) { return gguf_recipe(name) != nullptr; }
std::string gguf_type_names() { return gguf_recipe_names(); }

namespace {

Result<QuantizeReport> convert(const fs::path& path, const fs::path& out, const QuantizeCheckpointOptions& options) {
  if (out.empty()) return error(Errc::bad_request, "the name of the output is empty; name a new folder or NAME.gguf");
  std::string extension = out.extension().string();
  for (char& c : extension) c = char(std::tolower(static_cast<unsigned char>(c)));
  const bool file = extension == ".gguf";
  if (options.gguf_type.empty()) {
    if (options.precision.format == Precision::stored)
      return error(Errc::bad_request, "name the precision to write: {}", names_of(precisions(), " or "));
    if (file)
      return error(Errc::bad_request, "{}: a .gguf file cannot hold {}; name a folder, or one of GGUF's types: {}",
                   out.string(), options.precision.label(), gguf_type_names());
    NIBBLE_CHECK(options.precision.check());
  } else {
    if (!is_gguf_type(options.gguf_type))
      return error(Errc::bad_request, "\"{}\" is no type of a GGUF file; there are {}", options.gguf_type,
                   gguf_type_names());
    if (!file)
      return error(Errc::bad_request,
                   "{}: {} is a type of GGUF files; name a file that ends in .gguf, or write a folder in {}",
                   out.string(), options.gguf_type, names_of(precisions(), " or "));
  }
  NIBBLE_TRY(const auto conversion, Conversion::open(path, options));
  return file ? write_gguf(*conversion, out, options) : write_folder(*conversion, out, options);
}

}  // namespace

Result<QuantizeReport> quantize_checkpoint(const fs::path& path, const fs::path& out,
                                           const QuantizeCheckpointOptions& options) {
  return or_out_of_memory(path.native(), "writing a copy", [&] { return convert(path, out, options); });
}

}  // namespace nibble

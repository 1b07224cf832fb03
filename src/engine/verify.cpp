#include "nibble/verify.hpp"

#include <algorithm>
#include <cmath>

#include "base/digest.hpp"
#include "base/out_of_memory.hpp"
#include "engine/finished_output.hpp"
#include "engine/folder_companions.hpp"
#include "engine/load.hpp"
#include "io/folder.hpp"
#include "models/part_names.hpp"
#include "ops/relative_error.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

// Numbers in a receipt have seven digits.
constexpr double rounding = 1e-6;

Result<Receipt> receipt_of(const Checkpoint& checkpoint) {
  if (const Gguf* gguf = checkpoint.gguf(); gguf && gguf->find(Receipt::key))
    if (const auto text = gguf->text(Receipt::key); !text) return text.error().at(checkpoint.path().string());
  const std::vector<std::string> texts = checkpoint.metadata_texts(Receipt::key);
  if (texts.empty())
    return error(Errc::unsupported,
                 "{}: has no receipt, so there is nothing to check it against; `quantize` writes one",
                 checkpoint.path().string());
  std::optional<Receipt> all;
  for (const std::string& text : texts) {
    const std::string place = checkpoint.path().string();
    NIBBLE_TRY(Receipt part, Receipt::parse(text, place));
    if (!all) all = {part.version, part.recipe, part.source_type, {}, {}};
    if (part.version != all->version || part.recipe != all->recipe || part.source_type != all->source_type)
      return error(
          Errc::corrupt_file,
          "{}: its files are of different conversions ({} from {} by {}, and {} from {} by {}); take them again "
          "or convert the model anew",
          place, all->recipe, all->source_type, all->version, part.recipe, part.source_type, part.version);
    all->tensors.merge(part.tensors);
    all->files.merge(part.files);
    if (!part.tensors.empty())
      return error(Errc::corrupt_file, "{}: two receipts tell of tensor \"{}\"; take its files again", place,
                   part.tensors.begin()->first);
  }
  return std::move(*all);
}

void check_hashes(const Checkpoint& checkpoint, const Receipt& receipt, ThreadPool& pool, const Progress& progress,
                  VerifyReport& report) {
  const auto name_in_file = [&](const CheckpointTensor& tensor) {
    return checkpoint.is_gguf() ? gguf_name(tensor.name) : tensor.name;
  };
  const std::vector<CheckpointTensor>& tensors = checkpoint.tensors();
  std::vector<std::string> hashes(tensors.size());
  const auto at_once = std::size_t(4 * pool.size());  // so that progress is shown in between
  for (std::size_t first = 0; first < tensors.size(); first += at_once) {
    const std::size_t count = std::min(at_once, tensors.size() - first);
    pool.run(std::int64_t(count), [&](std::int64_t i, int) {
      hashes[first + std::size_t(i)] = sha256(tensors[first + std::size_t(i)].bytes);
    });
    if (progress) progress(double(first + count) / double(tensors.size()));
  }
  report.tensors = tensors.size();
  std::size_t known = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string name = name_in_file(tensors[i]);
    const auto found = receipt.tensors.find(name);
    if (found == receipt.tensors.end()) {
      report.problems.push_back(fmt::format("tensor \"{}\" is not in the receipt: it was added later", name));
      continue;
    }
    ++known;
    if (found->second.sha256 != hashes[i])
      report.problems.push_back(fmt::format("tensor \"{}\" is not what was written: its bytes have changed", name));
  }
  if (known == receipt.tensors.size()) return;
  for (const auto& [name, tensor] : receipt.tensors)
    if (std::none_of(tensors.begin(), tensors.end(), [&](const auto& t) { return name_in_file(t) == name; }))
      report.problems.push_back(fmt::format("tensor \"{}\" is gone", name));
}

// What stands beside the tensors and decides as much; of old receipts nothing is known.
Result<void> check_files(const Checkpoint& checkpoint, const Receipt& receipt, VerifyReport& report) {
  if (receipt.files.empty()) return {};
  std::map<std::string, std::string> found;
  if (const Gguf* gguf = checkpoint.gguf()) {
    std::vector<GgufEntry> entries;
    for (std::size_t i = 0; i < gguf->metadata().size(); ++i)
      if (gguf->metadata()[i].first != Receipt::key)
        entries.push_back({gguf->metadata()[i].first, gguf->raw_metadata()[i]});
    NIBBLE_TRY(found[std::string(Receipt::metadata_key)], hash_of_metadata(entries));
  } else {
    NIBBLE_TRY(const std::vector<std::string> names, names_in_folder(checkpoint.path()));
    for (const std::string& name : names)
      if (name == "config.json" || decides_beside_weights(name)) {
        NIBBLE_TRY(found[name], digest_of_file(checkpoint.path() / name, DigestKind::sha256));
      }
  }
  report.files = receipt.files.size();
  for (const auto& [name, hash] : receipt.files) {
    const auto file = found.find(name);
    if (file == found.end())
      report.problems.push_back(fmt::format("{} is gone", name));
    else if (file->second != hash)
      report.problems.push_back(fmt::format("{} is not what was written", name));
  }
  for (const auto& [name, hash] : found)
    if (!receipt.files.contains(name)) report.problems.push_back(fmt::format("{} was added later", name));
  return {};
}

Result<void> check_source(const Checkpoint& checkpoint, const fs::path& path, const Receipt& receipt, ThreadPool& pool,
                          const Progress& progress, VerifyReport& report) {
  NIBBLE_TRY(const auto source, Checkpoint::open(path));
  NIBBLE_TRY(const ModelConfig config, read_model_config(checkpoint.config(), checkpoint.path().string()));
  const std::shared_ptr<Allocator> memory = host_memory();
  std::vector<Buffer> copies;
  const auto original = checkpoint_source(*source, *memory, copies),
             written = checkpoint_source(checkpoint, *memory, copies);
  const std::vector<ModuleSpec> modules = list_modules(config);
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const ModuleSpec& module = modules[i];
    const auto found = receipt.tensors.find(checkpoint.is_gguf() ? gguf_name(module.name) : module.name);
    if (found == receipt.tensors.end() || !found->second.error) continue;  // said already
    if (source_hash(*source, module.name) != found->second.source) {
      report.problems.push_back(
          fmt::format("tensor \"{}\" of {} is not what this was made from", module.name, path.string()));
      continue;
    }
    NIBBLE_TRY(const StoredWeight before, original->stored(module));
    NIBBLE_TRY(const StoredWeight after, written->stored(module));
    const double now = error_between(before.read, after.read, std::int64_t(module.elements()), pool).relative(),
                 then = *found->second.error;
    if (!(std::fabs(now - then) <= rounding * std::max(now, then)))
      report.problems.push_back(
          fmt::format("tensor \"{}\" has a relative error of {:.6e}, the receipt says {:.6e}", module.name, now, then));
    ++report.compared;
    copies.clear();
    if (progress) progress(double(i + 1) / double(modules.size()));
  }
  return {};
}

Result<VerifyReport> verify(const fs::path& out, const std::optional<fs::path>& source, const VerifyOptions& options) {
  NIBBLE_CHECK(check_threads(options.threads));
  NIBBLE_TRY(const auto checkpoint, Checkpoint::open(out));
  NIBBLE_TRY(const Receipt receipt, receipt_of(*checkpoint));
  VerifyReport report;
  report.recipe = receipt.recipe;
  report.source_type = receipt.source_type;
  report.version = receipt.version;
  for (const auto& [name, tensor] : receipt.tensors)
    if (tensor.error && *tensor.error > report.worst_error) {
      report.worst_error = *tensor.error;
      report.worst_tensor = name;
    }
  ThreadPool pool(options.threads);
  const auto part = [&](double begin, double share) -> Progress {
    if (!options.progress) return {};
    return [=, &options](double done) { options.progress(begin + share * done); };
  };
  NIBBLE_CHECK(check_files(*checkpoint, receipt, report));
  check_hashes(*checkpoint, receipt, pool, part(0, source ? 0.3 : 1), report);
  if (source) NIBBLE_CHECK(check_source(*checkpoint, *source, receipt, pool, part(0.3, 0.7), report));
  return report;
}

}  // namespace

Result<VerifyReport> verify_checkpoint(const fs::path& out, const std::optional<fs::path>& source,
                                       const VerifyOptions& options) {
  return or_out_of_memory(out.native(), "verifying", [&] { return verify(out, source, options); });
}

}  // namespace nibble

// Where the seconds of a load go. The files are examined first (page cache, disk), then touched once, so that the loads
// that follow show computing alone.

#include "base/clock.hpp"
#include "base/out_of_memory.hpp"
#include "engine/available_memory.hpp"
#include "io/storage.hpp"
#include "measure/doctor_findings.hpp"
#include "measure/doctor_sample.hpp"
#include "measure/load_options.hpp"

namespace nibble {
namespace {

constexpr std::uint64_t disk_sample = std::uint64_t(64) << 20;  // bytes

// One byte of every page is enough to bring the page.
Result<void> touch(const MappedFile& file, const ExamineOptions& options) {
  constexpr std::size_t page = 4096, between_questions = std::size_t(256) << 20;
  volatile std::byte sink{};
  for (std::size_t at = 0; at < file.bytes().size(); at += page) {
    if (at % between_questions == 0) NIBBLE_CHECK(check_stop(options));
    sink = file.bytes()[at];
  }
  static_cast<void>(sink);
  return {};
}

Result<void> examine_files(const Checkpoint& checkpoint, const ExamineOptions& options, LoadingReport& report) {
  report.file_bytes = checkpoint.file_bytes();
  report.available_bytes = available_memory().bytes;
  const std::vector<std::shared_ptr<MappedFile>> files = checkpoint.files();
  const MappedFile* largest = nullptr;
  double cached = 0, size = 0;
  for (const auto& file : files) {
    const auto bytes = double(file->bytes().size());
    cached += cached_share(*file) * bytes;
    size += bytes;
    if (!largest || file->bytes().size() > largest->bytes().size()) largest = file.get();
  }
  report.cached_share = size > 0 ? cached / size : 0;
  if (largest) {
    NIBBLE_TRY(const Storage storage, storage_of(largest->path()));
    report.filesystem = storage.filesystem;
    report.network = storage.network;
    if (const auto rate = uncached_read_rate(largest->path(), disk_sample)) report.disk_gb_per_s = *rate / 1e9;
  }
  const double start = now_seconds();
  for (const auto& file : files) NIBBLE_CHECK(touch(*file, options));
  report.read_seconds = now_seconds() - start;
  return {};
}

Result<LoadingTime> time_load(const std::filesystem::path& path, const QuantizationConfig& precision,
                              const ExamineOptions& options) {
  NIBBLE_CHECK(check_stop(options));
  NIBBLE_TRY(const auto model, load_model(path, load_options(options, precision)));
  LoadingTime out;
  out.precision = model->precision;
  out.seconds = model->load_seconds;
  out.opening_seconds = model->times.opening;
  out.quantizing_seconds = model->times.converting;
  out.packing_seconds = model->times.packing;
  out.weight_bytes = model->memory().weights_total();
  out.as_stored = model->times.converting == 0;
  return out;
}

Result<LoadingReport> examine_loads(const std::filesystem::path& path, const QuantizationConfig& precision,
                                    const ExamineOptions& options) {
  NIBBLE_CHECK(precision.check());
  LoadingReport report;
  {
    NIBBLE_TRY(const auto checkpoint, Checkpoint::open(path));
    NIBBLE_TRY(const QuantizationConfig stored, resolve_precision({}, *checkpoint));
    report.quantized = is_quantized(stored);
    NIBBLE_CHECK(examine_files(*checkpoint, options, report));
  }
  std::vector<QuantizationConfig> precisions = {{}, QuantizationConfig::int8()};
  if (precision.format != Precision::int8) precisions.push_back(precision);
  for (const QuantizationConfig& next : precisions) {
    if (options.progress) options.progress(double(report.loads.size() + 1) / double(precisions.size() + 1));
    NIBBLE_TRY(const LoadingTime time, time_load(path, next, options));
    report.loads.push_back(time);
  }
  report.findings = loading_findings(report, path);
  if (options.progress) options.progress(1);
  return report;
}

}  // namespace

Result<LoadingReport> examine_loading(const std::filesystem::path& path, const QuantizationConfig& precision,
                                      const ExamineOptions& options) {
  return or_out_of_memory(path.native(), "timing loads", [&] { return examine_loads(path, precision, options); });
}

}  // namespace nibble

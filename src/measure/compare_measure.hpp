// What one process learns about one precision.
#pragma once

#include <cstdio>
#include <memory>
#include <span>
#include <utility>

#include "io/folder.hpp"
#include "io/mapped_file.hpp"
#include "nibble/compare.hpp"

namespace nibble {

// What the reference predicted, in an unlinked file: written by the process that measures the reference, read by the
// others. Each process has its own position.
class ReferenceLogits {
 public:
  static constexpr std::uint64_t budget = std::uint64_t(256) << 20;  // bytes

  static Result<ReferenceLogits> create();
  void write(std::span<const float> logits);
  void read(std::span<float> logits);
  bool failed() const { return failed_; }

 private:
  explicit ReferenceLogits(std::FILE* file) : file_(file, std::fclose) {}
  std::int64_t next(std::span<const float> logits) {
    return std::exchange(offset_, offset_ + std::int64_t(logits.size_bytes()));
  }
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::int64_t offset_ = 0;
  bool failed_ = false;
};

struct PrecisionReport {
  PrecisionResult result;
  std::string machine, instruction_set, recipe, prompt;
  int threads = 0;
  std::int64_t predicted_tokens = 0, context = 0, stride = 0;
  bool bos = false;
  std::uint64_t parameters = 0;
  bool chat = false;
};

// A temporary folder for a stored copy; it goes with this object, so that it outlives no child that is stopped.
class CopyFolder {
 public:
  static Result<CopyFolder> create(bool wanted);
  CopyFolder(CopyFolder&& other) noexcept { path_.swap(other.path_); }
  ~CopyFolder() {
    if (!path_.empty()) remove_folder(path_.c_str());
  }
  const std::string& path() const { return path_; }  // empty: none was wanted

 private:
  CopyFolder() = default;
  std::string path_;
};

// is_reference: its predictions are what later ones are measured against.
Result<PrecisionReport> measure_precision(const std::filesystem::path& path, const QuantizationConfig& precision,
                                          const CompareOptions& options, bool is_reference, ReferenceLogits& logits,
                                          const CopyFolder& copies, const Progress& progress);

}  // namespace nibble

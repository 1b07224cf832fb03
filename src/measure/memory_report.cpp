#include "nibble/memory_report.hpp"

#include "engine/load.hpp"
#include "engine/loader.hpp"
#include "measure/process_memory.hpp"

namespace nibble {
struct MemoryWatch::State {
  PeakMemory peak;
};

MemoryWatch::MemoryWatch() : state_(std::make_unique<State>()) {}
MemoryWatch::MemoryWatch(MemoryWatch&&) noexcept = default;
MemoryWatch::~MemoryWatch() = default;

MemoryCheck MemoryWatch::check(const std::vector<const Model*>& models) const {
  MemoryCheck out;
  const ProcessMemory seen = state_->peak.peak();
  out.measured_peak = seen.anonymous;
  out.measured_mapped = seen.mapped;
  std::uint64_t planned = 0, allocated = 0;
  std::uint64_t& process = out.predicted.at(Purpose::process);
  process = program_bytes;
  for (const Model* handle : models) {
    const LoadedModel& model = handle->implementation();
    out.predicted += model.planned.highest;
    planned += model.planned.peak();
    const MemoryUse& use = model.backend->memory().use();
    out.measured += report_of(use.peak, model.mapped);
    allocated += use.peak_total;
    const std::int64_t vocabulary = model.transformer->config().vocab_size;
    if (model.checkpoint && model.checkpoint->is_gguf()) process += metadata_bytes(vocabulary);
    if (model.has_read_tokenizer()) process += tokenizer_bytes(vocabulary);
    process += model.planned.text;
  }
  out.predicted_peak = planned + process;
  out.measured.at(Purpose::process) = out.measured_peak > allocated ? out.measured_peak - allocated : 0;
  return out;
}

std::string to_table(const MemoryCheck& c) {
  std::string out = fmt::format("{:<22}{:>12}{:>12}\n", "memory, MB", "predicted", "measured");
  const auto row = [&](std::string_view name, std::uint64_t predicted, std::uint64_t measured) {
    out += fmt::format("{:<22}{:>12.3f}{:>12.3f}\n", name, double(predicted) / 1e6, double(measured) / 1e6);
  };
  for (const PurposeFacts& p : purposes) row(p.label, c.predicted[p.purpose], c.measured[p.purpose]);
  row("of these mapped", c.predicted.mapped, c.measured.mapped);
  row("own memory, peak", c.predicted_peak, c.measured_peak);
  return out + fmt::format("{:<22}{:>12}{:>11.2f} %\n", "", "off by",
                           c.measured_peak ? 100 * (double(c.predicted_peak) / double(c.measured_peak) - 1) : 0.0);
}

}  // namespace nibble

#include "nibble/memory_report.hpp"

#include "engine/load.hpp"
#include "engine/loader.hpp"
#include "measure/process_memory.hpp"

namespace nibble {
namespace {

void add(MemoryReport& sum, const MemoryReport& part) {
  sum.linear_weights += part.linear_weights, sum.quantization_state += part.quantization_state,
      sum.embeddings_and_head += part.embeddings_and_head, sum.norms += part.norms, sum.buffers += part.buffers,
      sum.kv_cache += part.kv_cache, sum.activations += part.activations, sum.mapped += part.mapped;
}

}  // namespace

struct MemoryWatch::State {
  PeakMemory peak;
};

MemoryWatch::MemoryWatch() : state_(std::make_unique<State>()) {}
MemoryWatch::MemoryWatch(MemoryWatch&&) noexcept = default;
MemoryWatch::~MemoryWatch() = default;

MemoryCheck MemoryWatch::check(const std::vector<const Model*>& models) const {
  MemoryCheck out;
  const ProcessMemory process = state_->peak.peak();
  out.measured_peak = process.anonymous, out.measured_mapped = process.mapped;
  out.predicted.process = program_bytes;
  std::uint64_t planned = 0, taken = 0;
  for (const Model* handle : models) {
    const LoadedModel& model = handle->implementation();
    add(out.predicted, model.planned.highest), planned += model.planned.peak();
    const MemoryUse& use = model.backend->memory().use();
    add(out.measured, report_of(use.peak, model.mapped)), taken += use.peak_total;
    const std::int64_t vocabulary = model.transformer->config().vocab_size;
    if (model.checkpoint && model.checkpoint->is_gguf()) out.predicted.process += metadata_bytes(vocabulary);
    if (model.has_read_tokenizer()) out.predicted.process += tokenizer_bytes(vocabulary);
    out.predicted.process += model.planned.text;
  }
  out.predicted_peak = planned + out.predicted.process;
  out.measured.process = out.measured_peak > taken ? out.measured_peak - taken : 0;
  return out;
}

std::string to_table(const MemoryCheck& c) {
  std::string out = fmt::format("{:<22}{:>12}{:>12}\n", "memory, MB", "predicted", "measured");
  const auto row = [&](const char* name, std::uint64_t predicted, std::uint64_t measured) {
    out += fmt::format("{:<22}{:>12.3f}{:>12.3f}\n", name, double(predicted) / 1e6, double(measured) / 1e6);
  };
  const MemoryReport &p = c.predicted, &m = c.measured;
  row("linear weights", p.linear_weights, m.linear_weights), row("scales", p.quantization_state, m.quantization_state);
  row("embeddings and head", p.embeddings_and_head, m.embeddings_and_head), row("norms", p.norms, m.norms);
  row("rope tables", p.buffers, m.buffers), row("KV cache", p.kv_cache, m.kv_cache);
  row("activations", p.activations, m.activations), row("process", p.process, m.process);
  row("of these mapped", p.mapped, m.mapped);
  row("own memory, peak", c.predicted_peak, c.measured_peak);
  return out + fmt::format("{:<22}{:>12}{:>11.2f} %\n", "", "off by",
                           c.measured_peak ? 100 * (double(c.predicted_peak) / double(c.measured_peak) - 1) : 0.0);
}

}  // namespace nibble

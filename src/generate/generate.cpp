#include "nibble/generate.hpp"

#include <algorithm>

#include "base/out_of_memory.hpp"
#include "generate/batcher.hpp"

namespace nibble {
namespace {

// Draws are those that a sequence would have alone; a prompt given again has draws of its own.
std::vector<SequenceRequest> requests_of(const std::vector<std::vector<std::int32_t>>& prompts,
                                         const GenerateOptions& options) {
  std::vector<SequenceRequest> requests;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    SequenceRequest request{.prompt = prompts[i],
                            .max_new_tokens = options.max_new_tokens,
                            .context = options.context,
                            .sampling = options.sampling,
                            .stop_strings = options.stop_strings,
                            .ignore_eos = options.ignore_eos};
    request.stream = std::uint64_t(std::count(prompts.begin(), prompts.begin() + std::ptrdiff_t(i), prompts[i]));
    if (options.on_text) request.on_text = [&options, i](std::string_view text) { return options.on_text(i, text); };
    requests.push_back(std::move(request));
  }
  return requests;
}

Result<std::vector<Generation>> generate_all(const Model& model, const std::vector<std::vector<std::int32_t>>& prompts,
                                             const GenerateOptions& options) {
  Batcher pool(model.implementation());
  std::vector<SequenceRequest> requests = requests_of(prompts, options);
  NIBBLE_CHECK(pool.plan(requests));
  std::vector<Generation> results(prompts.size());
  for (SequenceRequest& request : requests) NIBBLE_CHECK(pool.add(std::move(request)));
  double decode_seconds = 0;
  while (pool.running()) {
    NIBBLE_TRY(const std::vector<SequenceId> ended, pool.step(options.stop));
    for (const SequenceId id : ended) {
      NIBBLE_TRY(results[id], pool.remove(id));  // one that fails is the failure of all
      decode_seconds = std::max(decode_seconds, results[id].decode_seconds);
    }
  }
  for (Generation& result : results) result.decode_seconds = decode_seconds;
  return results;
}

}  // namespace

std::string_view name_of(StopReason reason) {
  constexpr std::string_view names[] = {"length", "end_token", "stop_string", "cancelled"};
  return names[int(reason)];
}

Result<std::vector<Generation>> generate_ids(const Model& model, const std::vector<std::vector<std::int32_t>>& prompts,
                                             const GenerateOptions& options) {
  return or_out_of_memory("", "generating", [&] { return generate_all(model, prompts, options); });
}

Result<std::vector<Generation>> generate(const Model& model, const std::vector<std::string>& prompts,
                                         const GenerateOptions& options) {
  return or_out_of_memory("", "generating", [&]() -> Result<std::vector<Generation>> {
    NIBBLE_TRY(const auto tokenizer, model.implementation().tokenizer());
    std::vector<std::vector<std::int32_t>> ids;
    for (const std::string& prompt : prompts) ids.push_back(tokenizer->encode(prompt));
    return generate_all(model, ids, options);
  });
}

}  // namespace nibble

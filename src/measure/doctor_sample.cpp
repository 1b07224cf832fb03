#include "measure/doctor_sample.hpp"

#include "measure/load_options.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {

constexpr std::int64_t fewest_tokens = 32;

LoadOptions reference_options(const ExamineOptions& options) {
  LoadOptions load = load_options(options);
  load.precision.compute_dtype = Precision::fp32;
  return load;
}

Result<std::vector<std::int32_t>> sample_tokens(LoadedModel& model, const ExamineOptions& options) {
  const std::int64_t most = model.transformer->config().max_positions;
  if (options.max_tokens < fewest_tokens || options.max_tokens > most)
    return error(Errc::bad_request, "a sample of {} tokens was asked for, expected {} to {}", options.max_tokens,
                 fewest_tokens, most);
  NIBBLE_TRY(const auto tokenizer, model.tokenizer());
  std::vector<std::int32_t> ids = tokenizer->encode(options.text, {true, false});
  if (std::int64_t(ids.size()) < fewest_tokens)
    return error(Errc::bad_request,
                 "the sample text has {} tokens, fewer than the {} that an examination needs; name a longer one "
                 "(--text FILE)",
                 ids.size(), fewest_tokens);
  if (std::int64_t(ids.size()) > options.max_tokens) ids.resize(std::size_t(options.max_tokens));
  return ids;
}

Result<void> check_stop(const ExamineOptions& options) {
  if (options.stop && options.stop()) return error(Errc::cancelled, "stopped");
  return {};
}

}  // namespace nibble

// An output that has its name already: left alone, found to be what is asked for, or replaced.
#pragma once

#include "engine/continued_output.hpp"
#include "io/gguf_head.hpp"

namespace nibble {

// Whether something of this form stands there that the same conversion may have made. Errors: as
// WorkFolder::check_target(), and for options.replace what only its owner should remove.
Result<bool> check_output(const Conversion& conversion, const std::filesystem::path& target, Target form,
                          const QuantizeCheckpointOptions& options);

// What stands there is, to the byte, what the plan makes of this source: the report says so. bad_request: it is not.
Result<QuantizeReport> report_finished_output(Conversion& conversion, ContinuedOutput::Container& container,
                                              OutputPlan& plan, const std::filesystem::path& target);

// Hash of a GGUF file's keys and values; `metadata` is without the receipt.
Result<std::string> hash_of_metadata(const std::vector<GgufEntry>& metadata);

}  // namespace nibble

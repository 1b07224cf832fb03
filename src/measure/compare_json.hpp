// Results as JSON: what children send to their parent and what `--json` prints.
#pragma once

#include "io/json.hpp"
#include "nibble/compare.hpp"

namespace nibble {

Json to_json_object(const MemoryReport& memory);
Json to_json_object(const PrecisionResult& result);
PrecisionResult result_from_json(const Json& json);

}  // namespace nibble

#include "measure/compare_json.hpp"

namespace nibble {
namespace {

MemoryReport memory_from_json(const Json& json) {
  MemoryReport memory;
  for (const PurposeFacts& p : purposes) memory.at(p.purpose) = json[p.key];
  memory.mapped = json["mapped"];
  return memory;
}

// One list of fields for both directions.
template <class Value, class Visit>
void visit_repeats(Value& repeats, Visit visit) {
  visit("prefill_lowest_tokens_per_s", repeats.prefill_lowest);
  visit("prefill_highest_tokens_per_s", repeats.prefill_highest);
  visit("decode_lowest_tokens_per_s", repeats.decode_lowest);
  visit("decode_highest_tokens_per_s", repeats.decode_highest);
  visit("processor_share", repeats.processor_share);
  visit("waiting_share", repeats.waiting_share);
  visit("stolen_share", repeats.stolen_share);
  visit("busy", repeats.busy);
}
template <class Result, class Visit>
void visit_result(Result& r, Visit visit) {
  visit("stored", r.stored);
  visit("requantized_from", r.requantized_from);
  visit("disk_bytes", r.disk_bytes);
  visit("predicted_peak_bytes", r.memory.predicted_peak);
  visit("peak_anonymous_bytes", r.peak_anonymous);
  visit("peak_mapped_bytes", r.peak_mapped);
  visit("load_seconds", r.load_seconds);
  visit("prefill_tokens_per_s", r.prefill_tokens_per_s);
  visit("decode_tokens_per_s", r.decode_tokens_per_s);
  visit_repeats(r.repeats, visit);
  visit("perplexity", r.perplexity);
  visit("perplexity_se", r.perplexity_se);
  visit("mean_nll", r.mean_nll);
  visit("mean_nll_se", r.mean_nll_se);
  visit("bits_per_byte", r.bits_per_byte);
  visit("mean_kl", r.divergence.mean_kl);
  visit("mean_kl_se", r.divergence.mean_kl_se);
  visit("p99_kl", r.divergence.p99_kl);
  visit("max_kl", r.divergence.max_kl);
  visit("top1_agreement", r.divergence.top1_agreement);
  visit("first_token_seconds", r.first_token_seconds);
  visit("stored_copy_problem", r.stored_copy_problem);
  visit("answer", r.answer);
  visit("answer_seconds", r.answer_seconds);
  visit("error", r.error);
}

}  // namespace

Json to_json_object(const MemoryReport& memory) {
  Json json;
  for (const PurposeFacts& p : purposes) json[p.key] = memory[p.purpose];
  json["mapped"] = memory.mapped;
  json["weights_total"] = memory.weights_total();
  json["total"] = memory.total();
  return json;
}

Json to_json_object(const PrecisionResult& result) {
  Json json;
  // What only files are called has its name under "label".
  json["precision"] = result.precision.file_type.empty() ? name_of(result.precision.format) : "stored";
  json["compute_dtype"] = name_of(result.precision.compute_dtype);
  json["double_quant"] = result.precision.double_quant;
  json["block_size"] = result.precision.block_size;
  json["int8_threshold"] = result.precision.int8_threshold;
  json["label"] = result.precision.label();
  json["bytes"] = to_json_object(result.resident);
  json["predicted"] = to_json_object(result.memory.predicted);
  json["measured"] = to_json_object(result.memory.measured);
  visit_result(result, [&](const char* name, const auto& value) { json[name] = value; });
  json["stored_load_seconds"] = result.stored_load_seconds ? Json(*result.stored_load_seconds) : Json();
  return json;
}

PrecisionResult result_from_json(const Json& json) {
  PrecisionResult result;
  result.precision.format = parse_precision(json["precision"].get<std::string>()).value();
  if (result.precision.format == Precision::stored) result.precision.file_type = json["label"];
  result.precision.compute_dtype = parse_precision(json["compute_dtype"].get<std::string>()).value();
  result.precision.double_quant = json["double_quant"];
  result.precision.block_size = json["block_size"];
  result.precision.int8_threshold = json["int8_threshold"];
  result.resident = memory_from_json(json["bytes"]);
  result.memory.predicted = memory_from_json(json["predicted"]);
  result.memory.measured = memory_from_json(json["measured"]);
  visit_result(result, [&](const char* name, auto& value) { json[name].get_to(value); });
  result.memory.measured_peak = result.peak_anonymous;
  result.memory.measured_mapped = result.peak_mapped;
  if (json["stored_load_seconds"].is_number()) result.stored_load_seconds = json["stored_load_seconds"].get<double>();
  return result;
}

std::string to_json(const Comparison& c) {
  Json json = {{"model", c.model},
               {"machine", c.machine},
               {"reference", c.reference},
               {"parameters", c.parameters},
               {"available_bytes", c.available_bytes},
               {"recipe", c.recipe},
               {"predicted_tokens", c.predicted_tokens},
               {"context", c.context},
               {"stride", c.stride},
               {"bos", c.bos},
               {"prompt", c.prompt},
               {"chat", c.chat},
               {"busy", c.busy},
               {"verdict", c.verdict}};
  visit_provenance(c.provenance, [&](const char* name, const auto& value) { json["provenance"][name] = value; });
  json["results"] = Json::array();
  for (const PrecisionResult& r : c.results) json["results"].push_back(to_json_object(r));
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace nibble

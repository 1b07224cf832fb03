// inspect: what a model is.
#include <algorithm>
#include <map>

#include "common.hpp"

namespace nibble::cli {
namespace {

constexpr std::string_view computed_at_load = facts_of(Purpose::buffers).key;

// Names of tensors with their layers' numbers as N, and how many of each there are.
std::map<std::string, std::size_t> by_layer(const std::vector<std::string>& names) {
  std::map<std::string, std::size_t> groups;
  for (const std::string& name : names) {
    std::string out;
    for (std::size_t i = 0; i < name.size();) {
      const std::size_t end = std::min(name.find('.', i), name.size());
      const std::string part = name.substr(i, end - i);
      const bool number = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
      out += (i > 0 ? "." : "") + (number ? "N" : part);
      i = end + 1;
    }
    ++groups[out];
  }
  return groups;
}

void print_bytes(const std::string& heading, const std::map<std::string, std::uint64_t>& parts) {
  if (parts.empty()) return;
  TextTable table(heading, {{""}});
  for (const auto& [name, bytes] : parts) table.add("  " + name, {with_commas(bytes)});
  print_table(table);
}

int inspect(const std::string& path, const Common& common) {
  auto described = Model::inspect(path);
  if (!described) return fail(described.error());
  const ModelDescription& d = *described;
  if (common.json) {
    Json json = {
        {"architecture", d.architecture}, {"model_type", d.model_type}, {"container", d.container}, {"runs", d.runs}};
    if (!d.runs) json["why_not"] = d.why_not;
    json["parameters"] = d.parameters;
    json["precision"] = d.precision;
    json["file_bytes"] = d.file_bytes;
    json["bytes"] = Json::object();
    std::vector<std::string> classes;
    for (const PurposeFacts& p : purposes)
      if (is_weight(p)) classes.emplace_back(p.key);
    classes.insert(classes.end(), {"other", std::string(computed_at_load)});
    for (const std::string& name : classes)
      json["bytes"][name] = d.bytes_by_class.count(name) ? d.bytes_by_class.at(name) : 0;
    json["bytes_by_dtype"] = d.bytes_by_dtype;
    json["layers"] = d.layers;
    json["hidden_size"] = d.hidden_size;
    json["heads"] = d.heads;
    json["kv_heads"] = d.kv_heads;
    json["head_dim"] = d.head_dim;
    json["vocab_size"] = d.vocab_size;
    json["max_positions"] = d.max_positions;
    json["tied_embeddings"] = d.tied_embeddings;
    json["chat_template"] = d.has_chat_template;
    json["tokenizer"] = d.tokenizer;
    if (!d.tokenizer_problem.empty()) json["tokenizer_problem"] = d.tokenizer_problem;
    json["not_understood"] = d.not_understood;
    print_json(json);
    return 0;
  }
  print_field("architecture", fmt::format("{} ({}, {})", d.architecture, d.model_type, d.container));
  print_field("parameters", with_commas(d.parameters));
  if (!d.precision.empty()) print_field("precision", d.precision);
  if (d.file_bytes > 0) print_field("weight files", gb(d.file_bytes) + " GB");
  print_bytes("bytes by class", d.bytes_by_class);
  if (d.bytes_by_class.count(std::string(computed_at_load)))
    print_folded(fmt::format("  ({}: not in the files, computed at load)", computed_at_load), 2);
  print_bytes("bytes by type", d.bytes_by_dtype);
  print_field("shape", fmt::format("{} layers, hidden {}, {} heads ({} key/value) of {}, vocabulary {}, {} positions{}",
                                   d.layers, d.hidden_size, d.heads, d.kv_heads, d.head_dim, d.vocab_size,
                                   d.max_positions, d.tied_embeddings ? ", tied embeddings" : ""));
  print_field("tokenizer", d.tokenizer.empty() ? d.tokenizer_problem : d.tokenizer);
  print_field("chat template", d.has_chat_template ? "yes" : "no");
  if (!d.runs) print_field("cannot be run:", d.why_not);
  for (const auto& [name, count] : by_layer(d.not_understood))
    print_field("not understood:", fmt::format("{} tensor{} {}", count, count > 1 ? "s" : "", name));
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto model = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand(
      "inspect", "architecture, parameters, bytes by type and class, tokenizer, what is not understood");
  verb->add_option("MODEL", *model, model_help)->required();
  add_common(*verb, *common, 0);
  verb->callback(
      [=, &run] { run = [=] { return with_model(*model, *common, [&] { return inspect(*model, *common); }); }; });
}

}  // namespace nibble::cli

#include "common.hpp"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "suggest.hpp"

namespace nibble::cli {

void add_common(CLI::App& verb, Common& common, int uses) {
  // What does nothing for this verb is taken all the same, so that one set of options serves every verb.
  const auto shown = [&](CLI::Option* option, int use) { option->group(uses & use ? "Common options" : ""); };
  verb.add_flag("--json", common.json, "machine-readable result on standard output, everything else on standard error")
      ->group("Common options");
  shown(verb.add_flag("--quiet", common.quiet, "no progress, no timing line"), uses_progress);
  shown(verb.add_option("--threads", common.threads, "threads (default: every core this process may use)")
            ->check(CLI::Range(1, 1024)),
        uses_threads);
  shown(
      verb.add_option("--device", common.device, fmt::format("{} or auto (default: auto)", fmt::join(devices(), ", ")))
          ->check([](const std::string& device) {
            const auto here = check_device(device);
            return here ? std::string() : here.error().message;
          }),
      uses_threads);
  shown(verb.add_option("--seed", common.seed, "seed of everything random, 0 or more (default: 0)")
            ->check([](const std::string& text) {
              return text.starts_with('-') ? text + " was asked for, expected 0 or more" : std::string();
            }),
        uses_seed);
  shown(verb.add_option("--ignore-config", common.ignore_config,
                        "key of config.json that Nibble does not understand and you know to be harmless; may be "
                        "repeated")
            ->allow_extra_args(false),
        uses_config);
  shown(verb.add_option("--ignore-tensors", common.ignore_tensors,
                        "regular expression; tensors that the model has no place for and whose name contains a match "
                        "are left out instead of refused; may be repeated")
            ->allow_extra_args(false),
        uses_tensors);
}

std::string double_quantized_names() { return names_of(precisions({FormatKind::table}), ", ", "-dq"); }

std::string precision_help() {
  return names_of(precisions()) + "; " + double_quantized_names() + " with double quantization";
}

// "Q4_K_M" and "bf16, int8" are what they seem to be.
CLI::Option* add_precision_option(CLI::App& verb, const std::string& names, std::string& precisions,
                                  const std::string& help) {
  return verb.add_option(names, precisions, help)->transform([](std::string text) {
    std::erase(text, ' ');
    return lower_case(text);
  });
}

void add_precision(CLI::App& verb, PrecisionArguments& a, const std::string& name) {
  const bool written = name == "--to";
  add_precision_option(verb, written ? "--to,--precision" : "--precision,--precisions", a.precision,
                       precision_help() + (written ? "" : "; stored: as the file has it (default)"));
  add_quantization(verb, a);
}

void add_block_options(CLI::App& verb, PrecisionArguments& a) {
  const std::string four_bits = names_of(precisions({FormatKind::table}));
  verb.add_flag("--double-quant", a.double_quant, four_bits + ": quantize the scales too");
  verb.add_option("--block-size", a.block_size, four_bits + ": weights per scale, 32 to 4096 (default: 64)");
}

void add_quantization(CLI::App& verb, PrecisionArguments& a) {
  verb.add_option("--compute-dtype", a.compute_dtype,
                  fmt::format("what products round to: {} (default: that of the precision; bf16 for {})",
                              names_of(widest_first(precisions({FormatKind::dense}))),
                              names_of(precisions({FormatKind::row, FormatKind::table}))));
  add_block_options(verb, a);
  verb.add_option(
      "--int8-threshold", a.int8_threshold,
      "int8: columns with an |activation| at or above this are multiplied in 16 bits; 0: none (default: 6.0)");
  verb.add_option("--skip", a.skip,
                  "regular expression; modules whose name contains a match are not quantized; may be repeated")
      ->allow_extra_args(false);
}

namespace {

Result<QuantizationConfig> one_precision(const PrecisionArguments& a, const std::string& name) {
  const bool dq = name.size() > 3 && name.substr(name.size() - 3) == "-dq";
  const auto known = parse_precision(dq ? name.substr(0, name.size() - 3) : name);
  if (!known) return Error{known.error().code, known.error().message + did_you_mean(meant_precision(name))};
  const Precision precision = *known;
  QuantizationConfig config(precision);
  if (!a.compute_dtype.empty()) {
    NIBBLE_TRY(config.compute_dtype, parse_precision(a.compute_dtype));
  }
  config.double_quant = dq || (a.double_quant && config.four_bits());
  if (a.block_size) config.block_size = *a.block_size;
  if (a.int8_threshold) config.int8_threshold = *a.int8_threshold;
  config.skip = a.skip;
  NIBBLE_CHECK(config.check());
  return config;
}

// An option that none of the precisions listens to would be a promise that is not kept.
Result<void> check_used(const PrecisionArguments& a, const std::vector<QuantizationConfig>& precisions,
                        const std::string& named) {
  const auto any = [&](const auto& is) { return std::any_of(precisions.begin(), precisions.end(), is); };
  const bool four_bits = any([](const QuantizationConfig&c) { return c.four_bits(); }),
             eight_bits = any([](const QuantizationConfig&c) { return c.format == Precision::int8; }),
             quantized = any([](const QuantizationConfig&c) { return c.quantized(); });
  const std::string tables = names_of(nibble::precisions({FormatKind::table}), " and ");
  const auto refuse = [&](const char* option, const std::string& who) {
    return Error{Errc::bad_request, fmt::format("{} is for {}, and does nothing for {}", option, who, named)};
  };
  if (a.double_quant && !four_bits) return refuse("--double-quant", tables);
  if (a.block_size && !four_bits) return refuse("--block-size", tables);
  if (a.int8_threshold && !eight_bits) return refuse("--int8-threshold", "int8");
  if (!a.skip.empty() && !quantized)
    return refuse("--skip", names_of(nibble::precisions({FormatKind::row, FormatKind::table}), " and "));
  return {};
}

}  // namespace

Result<QuantizationConfig> read_precision(const PrecisionArguments& a, const std::string& name) {
  NIBBLE_TRY(QuantizationConfig config, one_precision(a, name));
  NIBBLE_CHECK(check_used(a, {config}, name == "stored" ? "a model as it is stored" : name));
  return config;
}

Result<std::vector<QuantizationConfig>> read_precisions(const PrecisionArguments& a, const std::string& list) {
  std::vector<QuantizationConfig> out;
  std::stringstream stream(list);
  for (std::string name; std::getline(stream, name, ',');) {
    NIBBLE_TRY(QuantizationConfig config, one_precision(a, name));
    out.push_back(std::move(config));
  }
  NIBBLE_CHECK(check_used(a, out, list));
  return out;
}

void add_recipe(CLI::App& verb, RecipeArguments& a) {
  verb.add_option("--context", a.context, "window in tokens (default: min(model, 2048))");
  verb.add_option("--stride", a.stride, "new tokens per window (default: the window, no overlap)");
  verb.add_option("--bos", a.bos,
                  "a BOS in front of every window: auto (as the tokenizer does), on or off (default: auto)");
}

Result<Bos> read_bos(const RecipeArguments& a) {
  if (a.bos == "auto") return Bos::as_tokenizer;
  if (a.bos == "on" || a.bos == "always") return Bos::always;
  if (a.bos == "off" || a.bos == "never") return Bos::never;
  return Error{Errc::bad_request, "--bos is \"" + a.bos + "\", expected auto, on or off"};
}

LoadOptions load_options(const Common& common, const QuantizationConfig& precision) {
  LoadOptions options;
  options.precision = precision;
  options.ignore_config = common.ignore_config;
  options.ignore_tensors = common.ignore_tensors;
  options.say = [quiet = common.quiet](const std::string& sentence) {
    if (quiet) return;
    leave_bar();
    complain(fmt::format("nibble: {}\n", sentence));
  };
  options.threads = common.threads;
  options.device_map = common.device;
  options.progress = progress_bar(common, "load", 0.5);
  return options;
}

std::string gb(std::uint64_t bytes) { return fmt::format("{:.3f}", double(bytes) / 1e9); }

void warn_of_second_rounding(const Model& model) {
  if (model.requantized_from().empty()) return;
  leave_bar();
  complain_folded(fmt::format(
      "nibble: the file holds {}; its weights were rounded a second time, to {}, and that error adds to the "
      "first. Without --precision it runs as it is.\n",
      model.requantized_from(), model.held_as()));
}

void note_threads(const Common& common) {
  const int cores = int(std::thread::hardware_concurrency());  // that this process may use
  if (cores > 0 && common.threads > cores)
    note(common, "nibble",
         fmt::format("{} threads on {} {}: they wait for each other; without --threads there is one for each",
                     common.threads, cores, cores == 1 ? "core" : "cores"));
}

int with_model(std::string& model, const Common& common, const std::function<int()>& verb, HubFiles files) {
  note_threads(common);
  if (model.empty()) return verb();
  HubOptions options;
  options.files = files;
  options.on_progress = [bar = byte_progress(common, "fetch " + model, 0.5)](std::uint64_t done, std::uint64_t total) {
    if (bar) bar(done, total);
    return true;
  };
  auto located = locate_model(model, options);
  if (!located) return fail(located.error());
  model = located->string();
  return verb();
}

Json to_json(const MemoryReport& m) {
  Json json;
  for (const PurposeFacts& p : purposes) json[p.key] = m[p.purpose];
  json["mapped"] = m.mapped;
  json["weights_total"] = m.weights_total();
  json["total"] = m.total();
  return json;
}

Json to_json(const MemoryCheck& c) {
  return {{"predicted", to_json(c.predicted)},
          {"measured", to_json(c.measured)},
          {"predicted_peak", c.predicted_peak},
          {"measured_peak", c.measured_peak},
          {"measured_mapped", c.measured_mapped}};
}

Result<std::string> read_file(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::error_code code;
  if (std::filesystem::is_directory(path, code))
    return Error{Errc::bad_request, path + ": is a folder, expected a file"};
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{Errc::not_found, path + ": cannot read this file"};
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<void> write_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".partial";
  {
    std::ofstream file(temporary, std::ios::binary);
    file << text;
    file.flush();
    if (!file) {
      std::remove(temporary.c_str());
      return Error{Errc::io_failure, path + ": cannot write this file; is there space, and may you write there?"};
    }
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    std::remove(temporary.c_str());
    return Error{Errc::io_failure, path + ": cannot write this file"};
  }
  return {};
}

Result<void> check_writable(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return Error{Errc::bad_request, path + ": is a folder, name a file"};
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK) != 0)
    return Error{Errc::bad_request, path + ": cannot be written; does its folder exist, and may you write there?"};
  return {};
}

}  // namespace nibble::cli

// quantize: a model written at another precision.
#include "common.hpp"
#include "nibble/advise.hpp"
#include "nibble/quantize.hpp"
#include "origin.hpp"
#include "suggest.hpp"

namespace nibble::cli {
namespace {

struct QuantizeArguments {
  std::string model, out;
  std::string shard_size = "5GB", quant_storage;
  bool allow_requantize = false, force = false;
  PrecisionArguments held;
};

// A precision that GGUF has as well, by its name there: "f32" for fp32.
std::string gguf_name(const std::string& name) {
  const auto precision = parse_precision(name);
  std::string type(precision ? facts_of(*precision).gguf : "");
  for (char& c : type) c = char(std::tolower(static_cast<unsigned char>(c)));
  return type.empty() ? name : type;
}

// --to names a folder's precision or the type of a GGUF file; where both have the name, OUT's form decides.
Result<void> read_target(const QuantizeArguments& a, QuantizeCheckpointOptions& options) {
  const std::string& name = a.held.precision;
  const bool file = lower_case(std::filesystem::path(a.out).extension().string()) == ".gguf";
  const auto precision = read_precision(a.held, name);
  const bool unknown = !parse_precision(name.ends_with("-dq") ? name.substr(0, name.size() - 3) : name);
  if (file || unknown) {
    const std::string type = file ? gguf_name(name) : name;
    if (is_gguf_type(type)) {
      if (file && (a.held.double_quant || a.held.block_size || a.held.int8_threshold || !a.held.skip.empty() ||
                   !a.held.compute_dtype.empty() || !a.quant_storage.empty()))
        return Error{
            Errc::bad_request,
            "--double-quant, --block-size, --int8-threshold, --skip, --compute-dtype and --quant-storage are for "
            "folders, not for GGUF"};
      options.gguf_type = type;
      return {};
    }
  }
  if (!precision && file)
    return Error{Errc::bad_request, "\"" + name + "\" is no type of a GGUF file; there are " + gguf_type_names()};
  if (unknown)
    return Error{Errc::bad_request, fmt::format("\"{}\" is not known; a folder is written in {}, a .gguf file in {}",
                                                name, names_of(precisions(), " or "), gguf_type_names())};
  NIBBLE_TRY(options.precision, precision);
  return {};
}

Json origin_of(const QuantizeArguments& a, const std::string& label, const Common& common) {
  Provenance out = provenance();
  out.model = a.model;
  out.precision = label;
  if (common.threads > 0) out.threads = common.threads;
  return origin(std::move(out));
}

// "all in fp32", "112 modules in nf4, 2 linear layers kept".
std::string modules_of(const QuantizeReport& report, const std::string& label) {
  if (report.quantized_modules == 0) return "all in " + label;
  return fmt::format("{} in {}, {} kept", counted(std::uint64_t(report.quantized_modules), "module"), label,
                     counted(std::uint64_t(report.kept_modules), "linear layer"));
}

int quantize_verb(const QuantizeArguments& a, const Common& common) {
  QuantizeCheckpointOptions options;
  if (auto ok = read_target(a, options); !ok) return fail(ok.error());
  const std::string label = options.gguf_type.empty() ? options.precision.label() : options.gguf_type;
  const auto shard_bytes = parse_bytes(a.shard_size);
  if (!shard_bytes) return fail(shard_bytes.error().at("--max-shard-size"));
  options.allow_requantize = a.allow_requantize;
  options.replace = a.force;
  options.quant_storage = a.quant_storage;
  options.threads = common.threads;
  options.ignore_config = common.ignore_config;
  options.ignore_tensors = common.ignore_tensors;
  options.shard_bytes = *shard_bytes;
  options.progress = byte_progress(common, "quantize");
  options.say = [&](const std::string& sentence) { note(common, "quantize", sentence); };
  watch_interrupt();
  options.stop = interrupted;
  auto report = quantize_checkpoint(a.model, a.out, options);
  if (!report) return fail(report.error());
  if (common.json) {
    print_json({{"out", a.out},
                {"precision", label},
                {"bytes_read", report->bytes_read},
                {"bytes_written", report->bytes_written},
                {"bytes_taken_over", report->bytes_taken_over},
                {"peak_buffer_bytes", report->peak_buffer_bytes},
                {"quantized_modules", report->quantized_modules},
                {"kept_modules", report->kept_modules},
                {"stood_already", report->stood_already},
                {"relative_error", report->stood_already ? Json() : Json(report->relative_error)},
                {"worst_error", report->worst_error},
                {"worst_tensor", report->worst_tensor.empty() ? Json() : Json(report->worst_tensor)},
                {"requantized_from", report->requantized_from.empty() ? Json() : Json(report->requantized_from)},
                {"seconds", report->seconds},
                {"provenance", origin_of(a, label, common)}});
    return 0;
  }
  if (report->stood_already) {
    print(fmt::format("{}: there already, whole, and what this makes of {} ({}): nothing to do\n", a.out, a.model,
                      label));
    return 0;
  }
  std::string loss;
  if (report->worst_error > 0)
    loss = fmt::format("; relative error (rms){} {:.3f} %, at most {:.3f} % ({})",
                       report->requantized_from.empty()
                           ? ""
                           : " of this rounding, on top of what " + report->requantized_from + " had lost,",
                       100 * report->relative_error, 100 * report->worst_error, report->worst_tensor);
  print(
      fmt::format("{}: {}; {:.1f} MB read, {:.1f} MB written, at most {:.1f} MB held, {:.2f} "
                  "s{}\n",
                  a.out, modules_of(*report, label), double(report->bytes_read) / 1e6,
                  double(report->bytes_written) / 1e6, double(report->peak_buffer_bytes) / 1e6, report->seconds, loss));
  return 0;
}

}  // namespace

void add_quantize(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<QuantizeArguments>();
  CLI::App* verb = app.add_subcommand(
      "quantize", "write a copy: a folder for transformers and bitsandbytes, or a GGUF file for llama.cpp");
  verb->add_option("MODEL", a->model, model_help)->required();
  verb->add_option("OUT", a->out,
                   "the new folder, or a file NAME.gguf; appears when it is complete, and what was "
                   "interrupted continues when the same command is given again")
      ->required();
  add_precision(*verb, a->held, "--to");
  verb->get_option("--to")->required()->description(
      fmt::format("a folder: {}. NAME.gguf: {}", precision_help(), gguf_type_names()));
  verb->add_flag("--allow-requantize", a->allow_requantize,
                 "MODEL is quantized already and may be rounded a second time; the report says how far that goes");
  verb->add_flag("--force", a->force,
                 "OUT may exist, if `quantize` wrote it: it is replaced when the new one is whole");
  verb->add_option("--quant-storage", a->quant_storage,
                   names_of(precisions({FormatKind::table})) +
                       ": dtype under which a folder's codes lie, the same bytes: uint8, float16, bfloat16, float32 "
                       "(default: as in MODEL, else uint8)");
  verb->add_option("--max-shard-size", a->shard_size,
                   "bytes of tensors per file of a folder, with a unit, such as 500MB or 2GiB (default: 5GB)");
  add_common(*verb, *common, uses_threads | uses_config | uses_tensors | uses_progress);
  verb->callback([=, &run] {
    run = [=] {
      if (a->out.empty()) return fail({Errc::bad_request, "OUT is empty; name a new folder or NAME.gguf"});
      return with_model(a->model, *common, [&] { return quantize_verb(*a, *common); });
    };
  });
}

}  // namespace nibble::cli

#include "common.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace nibble::cli {
namespace {

std::atomic<bool> interrupt_seen{false};

void on_interrupt(int signal) {
  if (interrupt_seen.exchange(true)) std::signal(signal, SIG_DFL), std::raise(signal);
}

}  // namespace

void add_common(CLI::App& verb, Common& common) {
  verb.add_flag("--json", common.json, "machine-readable result on standard output, everything else on standard error");
  verb.add_flag("--quiet", common.quiet, "no progress");
  verb.add_option("--threads", common.threads, "threads (default: every core this process may use)")
      ->check(CLI::Range(1, 1024));
  verb.add_option("--device", common.device, "cpu or auto");
  verb.add_option("--seed", common.seed, "seed of everything random (default 0)");
  verb.add_option("--ignore-config", common.ignore_config,
                  "key of config.json that Nibble does not understand and you know to be harmless; may be repeated");
}

void add_precision(CLI::App& verb, PrecisionArguments& a, const std::string& name) {
  verb.add_option(name, a.precision,
                  "fp32, fp16, bf16, int8, nf4, fp4" + std::string(name == "--to" ? "" : " (default: as stored)"));
  verb.add_option("--compute-dtype", a.compute_dtype,
                  "what products round to: fp32, bf16, fp16 (default: bf16 for int8, nf4, fp4)");
  verb.add_flag("--double-quant", a.double_quant, "nf4, fp4: quantize the scales too");
  verb.add_option("--block-size", a.block_size, "nf4, fp4: weights per scale, 32 to 4096 (default 64)");
  verb.add_option("--int8-threshold", a.int8_threshold,
                  "int8: activations at or above stay in 16 bits; 0 turns it off (default 6.0)");
  verb.add_option("--skip", a.skip, "regular expression; matching modules are not quantized; may be repeated");
}

Result<QuantizationConfig> read_precision(const PrecisionArguments& a, const std::string& name) {
  const bool dq = name.size() > 3 && name.substr(name.size() - 3) == "-dq";
  NIBBLE_TRY(const Precision precision, parse_precision(dq ? name.substr(0, name.size() - 3) : name));
  QuantizationConfig config(precision);
  const bool four_bits = precision == Precision::nf4 || precision == Precision::fp4;
  if (!a.compute_dtype.empty()) {
    NIBBLE_TRY(config.compute_dtype, parse_precision(a.compute_dtype));
  }
  config.double_quant = dq || (a.double_quant && four_bits);
  if (a.double_quant && !four_bits && precision != Precision::stored && a.precision == name)
    config.double_quant = true;  // refused by check()
  config.block_size = a.block_size, config.int8_threshold = a.int8_threshold, config.skip = a.skip;
  NIBBLE_CHECK(config.check());
  return config;
}

Result<std::vector<QuantizationConfig>> read_precisions(const PrecisionArguments& arguments, const std::string& list) {
  std::vector<QuantizationConfig> out;
  std::stringstream stream(list);
  for (std::string name; std::getline(stream, name, ',');) {
    NIBBLE_TRY(QuantizationConfig config, read_precision(arguments, name));
    out.push_back(std::move(config));
  }
  return out;
}

Result<void> check_device(const Common& common) {
  if (common.device == "auto" || common.device == "cpu") return {};
  return Error{Errc::unsupported,
               "device \"" + common.device + "\" is not supported by this build; choose cpu or auto"};
}

LoadOptions load_options(const Common& common, const QuantizationConfig& precision) {
  LoadOptions options;
  options.precision = precision, options.threads = common.threads, options.ignore_config = common.ignore_config;
  return options;
}

int fail(const Error& error) {
  std::fputs(fmt::format("nibble: {}\n", error.message).c_str(), stderr);
  return error.exit_code();
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    std::fputs("nibble: cannot write to standard output\n", stderr);
    std::_Exit(1);
  }
}

void print_json(const Json& json) { print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"); }

Progress progress_bar(const Common& common, const std::string& what) {
  if (common.quiet) return {};
  const bool terminal = ::isatty(2);
  return [what, terminal, last = -1](double done) mutable {
    const int now = int(done * (terminal ? 100 : 10));
    if (now == last) return;
    last = now;
    if (terminal)
      std::fprintf(stderr, "\r%s [%-40s] %3d %%%s", what.c_str(), std::string(std::size_t(done * 40), '#').c_str(), now,
                   done >= 1 ? "\n" : "");
    else if (now > 0)
      std::fprintf(stderr, "%s: %d %%\n", what.c_str(), now * 10);
  };
}

Json to_json(const MemoryReport& m) {
  return {{"linear_weights", m.linear_weights},
          {"quantization_state", m.quantization_state},
          {"embeddings_and_head", m.embeddings_and_head},
          {"norms", m.norms},
          {"buffers", m.buffers},
          {"kv_cache", m.kv_cache},
          {"activations", m.activations},
          {"weights_total", m.weights_total()},
          {"total", m.total()}};
}

Result<std::string> read_file(const std::string& path) {
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

void watch_interrupt() { std::signal(SIGINT, on_interrupt); }
bool interrupted() { return interrupt_seen; }

}  // namespace nibble::cli

// Every allocation of a verb fails once. Each time the verb says that memory ran out, holds nothing afterwards and
// leaves no file but what a conversion has finished, under its own name (OUT.partial); or it got by without, and its
// result is the same.
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <optional>

#include "../made/made_files.hpp"
#include "failing_memory.hpp"
#include "nibble/advise.hpp"
#include "nibble/compare.hpp"
#include "nibble/quantize.hpp"
#include "nibble/verify.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

// A vocabulary of 48, and a pattern and a normalization that the C libraries see to.
made::Json tokenizer_json(const std::string& pattern) {
  made::Json vocabulary = made::Json::object();
  for (char c = 'a'; c <= 'z'; ++c) vocabulary[std::string(1, c)] = int(vocabulary.size());
  for (const char* token : {"Ġ", "Ã", "©", "th", "the", "Ġt", "an", "Ġa", "in", "on", "er", "en"})
    vocabulary[token] = int(vocabulary.size());
  for (char c = '0'; c <= '8'; ++c) vocabulary[std::string(1, c)] = int(vocabulary.size());
  made::Json out = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens",
       {{{"id", 47},
         {"content", "<|end|>"},
         {"single_word", false},
         {"lstrip", false},
         {"rstrip", false},
         {"normalized", false},
         {"special", true}}}},
      {"normalizer", {{"type", "NFC"}}},
      {"pre_tokenizer",
       {{"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}}}}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"vocab", vocabulary},
        {"merges", {"t h", "th e", "Ġ t", "a n", "Ġ a", "i n", "o n", "e r", "e n"}}}}};
  return out;
}

// A comparison starts a process per precision, and most of its allocations are those of the verbs it is made of.
constexpr std::int64_t compare_stride = 41;

struct Outcome {
  std::optional<Error> error;
  std::string result;
};

template <class T>
Outcome failed(const Result<T>& result) {
  failing::disarm();
  return {result.error(), {}};
}

// Files in memory where there are such: writers wait for the disk.
fs::path scratch() { return fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path(); }

class EveryAllocation : public testing::TestWithParam<int> {
 protected:
  EveryAllocation()
      : folder("every-allocation", scratch()), model(folder / "model"), out(folder / "out"), gguf(folder / "o.gguf") {
    ::setenv("TMPDIR", folder.path().c_str(), 1);
    made::write_llama(model);
    made::write(model / "tokenizer.json", tokenizer_json("\\s?\\p{L}+").dump());
    made::write(model / "tokenizer_config.json",
                R"({"eos_token": "<|end|>", "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}"})");
    load.threads = threads;
    load.precision = QuantizationConfig::nf4({.double_quant = true});
  }
  ~EveryAllocation() override { ::unsetenv("TMPDIR"); }

  static std::int64_t open_files() {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  }
  std::string what_is_left() const {
    std::string names;
    for (const auto& entry : fs::directory_iterator(folder.path()))
      if (entry.path() != model && entry.path() != kept && entry.path().extension() != ".partial")
        names += entry.path().filename().string() + " ";
    return names;
  }
  void remove_output() const {
    for (const char* ending : {"", ".partial"}) {
      fs::remove_all(out.string() + ending);
      fs::remove_all(gguf.string() + ending);
    }
  }

  // Runs `verb` again and again, each time with one allocation failing: the first, then `stride` further on, until none
  // is left. The verb does not arm the failures itself.
  template <class Verb>
  void try_each(failing::Mode mode, const Verb& verb, std::int64_t stride) {
    const auto attempt = [&](std::int64_t n) {
      failing::arm(n, mode);
      try {
        Outcome outcome = verb();
        failing::disarm();
        return outcome;
      } catch (...) {
        failing::disarm();
        ADD_FAILURE() << "an exception left the library";
        return Outcome{Error{Errc::internal, "exception"}, {}};
      }
    };
    const Outcome whole =
        attempt(std::numeric_limits<std::int64_t>::max());  // also makes what is made once, such as tables
    ASSERT_FALSE(whole.error) << whole.error->message;
    remove_output();
    int refused = 0, got_by = 0;
    std::int64_t n = 1;
    for (bool reached = true; reached && !HasFailure(); n += stride) {
      SCOPED_TRACE("allocation " + std::to_string(n));
      const std::int64_t blocks = failing::live_blocks(), files = open_files();
      {
        const Outcome outcome = attempt(n);
        reached = failing::reached();
        if (outcome.error) {
          ++refused;
          EXPECT_TRUE(reached) << outcome.error->message;
          EXPECT_EQ(outcome.error->code, Errc::out_of_memory) << outcome.error->message;
          check_message(mode, outcome.error->message);
          EXPECT_EQ(what_is_left(), "") << outcome.error->message;
        } else {
          got_by += reached;
          EXPECT_EQ(outcome.result, whole.result);
        }
        remove_output();
      }
      EXPECT_EQ(failing::live_blocks(), blocks);
      EXPECT_EQ(failing::live_host_bytes(), 0);
      EXPECT_EQ(open_files(), files);
    }
    EXPECT_GT(refused, 100);
    std::printf("%lld allocations, %d refused, %d done without\n", (long long)failing::count(), refused, got_by);
  }
  template <class Verb>
  void try_both(const Verb& verb, std::int64_t stride = 1) {
    try_each(failing::Mode::once, verb, stride);
    if (!HasFailure()) try_each(failing::Mode::onwards, verb, stride);
  }

  static void check_message(failing::Mode mode, const std::string& message) {
    const auto says = [&](const char* words) { return message.find(words) != std::string::npos; };
    if (mode == failing::Mode::onwards && message == "out of memory") return;  // no room for more
    EXPECT_TRUE((says("memory ran out while") && says("free some") && says("ulimit -v")) ||
                (says("cannot take") && says("bytes for") && says("free some")))
        << message;
  }

  const int threads = GetParam();
  const failing::HostMemory memory;
  const made::Folder folder;
  const fs::path model, out, gguf;
  fs::path kept;
  LoadOptions load;
};

TEST_P(EveryAllocation, OfARun) {
  const std::vector<std::string> prompts = {"the cafe\xCC\x81 in an"};
  GenerateOptions options;
  options.max_new_tokens = 2;
  try_both([&]() -> Outcome {
    const auto loaded = Model::load(model, load);
    if (!loaded) return failed(loaded);
    const auto texts = generate(*loaded, prompts, options);
    if (!texts) return failed(texts);
    failing::disarm();
    return {{}, texts->front().text};
  });
}

TEST_P(EveryAllocation, OfQuantizingIntoAFolder) {
  QuantizeCheckpointOptions options;
  options.threads = threads;
  options.precision = QuantizationConfig::nf4({.double_quant = true, .skip = {"v_proj"}});
  options.shard_bytes = 6000;
  try_both([&]() -> Outcome {
    const auto report = quantize_checkpoint(model, out, options);
    if (!report) return failed(report);
    failing::disarm();
    return {{}, made::read(out / "config.json") + made::read(out / "model-00001-of-00002.safetensors")};
  });
}

TEST_P(EveryAllocation, OfQuantizingIntoAGgufFile) {
  QuantizeCheckpointOptions options;
  options.threads = threads;
  options.gguf_type = "q8_0";
  const char* of_qwen2 =  // one that llama.cpp has a name for
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  made::write(model / "tokenizer.json", tokenizer_json(of_qwen2).dump());
  try_both([&]() -> Outcome {
    const auto report = quantize_checkpoint(model, gguf, options);
    if (!report) return failed(report);
    failing::disarm();
    return {{}, made::read(gguf)};
  });
}

TEST_P(EveryAllocation, OfAnEvaluation) {
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 12; ++i) ids.push_back(i * 7 % 47);
  EvaluateOptions options;
  options.context = 8;
  options.logits_file = out;
  LoadOptions reference = load;
  reference.precision = Precision::fp32;
  try_both([&]() -> Outcome {
    const auto expected = Model::load(model, reference);
    if (!expected) return failed(expected);
    const auto loaded = Model::load(model, load);
    if (!loaded) return failed(loaded);
    const auto evaluation = evaluate_against(*loaded, *expected, ids, options);
    if (!evaluation) return failed(evaluation);
    failing::disarm();
    return {{}, std::to_string(evaluation->mean_nll) + " " + std::to_string(evaluation->divergence->mean_kl)};
  });
}

TEST_P(EveryAllocation, OfAChat) {
  const std::string words = "an otter";
  GenerateOptions options;
  options.max_new_tokens = 2;
  try_both([&]() -> Outcome {
    const auto loaded = Model::load(model, load);
    if (!loaded) return failed(loaded);
    auto chat = Chat::start(*loaded, {}, 48);
    if (!chat) return failed(chat);
    failing::disarm();
    std::string said = words;  // the caller's own
    failing::resume();
    const auto answer = chat->say(std::move(said), options);
    if (!answer) {
      const Outcome refused = failed(answer);
      EXPECT_TRUE(chat->messages().empty());
      return refused;
    }
    failing::disarm();
    return {{}, answer->text};
  });
}

TEST_P(EveryAllocation, OfAComparison) {
  CompareOptions options;
  options.precisions = {QuantizationConfig(Precision::bf16), QuantizationConfig::nf4()};
  options.text = "the an";
  options.max_eval_tokens = 4;
  options.new_tokens = 1;
  options.prefill_tokens = 2;
  options.decode_tokens = 1;
  options.repeats = 1;
  options.threads = threads;
  options.stored_copies = true;
  try_both(
      [&]() -> Outcome {
        const auto comparison = compare(model, options);
        if (!comparison) return failed(comparison);
        failing::disarm();
        Outcome outcome;
        for (const PrecisionResult& result : comparison->results) {
          if (!result.error.empty()) outcome.error = Error{Errc::out_of_memory, result.error};
          outcome.result += result.answer + " " + std::to_string(result.perplexity) + "\n";
        }
        return outcome;
      },
      compare_stride);
}

TEST_P(EveryAllocation, OfLookingAtAModel) {
  VerifyOptions verifying;
  verifying.threads = threads;
  AdviseOptions advising;
  advising.memory = std::uint64_t(1) << 30;
  advising.threads = threads;
  QuantizeCheckpointOptions options;
  options.threads = threads;
  kept = folder / "kept";
  ASSERT_TRUE(quantize_checkpoint(model, kept, options));
  const std::optional<fs::path> source = model;
  try_both([&]() -> Outcome {
    const auto description = Model::inspect(model);
    if (!description) return failed(description);
    const auto advice = advise(model, advising);
    if (!advice) return failed(advice);
    const auto verified = verify_checkpoint(kept, source, verifying);
    if (!verified) return failed(verified);
    failing::disarm();
    EXPECT_TRUE(verified->problems.empty());
    return {{}, description->tokenizer + description->precision + advice->reason + advice->command};
  });
}

INSTANTIATE_TEST_SUITE_P(Threads, EveryAllocation, testing::Values(1, 2), [](const auto& info) {
  return std::to_string(info.param) + (info.param == 1 ? "_thread" : "_threads");
});

}  // namespace
}  // namespace nibble

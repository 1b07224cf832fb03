// A pool of sequences: none of them notices who else is in it, when it came, who left, or what failed. In fp32, where a
// sequence's numbers do not depend on how many rows a pass has.
#include "generate/batcher.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "../../tests/made/damaged_model.hpp"
#include "engine/load.hpp"

namespace nibble {
namespace {

const std::vector<std::int32_t> first = {310, 422, 17, 1800, 95}, second = {2024, 11}, third = {77, 78, 79, 600};

std::shared_ptr<LoadedModel> load(const std::filesystem::path& folder, Precision precision = Precision::fp32) {
  LoadOptions options;
  options.precision = precision;
  options.threads = 1;
  auto loaded = load_model(folder, options);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(loaded).value();
}

LoadedModel& loaded_model() {
  static const std::shared_ptr<LoadedModel> loaded = load(std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m");
  return *loaded;
}

SequenceRequest greedy(const std::vector<std::int32_t>& prompt, std::int64_t tokens = 12) {
  return {.prompt = prompt, .max_new_tokens = tokens, .ignore_eos = true};
}

SequenceRequest sampled(const std::vector<std::int32_t>& prompt, std::uint64_t seed, std::int64_t tokens = 12) {
  SequenceRequest request = greedy(prompt, tokens);
  request.sampling = {.temperature = 0.9f, .top_k = 50, .repetition_penalty = 1.1f, .seed = seed};
  return request;
}

Generation finished(Batcher& pool, SequenceId id) {
  while (pool.running()) EXPECT_TRUE(pool.step());
  return pool.remove(id).value();
}

Generation alone(const SequenceRequest& request) {
  Batcher pool(loaded_model());
  const SequenceId id = pool.add(request).value();
  return finished(pool, id);
}

void steps(Batcher& pool, int count) {
  for (int i = 0; i < count; ++i) ASSERT_TRUE(pool.step());
}

std::uint64_t cache_bytes() { return loaded_model().memory()[Purpose::kv_cache]; }

TEST(Batcher, ASequenceHasTheSameTokensAloneInABatchAddedLateAndAfterOthersLeft) {
  const std::vector<SequenceRequest> requests = {sampled(first, 1, 20), greedy(second, 15), sampled(third, 2, 9)};
  Batcher pool(loaded_model());
  const SequenceId a = pool.add(requests[0]).value(), b = pool.add(requests[1]).value();
  steps(pool, 3);
  const SequenceId late = pool.add(requests[2]).value();
  steps(pool, 2);
  const Generation left = pool.remove(a).value();
  const Generation again_with_others = [&] {
    const SequenceId again = pool.add(requests[0]).value();
    while (pool.running()) EXPECT_TRUE(pool.step());
    return pool.remove(again).value();
  }();

  const Generation whole = alone(requests[0]);
  EXPECT_EQ(left.stopped, StopReason::cancelled);
  ASSERT_EQ(left.ids.size(), 5u);
  EXPECT_TRUE(std::equal(left.ids.begin(), left.ids.end(), whole.ids.begin()));
  EXPECT_TRUE(whole.text.starts_with(left.text));
  EXPECT_EQ(again_with_others.ids, whole.ids);
  EXPECT_EQ(again_with_others.text, whole.text);
  EXPECT_EQ(pool.remove(b).value().ids, alone(requests[1]).ids);
  EXPECT_EQ(pool.remove(late).value().ids, alone(requests[2]).ids);
}

TEST(Batcher, EverySequenceHasLimitsStopStringsSamplingAndACallerOfItsOwn) {
  const std::string text = alone(greedy(first, 16)).text;
  ASSERT_GE(text.size(), 8u);
  SequenceRequest stopped = greedy(first, 16), read_enough = greedy(first, 16), short_context = greedy(third);
  stopped.stop_strings = {text.substr(text.size() / 2, 2)};
  std::string shown;
  read_enough.on_text = [&](std::string_view piece) {
    shown += piece;
    return shown.size() < 3;
  };
  short_context.context = std::int64_t(third.size()) + 2;
  Batcher pool(loaded_model());
  for (const SequenceRequest& request : {stopped, read_enough, short_context, sampled(first, 7, 5)})
    ASSERT_TRUE(pool.add(request));
  while (pool.running()) ASSERT_TRUE(pool.step());

  const Generation of_stopped = pool.remove(0).value(), of_read_enough = pool.remove(1).value(),
                   of_short_context = pool.remove(2).value();
  EXPECT_EQ(of_stopped.stopped, StopReason::stop_string);
  EXPECT_EQ(of_stopped.text, text.substr(0, text.find(stopped.stop_strings[0])));
  EXPECT_EQ(of_read_enough.stopped, StopReason::cancelled);
  EXPECT_EQ(of_read_enough.text, shown);
  EXPECT_EQ(of_short_context.stopped, StopReason::length);
  EXPECT_EQ(of_short_context.ids.size(), 2u);
  EXPECT_EQ(pool.remove(3).value().ids, alone(sampled(first, 7, 5)).ids);
}

TEST(Batcher, AStepNamesThoseThatEndedInIt) {
  Batcher pool(loaded_model());
  ASSERT_TRUE(pool.add(greedy(first, 2)) && pool.add(greedy(second, 1)) && pool.add(greedy(third, 2)));
  EXPECT_EQ(pool.step().value(), std::vector<SequenceId>{1});
  EXPECT_EQ(pool.step().value(), (std::vector<SequenceId>{0, 2}));
  EXPECT_FALSE(pool.running());
  EXPECT_TRUE(pool.step().value().empty());
}

TEST(Batcher, RemovingASequenceGivesItsMemoryBack) {
  const std::uint64_t before = cache_bytes();
  Batcher pool(loaded_model());
  const SequenceId a = pool.add(greedy(first)).value();
  const std::uint64_t one = cache_bytes();
  EXPECT_EQ(one - before, KvCache::bytes(loaded_model().transformer->config(), loaded_model().kv_dtype, 5 + 12));
  const SequenceId b = pool.add(greedy(second, 30)).value();
  steps(pool, 2);
  ASSERT_TRUE(pool.remove(b));
  EXPECT_EQ(cache_bytes(), one);
  ASSERT_TRUE(pool.remove(a));
  EXPECT_EQ(cache_bytes(), before);
}

TEST(Batcher, ARequestThatIsWrongIsRefusedAndTheOthersGoOn) {
  Batcher pool(loaded_model());
  const SequenceId id = pool.add(greedy(first)).value();
  steps(pool, 2);
  const std::uint64_t bytes = cache_bytes();
  SequenceRequest senseless = greedy(second), long_context = greedy(second);
  senseless.sampling.top_p = 0;
  long_context.context = 1 << 20;
  for (const SequenceRequest& request :
       {greedy({}), greedy({3, 1 << 20}), greedy({-1}), greedy(second, 0), senseless, long_context}) {
    const auto refused = pool.add(request);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::bad_request) << refused.error().message;
  }
  EXPECT_EQ(cache_bytes(), bytes);
  EXPECT_EQ(finished(pool, id).ids, alone(greedy(first)).ids);
}

TEST(Batcher, StoppingEndsAllOfThemAsCancelled) {
  Batcher pool(loaded_model());
  ASSERT_TRUE(pool.add(greedy(first)) && pool.add(greedy(second)));
  steps(pool, 3);
  EXPECT_EQ(pool.step([] { return true; }).value(), (std::vector<SequenceId>{0, 1}));
  EXPECT_FALSE(pool.running());
  for (const SequenceId id : {0, 1}) {
    const Generation cut = pool.remove(id).value();
    EXPECT_EQ(cut.stopped, StopReason::cancelled);
    EXPECT_EQ(cut.ids.size(), 3u);
  }
}

TEST(Batcher, ASequenceWhoseLogitsAreNotNumbersFailsAlone) {
  const made::Folder folder("batcher-nan");
  made::Json config = made::llama_config();
  config["tie_word_embeddings"] = false;
  std::vector<made::NamedShape> tensors = made::llama_tensors();
  tensors.push_back({"lm_head.weight", {48, 32}});
  made::write(folder / "config.json", config.dump());
  made::write(folder / "model.safetensors", made::bf16_file(tensors));
  made::change_tensor(folder.path(), "model.embed_tokens.weight",
                      [](made::Bf16Matrix& m) { m.set(5, 0, std::nanf("")); });
  const std::shared_ptr<LoadedModel> damaged = load(folder.path(), Precision::stored);  // as mapped: nobody looks at it
  const auto run_alone = [&](const SequenceRequest& request) {
    Batcher pool(*damaged);
    return finished(pool, pool.add(request).value());
  };
  // Two tokens are too few to come upon the damaged one.
  const SequenceRequest sound = greedy({7, 9}, 2);
  const Generation expected = run_alone(sound);
  Batcher pool(*damaged);
  const SequenceId good = pool.add(sound).value(), bad = pool.add(greedy({7, 5}, 2)).value();
  EXPECT_EQ(pool.step().value(), std::vector<SequenceId>{bad});
  const auto failed = pool.remove(bad);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::corrupt_file);
  EXPECT_NE(failed.error().message.find("model.embed_tokens.weight"), std::string::npos) << failed.error().message;
  EXPECT_EQ(finished(pool, good).ids, expected.ids);
}

// The host's memory until it is told to refuse a purpose.
class Refusing final : public Allocator {
 public:
  static std::shared_ptr<Allocator> make() { return std::make_shared<Refusing>(); }
  Result<void*> take(std::size_t bytes, Purpose purpose) override {
    if (purpose == refused) return error(Errc::out_of_memory, "no memory left");
    use_.add(purpose, bytes);
    return host_.take(bytes, purpose);
  }
  void give(void* memory, std::size_t bytes, Purpose purpose) override {
    use_.remove(purpose, bytes);
    host_.give(memory, bytes, purpose);
  }
  static inline std::optional<Purpose> refused;

 private:
  HostAllocator host_;
};

TEST(Batcher, WhatThereIsNoMemoryForIsRefusedAndTheOthersGoOn) {
  replace_host_memory(Refusing::make);
  const std::shared_ptr<LoadedModel> small = load(std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m");
  replace_host_memory(nullptr);
  Batcher pool(*small);
  const SequenceId id = pool.add(greedy(first)).value();

  // A pass that cannot have its activations computes nothing, and is made up for.
  Refusing::refused = Purpose::activations;
  const auto not_computed = pool.step();
  ASSERT_FALSE(not_computed);
  EXPECT_EQ(not_computed.error().code, Errc::out_of_memory);
  Refusing::refused.reset();
  steps(pool, 3);

  Refusing::refused = Purpose::kv_cache;
  const auto refused = pool.add(greedy(second));
  Refusing::refused.reset();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::out_of_memory);
  EXPECT_EQ(finished(pool, id).ids, alone(greedy(first)).ids);
}

}  // namespace
}  // namespace nibble

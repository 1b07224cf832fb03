#include "measure/repeats.hpp"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(Median, IsTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({7}), 7);
  EXPECT_EQ(median({9, 1, 4}), 4);
  EXPECT_EQ(median({9, 1, 4, 6}), 5);
}

// Two seconds on two threads, all of it used.
Repeats judged(const Rates& prefill, const Rates& decode, double used = 4, std::optional<double> waiting = 0,
               double stolen = 0) {
  const std::optional<double> before = waiting ? std::optional<double>(10) : std::nullopt;
  const ProcessorTime from{100, before, 50};
  return judge_repeats(prefill, decode, from,
                       {100 + used, waiting ? std::optional(10 + *waiting) : std::nullopt, 50 + stolen}, 4);
}
const Rates steady = {{100, 101, 102}};

TEST(Repeats, OfAQuietMachineAreBelievedWithTheirRange) {
  const Repeats r = judged({{500, 510, 490}}, {{100, 104, 102}, {90, 91, 95}});
  EXPECT_EQ(r.busy, "");
  EXPECT_EQ(r.prefill_lowest, 490);
  EXPECT_EQ(r.prefill_highest, 510);
  EXPECT_EQ(r.decode_lowest, 90);
  EXPECT_EQ(r.decode_highest, 104);
  EXPECT_EQ(r.processor_share, 1);
}

TEST(Repeats, AreDoubtedWhereThreadsWaitedForAProcessor) {
  EXPECT_EQ(judged(steady, steady, 3.7, 0.3).busy, "");
  const Repeats r = judged(steady, steady, 3, 1);
  EXPECT_EQ(r.waiting_share, 0.25);
  EXPECT_EQ(r.busy, "its threads waited for a processor 25 % of the time");
}

TEST(Repeats, AreDoubtedWhereThreadsUsedTooLittle) {
  const std::string half = "it had 50 % of the processor time that its threads could use";
  EXPECT_EQ(judged(steady, steady, 2, 0).busy, half) << "a pool that lets fewer take part waits for nothing";
  EXPECT_EQ(judged(steady, steady, 3.5, std::nullopt).busy, "");
  EXPECT_EQ(judged(steady, steady, 2, std::nullopt).busy, half);
}

TEST(Repeats, AreDoubtedWhereAHypervisorTookTheProcessors) {
  EXPECT_EQ(judged(steady, steady, 4, 0, 0.1).busy, "");
  EXPECT_EQ(judged(steady, steady, 4, 0, 0.4).busy, "the hypervisor ran other machines 10 % of the time");
}

TEST(Repeats, AreDoubtedWhereTheirMiddleHalfDisagrees) {
  EXPECT_EQ(judged(steady, {{114, 14, 15, 113}}).busy, "repeats of decode lie between 14 and 114 tokens/s");
  EXPECT_EQ(judged({{603, 91, 300}}, steady).busy, "repeats of prefill lie between 91 and 603 tokens/s");
  EXPECT_EQ(judged(steady, {{100, 100, 100, 100, 40, 100, 100, 100}}).busy, "") << "one hiccup leaves the median alone";
  EXPECT_EQ(judged(steady, {{100, 101}, {50, 51}}).busy, "") << "later tokens are slower by nature";
}

}  // namespace
}  // namespace nibble

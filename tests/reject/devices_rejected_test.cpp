// A device that is not here is refused by whatever would compute on it, before any work, with what is here.
#include "nibble/advise.hpp"
#include "nibble/bench.hpp"
#include "nibble/compare.hpp"
#include "nibble/doctor.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

const std::string shipped = NIBBLE_SOURCE_DIR "/models/gutenberg-16m";

template <class T>
void expect_no_device(const Result<T>& result) {
  expect_refused(result, Errc::bad_request, {"no device \"cuda:1\" here", "choose cpu or auto"});
}

TEST(Devices, OneThatIsNotHereIsRefusedByEveryJobThatComputes) {
  const std::string absent = "cuda:1";
  expect_no_device(Model::load(shipped, {.device_map = absent}));
  expect_no_device(estimate(shipped, {.device_map = absent}));
  expect_no_device(estimate_nearest(1'100'000'000, {.device_map = absent}));
  expect_no_device(advise(shipped, {.device_map = absent}));
  expect_no_device(measure_machine(1, absent));
  expect_no_device(bench_model(shipped, false, {.device_map = absent}));
  expect_no_device(bench_model(shipped, true, {.device_map = absent}));
  expect_no_device(bench_kernels(1, "", absent));
  const ExamineOptions examine{.text = held_out_text(), .device_map = absent};
  expect_no_device(examine_range(shipped, examine));
  expect_no_device(examine_quality(shipped, QuantizationConfig::nf4(), examine));
  expect_no_device(examine_loading(shipped, QuantizationConfig::nf4(), examine));
  expect_no_device(compare(shipped, {.precisions = {Precision::bf16}, .text = held_out_text(), .device_map = absent}));
}

TEST(Devices, TheOnesThatAreListedLoadTheShippedModel) {
  for (const std::string& device : devices()) {
    const auto model = Model::load(shipped, {.device_map = device, .threads = 1});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_TRUE(model->device().starts_with(device)) << model->device();
  }
}

}  // namespace
}  // namespace nibble

#include "cpu/products.hpp"

#include <gtest/gtest.h>

#include <set>

#include "cpu/cpu_backend.hpp"
#include "cpu/kernels.hpp"
#include "formats/all.hpp"

namespace nibble {
namespace {

std::vector<const Kernels*> kernels_here() {
  std::vector<const Kernels*> all;
  for (const CpuTarget& target : cpu_targets())
    if (target.here) all.push_back(find_kernels(target.name));
  return all;
}

std::vector<WeightFacts> many_weights() {
  std::vector<WeightFacts> all;
  const auto add = [&]<class F>() {
    for (const std::int64_t cols : {64, 172, 256, 4096})
      for (const int block : {32, 64, 4096})
        for (const DType compute : {DType::f32, DType::bf16, DType::f16})
          all.push_back({.format = F::name, .rows = 40, .cols = cols, .block_size = block, .compute = compute});
  };
  for_each_format(add, AllFormats{});
  for_each_format(add, BlockFormats{});
  return all;
}

TEST(CpuProducts, EachIsTakenForSomeWeightAndTheLastTakesAny) {
  for (const Kernels* kernels : kernels_here()) {
    std::set<std::string_view> taken;
    for (const WeightFacts& weight : many_weights()) {
      taken.insert(choose_product(kernels->products, weight).name);
      EXPECT_TRUE(kernels->products.back().fits(weight).fits()) << kernels->name << " " << weight.format;
    }
    for (const Product& product : kernels->products) EXPECT_TRUE(taken.count(product.name)) << product.name;
    EXPECT_EQ(taken.size(), kernels->products.size()) << "names are unique";
  }
}

TEST(CpuProducts, ABlockTypeWithoutAProductOfItsOwnIsDecoded) {
  for (const Kernels* kernels : kernels_here()) {
    const WeightFacts weight{.format = "a new type", .rows = 16, .cols = 256, .compute = DType::bf16};
    EXPECT_EQ(&choose_product(kernels->products, weight), &kernels->products.back());
  }
}

TEST(CpuProducts, OnlyTheOneThatIsTakenHasNoReasonAgainstIt) {
  for (const Kernels* kernels : kernels_here())
    for (const WeightFacts& weight : many_weights()) {
      const std::vector<ProductChoice> choices = explain_products(kernels->products, weight, 1);
      EXPECT_EQ(choices.back().product, choose_product(kernels->products, weight).name);
      for (const ProductChoice& choice : choices)
        EXPECT_EQ(choice.why_not.empty(), &choice == &choices.back()) << kernels->name << " " << choice.product;
    }
}

TEST(CpuProducts, SchedulesBeginAtOneRowAndTheSecondAtMore) {
  for (const Kernels* kernels : kernels_here())
    for (const Product& product : kernels->products) {
      const Schedule& first = product.schedules[0];
      const Schedule& second = product.schedules[1];
      EXPECT_EQ(first.from_rows, 1) << product.name;
      EXPECT_TRUE(first.run && product.layout) << product.name;
      EXPECT_EQ(&product.schedule_for(1), &first) << product.name;
      if (!second.run) continue;
      EXPECT_GT(second.from_rows, 1) << product.name;
      EXPECT_EQ(&product.schedule_for(second.from_rows - 1), &first) << product.name;
      EXPECT_EQ(&product.schedule_for(second.from_rows), &second) << product.name;
    }
}

}  // namespace
}  // namespace nibble

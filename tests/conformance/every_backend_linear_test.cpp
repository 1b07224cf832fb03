// Products with weights of every kind, on every backend, against float64 and against themselves.
#include "any_weight.hpp"

namespace nibble {
namespace {

using Linear = OnBackend;

constexpr DType compute_types[] = {DType::f32, DType::bf16, DType::f16};

struct Case {
  KindOfWeight kind;
  DType compute = DType::f32;
};

std::vector<Case> every_case() {
  std::vector<Case> all;
  for (const KindOfWeight& kind : every_kind_of_weight())
    for (const DType compute : compute_types) all.push_back({kind, compute});
  return all;
}

bool has_integer_activations(const Weight& weight) { return format_facts(weight.format).kind == FormatKind::row; }

// A product and what it needs. Some activations reach the threshold of outliers.
struct Problem {
  Problem(const Case& c, std::int64_t rows, std::int64_t cols, std::int64_t m, float threshold = 6)
      : made(c.kind, rows, cols),
        weight(made.weight()),
        options{.compute = c.compute, .outlier_threshold = threshold},
        x(random_matrix(m, weight.cols, 11)),
        before(random_matrix(m, rows, 17)),
        bias(random_values(rows, 13)) {
    for (std::size_t i = 5; i < x.values.size(); i += 97) x.values[i] *= 8;
    what = fmt::format("{} in {}: {} x {}", c.kind.name(), name_of(c.compute), rows, weight.cols);
  }
  // Rows [first, first + count) of before + x W^T + bias.
  Matrix product(const Operations& ops, std::int64_t first, std::int64_t count) const {
    const Matrix y = before.rows_from(first, count);
    return ops.linear(*ops.prepare(weight, options), x.rows_from(first, count), bias, &y);
  }

  AnyWeight made;
  const Weight& weight;
  ComputeOptions options;
  Matrix x, before;
  std::vector<float> bias;
  std::string what;
};

// What the first m rows of x are in a product: rounded to the compute type, or to the codes of int8.
Matrix activations(const Problem& p, std::int64_t m) {
  Matrix out = p.x.rows_from(0, m);
  const std::int64_t k = out.cols;
  if (!has_integer_activations(p.weight)) {
    for (float& value : out.values) value = round_to(activations_of(p.weight.format, p.options), value);
    return out;
  }
  std::vector<std::int8_t> codes(out.values.size());
  std::vector<float> scales(static_cast<std::size_t>(m));
  std::vector<std::uint8_t> outlier(static_cast<std::size_t>(k));
  quantize_activations({out.row(0), DType::f32, m, k}, p.options.outlier_threshold, {codes, scales, outlier});
  for (std::size_t i = 0; i < codes.size(); ++i)
    out.values[i] = outlier[i % std::size_t(k)] ? round_to(p.options.compute, out.values[i])
                                                : float(codes[i]) * scales[i / std::size_t(k)] / 127;
  return out;
}

// Blocks of 256 may meet activations in integers up to 32767 unless fp32 is asked for: each is then at most half a step
// of the largest of its 256 away, and the integer's own scale is rounded three times.
bool may_be_fixed(const Problem& p) {
  return format_facts(p.weight.format).block_elements == 256 && p.options.compute != DType::f32;
}
double steps_of(const float* x, const float* w, std::int64_t k) {
  double steps = 0;
  for (std::int64_t first = 0; first < k; first += 256) {
    double most = 0, sum = 0;
    for (std::int64_t i = first; i < first + 256; ++i) {
      most = std::max(most, std::fabs(double(x[i])));
      sum += std::fabs(double(w[i]));
    }
    steps += sum * most * (0.5 / 32767) * 1.01;
  }
  return steps;
}

// A sum of k products in fp32, in any order, with roundings of the product, the scale and the sum (8 more) differs from
// the exact one by at most gamma(k + 8) * sum |x w|. Where code times scale and an offset are multiplied apart, their
// magnitudes add up to |w| + 2 |offset| at most. int8 activations (code * scale / 127) are here rounded twice more.
// bf16 instructions take denormals for zero.
std::vector<Expected> exact(const Problem& p, std::int64_t m, bool adds = true, bool with_bias = true) {
  const Matrix a = activations(p, m);
  const std::int64_t n = p.weight.rows, k = p.weight.cols;
  const auto table = rounded_table(p.weight, p.options.compute);
  const bool integers = has_integer_activations(p.weight);
  std::vector<float> row(static_cast<std::size_t>(k)), apart(row);
  std::vector<Expected> out(static_cast<std::size_t>(m * n));
  for (std::int64_t c = 0; c < n; ++c) {
    decode_row(p.weight, c, row.data(), table.data());
    for (std::int64_t i = 0; i < k; ++i)
      apart[std::size_t(i)] = std::fabs(row[std::size_t(i)]) + 2 * std::fabs(offset_of(p.weight, c * k + i));
    for (std::int64_t r = 0; r < m; ++r) {
      const double start = adds ? p.before.row(r)[c] : 0, bias = with_bias ? p.bias[std::size_t(c)] : 0;
      double sum = start + bias, size = std::fabs(start) + std::fabs(bias);
      for (std::int64_t i = 0; i < k; ++i) {
        sum += double(a.row(r)[i]) * row[std::size_t(i)];
        size += std::fabs(double(a.row(r)[i])) * apart[std::size_t(i)];
      }
      const double here = integers ? gamma(8) * size : 0,
                   steps = may_be_fixed(p) ? steps_of(a.row(r), row.data(), k) : 0;
      out[std::size_t(r * n + c)] = {sum, gamma(double(k) + 8) * size + steps + here + double(k) * 0x1p-125,
                                     once(sum, double(k), size) + here};
    }
  }
  return out;
}

TEST_P(Linear, IsWithinTheBoundForEveryFormatShapeAndNumberOfRows) {
  constexpr struct { std::int64_t rows, cols; } shapes[] = {{52, 64}, {20, 128}, {7, 172}, {9, 96}, {33, 320}, {1, 64}};
  constexpr std::int64_t most = 33;
  for (const Case& c : every_case())
    for (const auto& [rows, cols] : shapes) {
      const Problem p(c, rows, cols, most);
      std::vector<Expected> expected = exact(p, most);
      for (const std::int64_t m :
           {std::int64_t(1), std::int64_t(2), std::int64_t(3), std::int64_t(5), std::int64_t(9), most}) {
        if (has_integer_activations(p.weight)) expected = exact(p, m);  // outliers are a property of all rows
        ops->around = m % 2 ? 0 : 5;
        expect_near(p.product(*ops, 0, m), {expected.begin(), expected.begin() + m * rows},
                    fmt::format("{} x {}", p.what, m));
        if (HasFatalFailure()) return;
      }
    }
}

TEST_P(Linear, OverwritesOrAddsWithABiasOrWithout) {
  for (const KindOfWeight& kind : every_kind_of_weight())
    for (const bool adds : {false, true})
      for (const bool with_bias : {false, true}) {
        const Problem p({kind}, 21, 128, 5);
        const Matrix y = ops->linear(*ops->prepare(p.weight, p.options), p.x,
                                     with_bias ? std::span<const float>(p.bias) : std::span<const float>(),
                                     adds ? &p.before : nullptr);
        expect_near(y, exact(p, 5, adds, with_bias), fmt::format("{} adds {} bias {}", p.what, adds, with_bias));
        if (HasFatalFailure()) return;
      }
}

// A register tile's share of k ends before the row does: what waits in scratch in between must be all of it.
TEST_P(Linear, LongRowsAreCutIntoPiecesThatAddUp) {
  for (const Case& c : every_case()) {
    if (c.kind.block > 64) continue;  // nothing in them depends on the length of a row
    const Problem p(c, 6, 4352, 14);
    const Matrix together = p.product(*ops, 0, 14);
    expect_near(together, exact(p, 14), p.what);
    if (HasFatalFailure()) return;
    if (!has_integer_activations(p.weight)) expect_same(p.product(*ops, 9, 1), together.rows_from(9, 1), p.what);
    if (HasFatalFailure()) return;
  }
}

// Columns with outliers are gathered four bytes at a time, which the last row's last columns do not have behind them.
TEST_P(Linear, OutliersMayStandInEveryColumn) {
  for (const Case& c : every_case()) {
    for (const std::int64_t m : {1, 3, 13}) {
      Problem p(c, 36, 128, m);
      if (!has_integer_activations(p.weight)) continue;
      for (float& value : p.x.values) value += value < 0 ? -6 : 6;
      expect_near(p.product(*ops, 0, m), exact(p, m), p.what);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(Linear, GivesTheSameBitsForAnyNumberOfThreads) {
  const Operations one(GetParam(), 1), three(GetParam(), 3), five(GetParam(), 5);
  for (const Case& c : every_case())
    for (const std::int64_t m : {1, 37}) {
      const Problem p(c, 84, 128, m);
      const Matrix alone = p.product(one, 0, m);
      expect_same(p.product(three, 0, m), alone, fmt::format("{} x {}, 3 threads", p.what, m));
      expect_same(p.product(five, 0, m), alone, fmt::format("{} x {}, 5 threads", p.what, m));
      if (HasFatalFailure()) return;
    }
}

TEST_P(Linear, ARowGivesTheSameBitsAloneAndBesideOthers) {
  for (const Case& c : every_case())
    for (const std::int64_t cols : {256, 172}) {
      const Problem p(c, 20, cols, 70, 0);  // no threshold: outlier columns are a property of all rows
      const std::vector<std::int64_t> rows = {0, 1, 3, 4, 7, 32, 69};
      std::vector<Matrix> alone;
      for (const std::int64_t r : rows) alone.push_back(p.product(*ops, r, 1));
      for (const std::int64_t m : {2, 4, 5, 8, 33, 70}) {
        const Matrix together = p.product(*ops, 0, m);
        for (std::size_t i = 0; i < rows.size() && rows[i] < m; ++i) {
          expect_same(together.rows_from(rows[i], 1), alone[i], fmt::format("{} x {} row {}", p.what, m, rows[i]));
          if (HasFatalFailure()) return;
        }
      }
    }
}

// Weights of several kinds that read the same x, as query, key and value do.
TEST_P(Linear, AGroupGivesTheSameBitsAsItsWeightsOneByOne) {
  const std::vector<KindOfWeight> kinds = every_kind_of_weight();
  for (const DType compute : compute_types)
    for (const std::int64_t m : {1, 2, 9})
      for (std::size_t first = 0; first < kinds.size(); ++first) {
        const Matrix x = random_matrix(m, 256, 11, 3);
        std::vector<AnyWeight> made;
        made.reserve(4);  // where weights lie is where they were prepared
        std::vector<std::unique_ptr<PreparedWeight>> weights;
        std::vector<std::vector<float>> biases;
        for (const auto& [kind, rows] : {std::pair{first, 20}, {first, 7}, {(first + 1) % kinds.size(), 33}}) {
          made.emplace_back(kinds[kind], rows, 256, unsigned(rows));
          weights.push_back(ops->prepare(made.back().weight(), {.compute = compute}));
          biases.push_back(rows == 7 ? std::vector<float>() : random_values(rows, 13));
        }
        const std::vector<Matrix> together = ops->linear(weights, x, biases);
        for (std::size_t i = 0; i < weights.size(); ++i) {
          expect_same(together[i], ops->linear(*weights[i], x, biases[i], nullptr),
                      fmt::format("{} in {} x {}, weight {}", kinds[first].name(), name_of(compute), m, i));
          if (HasFatalFailure()) return;
        }
      }
}

// Sums of int8 codes are exact, so that only scale and bias round.
TEST_P(Linear, Int8WithoutOutliersIsTheExactIntegerProductScaledOnce) {
  Problem p({{std::string(Int8::name)}}, 20, 128, 3, 0);
  for (auto& code : std::span(p.made.codes().as<std::int8_t>(), std::size_t(p.weight.elements()))) code = -127;
  for (float& value : p.x.values) value = -2;
  std::vector<Expected> expected;
  for (std::int64_t r = 0; r < 3; ++r)
    for (std::int64_t c = 0; c < 20; ++c) {
      const double product = 2.0 * 128 * p.weight.scales[std::size_t(c)], bias = p.bias[std::size_t(c)],
                   bound = gamma(8) * (std::fabs(product) + std::fabs(bias));
      expected.push_back({product + bias, bound, bound});
    }
  expect_near(ops->linear(*ops->prepare(p.weight, p.options), p.x, p.bias, nullptr), expected, p.what);
}

// An overflow upstream must not look like an answer. Integers hold no infinity; where a block's scale stands beside
// them, that does.
TEST_P(Linear, WhatIsNotANumberStaysSo) {
  for (const Case& c : every_case())
    for (const float value : {INFINITY, -INFINITY, float(NAN)})
      for (const std::int64_t m : {1, 7}) {
        Problem p(c, 5, 512, m);
        if (has_integer_activations(p.weight)) continue;
        p.x.row(m - 1)[300] = value;
        const Matrix y = p.product(*ops, 0, m);
        count_case();
        for (std::int64_t r = 0; r < m; ++r)
          for (std::int64_t n = 0; n < 5; ++n)
            ASSERT_EQ(std::isfinite(y.row(r)[n]), r < m - 1) << p.what << ", " << value << " column " << n;
      }
}

INSTANTIATE_TEST_SUITE_P(OnEveryBackend, Linear, testing::ValuesIn(every_target()), name_of_target);

}  // namespace
}  // namespace nibble

// Attention and its caches, on every backend, against float64: heads of any size, grouped or not, windows within and
// across tiles, caches of every type and layout, several sequences beside each other.
#include "operations.hpp"
#include "ops/reference.hpp"

namespace nibble {
namespace {

using Attention = OnBackend;

constexpr DType cache_types[] = {DType::f32, DType::bf16, DType::f16};

struct Sequence {
  std::int64_t past = 0, tokens = 0;
};

struct Case {
  AttentionShape shape;
  DType cache = DType::f32;
  bool heads_follow = false;  // a position's heads follow one another, as in activations; else a head's positions
  std::vector<Sequence> sequences;

  std::int64_t positions(std::size_t s) const { return sequences[s].past + sequences[s].tokens; }
  std::string what() const {
    std::string text = fmt::format("{} heads of {} over {}, window {}, {} cache", shape.heads, shape.head_dim,
                                   shape.kv_heads, shape.window, name_of(cache));
    for (const Sequence& s : sequences) text += fmt::format(", {} after {}", s.tokens, s.past);
    return text;
  }
};

Case make_case(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t window, DType cache,
               std::vector<Sequence> sequences) {
  Case c;
  c.shape = {.layer = 1, .heads = heads, .kv_heads = kv_heads, .head_dim = head_dim, .window = window};
  c.shape.scale = float(1 / std::sqrt(double(head_dim)));
  c.cache = cache;
  c.heads_follow = window % 2;
  c.sequences = std::move(sequences);
  return c;
}

// Everything a sequence says, from its first position on.
struct Spoken {
  Matrix q, k, v;
};
std::vector<Spoken> spoken(const Case& c, float scale = 1) {
  std::vector<Spoken> all;
  for (std::size_t s = 0; s < c.sequences.size(); ++s) {
    const auto seed = unsigned(100 * s), kv = unsigned(c.shape.kv_heads * c.shape.head_dim);
    all.push_back({random_matrix(c.positions(s), c.shape.heads * c.shape.head_dim, seed + 1, scale),
                   random_matrix(c.positions(s), kv, seed + 2), random_matrix(c.positions(s), kv, seed + 3)});
  }
  return all;
}

// The caches of a case's sequences in a backend's memory: two layers, of which only the second has any. What has not
// been appended is not a number.
class Caches {
 public:
  Caches(Backend& backend, const Case& c) : backend_(backend), case_(c) {
    for (std::size_t s = 0; s < c.sequences.size(); ++s) add(std::size_t(c.positions(s)) + 3);
  }

  // For reading keys as if they were values.
  void swap_keys_and_values() {
    for (std::vector<CacheView>& views : views_) std::swap(views[2], views[3]);
  }

  // The batch of `tokens` rows of each sequence from position `past` on.
  struct Batch {
    AttentionBatch batch;
    std::vector<OnDevice> memory;
  };
  Batch batch(const std::vector<Sequence>& sequences) const {
    Batch out;
    std::vector<std::int32_t> first_row = {0}, past;
    std::vector<const CacheView*> tables;
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      first_row.push_back(first_row.back() + std::int32_t(sequences[s].tokens));
      past.push_back(std::int32_t(sequences[s].past));
      out.memory.emplace_back(backend_, views_[s].data(), views_[s].size() * sizeof(CacheView));
      tables.push_back(out.memory.back().as<CacheView>());
      out.batch.positions = std::max(out.batch.positions, sequences[s].past + sequences[s].tokens);
    }
    out.memory.emplace_back(backend_, tables.data(), tables.size() * sizeof(CacheView*));
    out.batch.caches = out.memory.back().as<const CacheView*>();
    out.memory.emplace_back(backend_, first_row.data(), first_row.size() * sizeof(std::int32_t));
    out.batch.first_row = out.memory.back().as<std::int32_t>();
    out.memory.emplace_back(backend_, past.data(), past.size() * sizeof(std::int32_t));
    out.batch.past = out.memory.back().as<std::int32_t>();
    out.batch.sequences = std::int64_t(sequences.size());
    out.batch.tokens = first_row.back();
    out.batch.cache_dtype = case_.cache;
    return out;
  }

 private:
  void add(std::size_t capacity) {
    const AttentionShape& shape = case_.shape;
    const std::int64_t dim = shape.head_dim, beside = 2;  // elements between what belongs together
    const std::int64_t inner = dim + (case_.heads_follow ? 0 : beside),
                       outer_count = case_.heads_follow ? std::int64_t(capacity) : shape.kv_heads;
    const std::int64_t outer = inner * (case_.heads_follow ? shape.kv_heads : std::int64_t(capacity)) + beside;
    std::vector<CacheView> views(4);
    const std::vector<std::uint8_t> not_numbers(std::size_t(outer * outer_count) * size_of(case_.cache), 0xff);
    for (int i : {2, 3}) {
      memory_.emplace_back(backend_, not_numbers.data(), not_numbers.size());
      views[std::size_t(i)] = {memory_.back().as<void>(), case_.heads_follow ? inner : outer,
                               case_.heads_follow ? outer : inner};
    }
    views_.push_back(std::move(views));
  }

  Backend& backend_;
  const Case& case_;
  std::vector<OnDevice> memory_;
  std::vector<std::vector<CacheView>> views_;
};

// Rows of all sequences beneath each other: those of each from its past on.
Matrix rows_of(const std::vector<Sequence>& sequences, const std::vector<Spoken>& all, Matrix Spoken::*which) {
  Matrix out(0, (all[0].*which).cols);
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const Matrix part = (all[s].*which).rows_from(sequences[s].past, sequences[s].tokens);
    out.values.insert(out.values.end(), part.values.begin(), part.values.end());
    out.rows += part.rows;
  }
  return out;
}

void append(const Operations& ops, const Case& c, const Caches& caches, const std::vector<Sequence>& sequences,
            const std::vector<Spoken>& all) {
  const Caches::Batch batch = caches.batch(sequences);
  const Activation k(ops.backend(), rows_of(sequences, all, &Spoken::k), ops.around),
      v(ops.backend(), rows_of(sequences, all, &Spoken::v), ops.around);
  ops.backend().append(batch.batch, c.shape, k.view(), v.view());
}

Matrix attend(const Operations& ops, const Case& c, const Caches& caches, const std::vector<Sequence>& sequences,
              const std::vector<Spoken>& all) {
  const Caches::Batch batch = caches.batch(sequences);
  const Matrix rows = rows_of(sequences, all, &Spoken::q);
  const Activation q(ops.backend(), rows, ops.around),
      out(ops.backend(), Operations::blank(rows.rows, rows.cols), ops.around);
  ops.backend().attention(batch.batch, c.shape, q.view(), out.view());
  return out.read();
}

// What came before is appended by itself.
Matrix attention(const Operations& ops, const Case& c, const std::vector<Spoken>& all) {
  const Caches caches(ops.backend(), c);
  std::vector<Sequence> before;
  for (const Sequence& s : c.sequences) before.push_back({0, s.past});
  if (rows_of(before, all, &Spoken::k).rows > 0) append(ops, c, caches, before, all);
  append(ops, c, caches, c.sequences, all);
  return attend(ops, c, caches, c.sequences, all);
}

// One query of one head. Its weight p of each position has a share of error e: that of its score, the fp32 sum of dim
// products and a scale, gamma(dim + 1) * sum |q k| * scale; of its distance from the highest, one rounding; and of the
// exponential, below three roundings (every_backend_rows_test.cpp), which ends at exp(-87). What is common to all
// scores cancels. A mean of values v with weights p (1 + e) is off by at most sum p |e| (|v| + |mean|) / (1 - max |e|);
// its two sums over n positions, an inverse and a product round n + 2 times each.
class Query {
 public:
  Query(const Case& c, const Spoken& spoken, std::int64_t t, std::int64_t head) : c_(c) {
    const AttentionShape& shape = c.shape;
    const std::int64_t dim = shape.head_dim;
    kv_head_ = head / (shape.heads / shape.kv_heads);
    first_ = shape.window > 0 ? std::max<std::int64_t>(0, t - shape.window + 1) : 0;
    std::vector<double> scores, errors;
    double highest = -INFINITY;
    for (std::int64_t s = first_; s <= t; ++s) {
      double score = 0, size = 0;
      for (std::int64_t i = 0; i < dim; ++i) {
        const double product =
            double(spoken.q.row(t)[head * dim + i]) * round_to(c.cache, spoken.k.row(s)[kv_head_ * dim + i]);
        score += product;
        size += std::fabs(product);
      }
      scores.push_back(score * shape.scale);
      errors.push_back(gamma(double(dim) + 1) * size * shape.scale);
      largest_score_ = std::max(largest_score_, size * shape.scale);
      highest = std::max(highest, scores.back());
    }
    double total = 0;
    for (const double score : scores) total += std::exp(score - highest);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      weights_.push_back(std::exp(scores[i] - highest) / total);
      shares_.push_back(std::expm1(errors[i] + unit * (highest - scores[i]) + gamma(3)));
      largest_share_ = std::max(largest_share_, shares_.back());
    }
  }

  Expected element(const Spoken& spoken, std::int64_t i) const {
    const auto n = double(weights_.size());
    const auto value = [&](std::size_t j) {
      return double(round_to(c_.cache, spoken.v.row(first_ + std::int64_t(j))[kv_head_ * c_.shape.head_dim + i]));
    };
    double mean = 0, size = 0, moved = 0, most = 0;
    for (std::size_t j = 0; j < weights_.size(); ++j) {
      mean += weights_[j] * value(j);
      size += weights_[j] * std::fabs(value(j));
      most = std::max(most, std::fabs(value(j)));
    }
    for (std::size_t j = 0; j < weights_.size(); ++j)
      moved += weights_[j] * shares_[j] * (std::fabs(value(j)) + std::fabs(mean));
    const double within =
        moved / (1 - largest_share_) + 2 * gamma(n + 2) * size * (1 + largest_share_) + 2 * n * std::exp(-87.0) * most;
    return {mean, within, once(mean, (n + double(c_.shape.head_dim)) * (1 + largest_score_), size)};
  }

 private:
  const Case& c_;
  std::int64_t kv_head_ = 0, first_ = 0;
  std::vector<double> weights_, shares_;
  double largest_share_ = 0, largest_score_ = 0;
};

std::vector<Expected> exact(const Case& c, const std::vector<Spoken>& all) {
  std::vector<Expected> out;
  for (std::size_t s = 0; s < c.sequences.size(); ++s)
    for (std::int64_t t = c.sequences[s].past; t < c.positions(s); ++t)
      for (std::int64_t head = 0; head < c.shape.heads; ++head) {
        const Query query(c, all[s], t, head);
        for (std::int64_t i = 0; i < c.shape.head_dim; ++i) out.push_back(query.element(all[s], i));
      }
  return out;
}

TEST_P(Attention, IsWithinTheBoundForHeadsWindowsAndCachesOfEveryKind) {
  for (const std::int64_t dim : {8, 12, 16, 20, 32, 64, 80, 96, 128, 256})
    for (const DType cache : cache_types)
      for (const std::int64_t window : {0, 1, 5, 16, 17, 33})
        for (const std::int64_t heads : {2, 4}) {
          const Case c = make_case(heads, heads == 2 ? 2 : 1, dim, window, cache, {{0, 19}, {33, 1}, {7, 17}});
          const std::vector<Spoken> all = spoken(c);
          ops->around = heads == 2 ? 3 : 0;
          expect_near(attention(*ops, c, all), exact(c, all), c.what());
          if (HasFatalFailure()) return;
        }
}

TEST_P(Attention, IsWithinTheBoundForEveryGroupingOfHeads) {
  for (const std::int64_t dim : {12, 64})
    for (const std::int64_t kv_heads : {1, 2, 3})
      for (const std::int64_t group : {1, 2, 3, 4, 7, 8}) {
        const Case c = make_case(kv_heads * group, kv_heads, dim, 0, DType::bf16, {{5, 4}, {0, 1}});
        const std::vector<Spoken> all = spoken(c);
        expect_near(attention(*ops, c, all), exact(c, all), c.what());
        if (HasFatalFailure()) return;
      }
}

TEST_P(Attention, IsWithinTheBoundForLongContextsAndScoresFarApart) {
  for (const std::int64_t dim : {16, 20, 96})
    for (const DType cache : cache_types)
      for (const std::int64_t window : {0, 100, 257})
        for (const float scale : {1.0f, 30.0f}) {  // of queries: scores reach beyond what exponentials do
          const Case c = make_case(2, 1, dim, window, cache, {{300, 3}});
          const std::vector<Spoken> all = spoken(c, scale);
          expect_near(attention(*ops, c, all), exact(c, all), fmt::format("{} times {}", c.what(), scale));
          if (HasFatalFailure()) return;
        }
}

// Alone or beside others, all at once or token by token, by one thread or several: the same bits.
TEST_P(Attention, GivesTheSameBitsHoweverSequencesAreCut) {
  const Operations several(GetParam(), 3);
  for (const std::int64_t dim : {12, 64})
    for (const DType cache : cache_types)
      for (const std::int64_t window : {0, 7}) {
        const Case c = make_case(6, 2, dim, window, cache, {{0, 37}, {21, 18}});
        const std::vector<Spoken> all = spoken(c);
        const Matrix together = attention(*ops, c, all);
        expect_same(attention(several, c, all), together, c.what() + ", 3 threads");
        for (std::size_t s = 0; s < 2; ++s) {
          Case alone = c;
          alone.sequences = {c.sequences[s]};
          const Matrix own = together.rows_from(s == 0 ? 0 : 37, c.sequences[s].tokens);
          expect_same(attention(*ops, alone, {all[s]}), own, alone.what() + ", alone");
          for (const std::int64_t t : {0, 1, 16, 17}) {
            alone.sequences = {{c.sequences[s].past + t, 1}};
            const Spoken so_far = {all[s].q, all[s].k, all[s].v};
            expect_same(attention(*ops, alone, {so_far}), own.rows_from(t, 1), alone.what() + ", one token");
          }
        }
        if (HasFatalFailure()) return;
      }
}

// A query that sees itself alone gives the value of its position as it lies in the cache, whatever the scores; and with
// keys and values swapped, the key. So this reads the caches through the backend.
TEST_P(Attention, AppendRoundsKeysAndValuesOnceAndLeavesOtherPositionsAlone) {
  for (const std::int64_t dim : {12, 64})
    for (const DType cache : cache_types)
      for (const bool heads_follow : {false, true}) {
        Case c = make_case(3, 3, dim, 1, cache, {{0, 9}, {4, 12}});
        c.heads_follow = heads_follow;
        std::vector<Spoken> all = spoken(c);
        for (Spoken& one : all)
          for (Matrix* m : {&one.k, &one.v}) {
            // Ties, and what fp16 has no normal number for.
            m->row(0)[0] = 1 + 0x1p-8f;
            m->row(1)[1] = 1 + 0x3p-8f;
            m->row(2)[2] = 1 + 0x1p-11f;
            m->row(3)[3] = -0x1.8p-20f;
            m->row(4)[4] = 0x1p-30f;
            m->row(5)[5] = 65503;
          }
        Caches caches(ops->backend(), c);
        ops->around = heads_follow ? 2 : 0;
        append(*ops, c, caches, {{0, 5}, {0, 4}}, all);
        append(*ops, c, caches, {{5, 1}, {4, 12}}, all);
        append(*ops, c, caches, {{6, 3}, {16, 0}}, all);
        for (Matrix Spoken::*which : {&Spoken::v, &Spoken::k}) {
          const std::vector<Sequence> whole = {{0, 9}, {0, 16}};
          Matrix expected = rows_of(whole, all, which);
          for (float& value : expected.values) value = round_to(cache, value);
          expect_same(attend(*ops, c, caches, whole, all), expected, c.what());
          if (HasFatalFailure()) return;
          caches.swap_keys_and_values();
        }
      }
}

INSTANTIATE_TEST_SUITE_P(OnEveryBackend, Attention, testing::ValuesIn(every_target()), name_of_target);

}  // namespace
}  // namespace nibble

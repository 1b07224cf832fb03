// llama.cpp's order of rows in q and k: rope turns pairs of neighbours there, a row of the first half of a head and one
// of the second elsewhere. Both directions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "models/modules.hpp"

namespace nibble {

// The heads whose rows stand so, of a part of a model with this order; 0: its rows are in the model's order.
inline std::int64_t rope_heads_of(Part part, std::int64_t heads, std::int64_t kv_heads) {
  return part == Part::q ? heads : part == Part::k ? kv_heads : 0;
}

// Row (head, half, i) of a model is row (head, i, half) of the file. heads == 0: the order is the same.
struct GgufRows {
  std::int64_t rows = 0, heads = 0;

  std::int64_t in_file(std::int64_t row) const {
    if (heads == 0) return row;
    const std::int64_t in_head = row % per_head(), half = in_head / (per_head() / 2), i = in_head % (per_head() / 2);
    return row - in_head + i * 2 + half;
  }
  std::int64_t in_model(std::int64_t row) const {
    if (heads == 0) return row;
    const std::int64_t in_head = row % per_head(), i = in_head / 2, half = in_head % 2;
    return row - in_head + half * (per_head() / 2) + i;
  }

 private:
  std::int64_t per_head() const { return rows / heads; }
};

// Reads elements [first, first + count) of a matrix whose rows stand elsewhere: row r is row place(r) of `read`.
template <class Read, class Place>
void read_rows(const Read& read, const Place& place, std::int64_t width, std::int64_t first, std::int64_t count,
               float* out) {
  while (count > 0) {
    const std::int64_t row = first / width, inside = first % width, run = std::min(width - inside, count);
    read(place(row) * width + inside, run, out);
    first += run;
    out += run;
    count -= run;
  }
}

}  // namespace nibble

#include "cpu/products.hpp"

#include "formats/all.hpp"

namespace nibble {

const Product& choose_product(std::span<const Product> products, const WeightFacts& weight) {
  for (const Product& product : products)
    if (product.fits(weight).fits()) return product;
  return products.back();
}

std::vector<ProductChoice> explain_products(std::span<const Product> products, const WeightFacts& weight,
                                            std::int64_t rows) {
  std::vector<ProductChoice> choices;
  for (const Product& product : products) {
    const Verdict verdict = product.fits(weight);
    choices.push_back({.product = product.name,
                       .layout = product.layout->name,
                       .instruction = product.instruction,
                       .schedule = product.schedule_for(rows).how,
                       .why_not = verdict.why_not});
    if (verdict.fits()) break;
  }
  return choices;
}

Verdict fits_whole_chunks(const WeightFacts& weight) {
  if (weight.cols % chunk != 0) return {"its rows are not whole chunks of 64"};
  return {};
}

Verdict fits_codes_of_a_table(const WeightFacts& weight) {
  if (format_facts(weight.format).kind != FormatKind::table) return {"its weights are no table's codes"};
  if (weight.cols % weight.block_size != 0) return {"its blocks go on from row to row"};
  return fits_whole_chunks(weight);
}

std::int64_t linear_scratch_bytes(std::int64_t k) {
  const std::int64_t padded = (k + 255) / 256 * 256;
  return packed_sums_bytes + table_scales_bytes(padded) + 2 * panel_rows * padded * std::int64_t(sizeof(float));
}

}  // namespace nibble

// The charts of the HTML report as inline SVG. Colours come from the page's style sheet; shapes, patterns and labels
// say the same without colour.
#pragma once

#include <string>
#include <string_view>

#include "nibble/compare.hpp"

namespace nibble {

std::string escape_html(std::string_view text);

// Size of the weights to the right, mean KL upward on a logarithmic axis.
std::string size_and_quality_chart(const Comparison& comparison);
// A bar per precision from zero; the chosen one is marked.
std::string rate_chart(const Comparison& comparison, std::string_view title, double (*value)(const PrecisionResult&));
// The process's own memory as it was predicted and as it was measured, as two bars per precision.
std::string memory_chart(const Comparison& comparison);

}  // namespace nibble

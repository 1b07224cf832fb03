// The forms of a comparison: text from outside is text in each, and each says where it comes from.
#include <gtest/gtest.h>

#include "measure/compare_columns.hpp"

namespace nibble {
namespace {

bool says(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

Comparison small() {
  Comparison c;
  c.model = "models/hub/small-model/";
  c.machine = "cpu avx2, 2 threads";
  c.reference = "bf16";
  c.prompt = "Once";
  c.provenance = {"1.2.3",     "0123456789ab", "2026-11-30T03:10:00Z", "nibble compare m", c.model,
                  "bf16, nf4", "abcd",         "A Processor",          "cpu avx2",         2};
  c.results.resize(2);
  c.results[0].precision = Precision::bf16;
  c.results[1].precision = Precision::nf4;
  c.results[1].divergence.mean_kl = 0.1;
  return c;
}

TEST(Reports, ShowTextFromOutsideAsTextAndNotAsMarkup) {
  Comparison c = small();
  const std::string hostile = "<script>alert(1)</script> | *a* _b_ [c](d) `e` \\ \n# f\x1b[31m\u202e";
  c.results[0].answer = c.prompt = c.results[1].error = c.machine = hostile;
  c.results[0].stored_copy_problem = c.verdict = c.provenance.command = hostile;
  c.model = "models/<script>alert(1)";
  for (const std::string& form : {to_markdown(c), to_html(c)}) {
    EXPECT_FALSE(says(form, "<script")) << form;
    EXPECT_FALSE(says(form, "\x1b")) << form;
    EXPECT_FALSE(says(form, "\u202e")) << form;
  }
  const std::string text = to_markdown(c);
  for (const char* markup : {" *a*", " _b_", " [c](d)", " `e`", "\n# f"}) EXPECT_FALSE(says(text, markup)) << markup;
  EXPECT_TRUE(says(text, "&lt;script&gt;alert(1)&lt;/script&gt; \\| \\*a\\* \\_b\\_ \\[c\\](d) \\`e\\` \\\\")) << text;
  // Rows of the table have as many cells as its head.
  std::size_t cells = 0;
  for (std::size_t at = text.find("| precision"), end = text.find('\n', at); at < end; ++at)
    cells += text[at] == '|' && text[at - 1] != '\\';
  EXPECT_EQ(cells, compare_columns(c).size() + 2);
}

TEST(Reports, SayWhereTheyComeFrom) {
  const Comparison c = small();
  for (const std::string& form : {to_markdown(c), to_html(c), to_json(c)})
    for (const char* words : {"1.2.3", "0123456789ab", "2026-11-30T03:10:00Z", "nibble compare m", "abcd",
                              "A Processor", "models/hub/small-model/"})
      EXPECT_TRUE(says(form, words)) << words << "\n" << form;
}

TEST(Reports, AreHeadedByTheModelsNameAndNotByItsPlace) {
  const Comparison c = small();
  EXPECT_TRUE(says(to_markdown(c), "# small-model at 2 precisions"));
  EXPECT_TRUE(says(to_html(c), "<title>Nibble: small-model</title>"));
  EXPECT_TRUE(says(to_html(c), "<h1>small-model at 2 precisions</h1>"));
  EXPECT_EQ(model_name("x.Q4_1.gguf"), "x.Q4_1.gguf");
  EXPECT_EQ(model_name("a/b/x.gguf"), "x.gguf");
  EXPECT_EQ(model_name("."), ".");
  EXPECT_EQ(model_name("/cache/hub/models--org--some--name/snapshots/0123abcd"), "org/some--name");
  EXPECT_EQ(model_name("/cache/hub/models--org--name/snapshots/0123abcd/x.gguf"), "org/name/x.gguf");
}

TEST(Reports, CompareMemoryWithMemoryOfTheSameKind) {
  Comparison c = small();
  PrecisionResult& r = c.results[0];  // all weights are used where the file is mapped
  r.memory.predicted.at(Purpose::linear_weights) = 20'000'000;
  r.memory.predicted.at(Purpose::embeddings) = 10'000'000;
  r.memory.predicted.at(Purpose::activations) = 7'000'000;
  r.memory.predicted.mapped = 30'000'000;
  r.peak_anonymous = 6'900'000;
  r.peak_mapped = 38'700'000;
  PrecisionResult& q = c.results[1];  // the embeddings are
  q.memory.predicted.at(Purpose::linear_weights) = 5'000'000;
  q.memory.predicted.at(Purpose::embeddings) = 10'000'000;
  q.memory.predicted.at(Purpose::activations) = 7'000'000;
  q.memory.predicted.mapped = 10'000'000;
  q.peak_anonymous = 11'800'000;
  const std::string page = to_html(c);
  for (const char* label : {">7</text>", ">6.9</text>", ">12</text>", ">11.8</text>"})
    EXPECT_TRUE(says(page, label)) << label;
  EXPECT_FALSE(says(page.substr(page.find("<h2>Memory")), ">38.7"));
}

}  // namespace
}  // namespace nibble

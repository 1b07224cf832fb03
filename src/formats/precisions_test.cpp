#include <gtest/gtest.h>

#include <set>

#include "formats/all.hpp"

namespace nibble {
namespace {

TEST(Precisions, EachIsANameInTheEnumWithOneFormat) {
  std::set<std::string_view> names = {name_of(Precision::stored)};
  for (const FormatFacts& facts : precisions()) {
    EXPECT_TRUE(names.insert(facts.name).second) << facts.name << " stands twice in the table";
    EXPECT_NE(facts.precision, Precision::stored) << facts.name;
    EXPECT_EQ(facts_of(facts.precision).name, facts.name) << "two formats have its precision";
    EXPECT_EQ(format_facts(facts.name).precision, facts.precision);
    const auto parsed = parse_precision(facts.name);
    ASSERT_TRUE(parsed) << facts.name;
    EXPECT_EQ(*parsed, facts.precision);
  }
  for (std::size_t i = 1; i <= precisions().size(); ++i)
    EXPECT_EQ(facts_of(Precision(i)).precision, Precision(i)) << "no format has the precision number " << i;
}

TEST(Precisions, OneThatIsNotKnownIsRefusedWithThoseThatAre) {
  for (const std::string name : {"nf3", "NF4", "", "Q4_0"}) {
    const auto parsed = parse_precision(name);
    ASSERT_FALSE(parsed) << name;
    EXPECT_EQ(parsed.error().exit_code(), 2);
    for (const std::string& word : {"\"" + name + "\"", names_of(precisions()), std::string("or stored")})
      EXPECT_NE(parsed.error().message.find(word), std::string::npos) << parsed.error().message;
  }
  EXPECT_EQ(*parse_precision("stored"), Precision::stored);
}

TEST(Precisions, AFormatSaysItsKindByWhatItsHeaderHas) {
  for_each_format(
      []<class F>() {
        const FormatFacts facts = format_facts(F::name);
        EXPECT_EQ(facts.kind == FormatKind::table, TableFormat<F>) << F::name;
        EXPECT_EQ(facts.kind == FormatKind::row, RowCodeFormat<F>) << F::name;
        EXPECT_EQ(facts.kind == FormatKind::dense, DenseFormat<F>) << F::name;
        EXPECT_EQ(table_of(F::name).size(), TableFormat<F> ? 16u : 0u) << F::name;
        EXPECT_EQ(QuantizationConfig(F::precision).quantized(), !DenseFormat<F>) << F::name;
        EXPECT_EQ(QuantizationConfig(F::precision).four_bits(), TableFormat<F>) << F::name;
      },
      AllFormats{});
  for_each_format(
      []<class F>() {
        EXPECT_TRUE(format_facts(F::name).is_block()) << F::name;
        EXPECT_TRUE(table_of(F::name).empty()) << F::name;
      },
      BlockFormats{});
  EXPECT_FALSE(QuantizationConfig(Precision::stored).quantized());
  EXPECT_TRUE(format_facts("nf3").name.empty());
}

TEST(Precisions, AreListedAsSentencesNeedThem) {
  EXPECT_EQ(names_of(precisions()).substr(0, 22), "fp32, fp16, bf16, int8");
  EXPECT_EQ(names_of(precisions({FormatKind::dense}), " or "), "fp32, fp16 or bf16");
  EXPECT_EQ(names_of(widest_first(precisions({FormatKind::dense}))), "fp32, bf16, fp16");
  EXPECT_EQ(names_of(precisions({FormatKind::row}), " or ", "-x"), "int8-x");
  EXPECT_EQ(names_of({}), "");
  const std::vector<FormatFacts> widest = widest_first(precisions());
  for (std::size_t i = 1; i < widest.size(); ++i) EXPECT_GE(widest[i - 1].bits, widest[i].bits) << widest[i].name;
}

}  // namespace
}  // namespace nibble

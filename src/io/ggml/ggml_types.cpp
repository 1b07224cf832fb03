// The list of ggml's types. ggml has withdrawn the numbers that are missing in between; newer types than MXFP4 are not
// known here, and files that hold them are refused by number.
#include "io/ggml/ggml_types.hpp"

#include "io/ggml/ggml_blocks.hpp"

namespace nibble {
namespace {

using namespace ggml;

template <class T>
constexpr GgmlType type(std::uint32_t number, std::string_view name) {
  GgmlType out{number, name, T::elements, T::bytes, nullptr, nullptr};
  if constexpr (requires { T::decode; }) out.decode = T::decode;
  if constexpr (requires { T::encode; }) out.encode = T::encode;
  return out;
}

constexpr GgmlType types[] = {
    type<F32>(0, "F32"),          type<F16>(1, "F16"),        type<Q4_0>(2, "Q4_0"),        type<Q4_1>(3, "Q4_1"),
    type<Q5_0>(6, "Q5_0"),        type<Q5_1>(7, "Q5_1"),      type<Q8_0>(8, "Q8_0"),        type<Q8_1>(9, "Q8_1"),
    type<Q2_K>(10, "Q2_K"),       type<Q3_K>(11, "Q3_K"),     type<Q4_K>(12, "Q4_K"),       type<Q5_K>(13, "Q5_K"),
    type<Q6_K>(14, "Q6_K"),       type<Q8_K>(15, "Q8_K"),     type<IQ2_XXS>(16, "IQ2_XXS"), type<IQ2_XS>(17, "IQ2_XS"),
    type<IQ3_XXS>(18, "IQ3_XXS"), type<IQ1_S>(19, "IQ1_S"),   type<IQ4_NL>(20, "IQ4_NL"),   type<IQ3_S>(21, "IQ3_S"),
    type<IQ2_S>(22, "IQ2_S"),     type<IQ4_XS>(23, "IQ4_XS"), type<I8>(24, "I8"),           type<I16>(25, "I16"),
    type<I32>(26, "I32"),         type<I64>(27, "I64"),       type<F64>(28, "F64"),         type<IQ1_M>(29, "IQ1_M"),
    type<BF16>(30, "BF16"),       type<TQ1_0>(34, "TQ1_0"),   type<TQ2_0>(35, "TQ2_0"),     type<MXFP4>(39, "MXFP4"),
};

}  // namespace

const GgmlType* ggml_type(std::uint32_t number) {
  for (const GgmlType& type : types)
    if (type.number == number) return &type;
  return nullptr;
}
const GgmlType* ggml_type(std::string_view name) {
  for (const GgmlType& type : types)
    if (type.name == name) return &type;
  return nullptr;
}

}  // namespace nibble

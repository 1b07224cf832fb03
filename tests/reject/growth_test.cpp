// What a file of twice the size costs is less than three times as much: counted in bytes that were asked for, and where
// work asks for none, in processor time, the least of some runs.
#include <ctime>

#include "../made/made_files.hpp"
#include "counted_memory.hpp"
#include "io/safetensors.hpp"
#include "refused.hpp"
#include "text/template/chat_template.hpp"
#include "text/tokenizer/decoder_stream.hpp"

namespace nibble {
namespace {

template <class Work>
std::size_t bytes_of(Work work) {
  counted_memory::reset();
  work();
  return counted_memory::sum();
}

template <class Work>
double seconds_of(Work work) {
  double least = 1e9;
  for (int run = 0; run < 3; ++run) {
    const std::clock_t start = std::clock();
    work();
    least = std::min(least, double(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return least;
}

std::string header_of(int tensors) {
  std::string header = "{";
  for (int i = 0; i < tensors; ++i)
    header +=
        fmt::format("{}\"layers.{}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", i ? "," : "", i);
  return made::safetensors(header + "}", "");
}

TEST(Growth, OfASafetensorsHeader) {
  const auto parse = [](const std::string& bytes) {
    const auto file = Safetensors::parse(std::as_bytes(std::span(bytes)), "x");
    ASSERT_TRUE(file) << file.error().message;
  };
  const std::string once = header_of(20'000), twice = header_of(40'000);
  EXPECT_LT(seconds_of([&] { parse(twice); }), 3 * seconds_of([&] { parse(once); }));
}

TEST(Growth, OfATemplateThatSetsManyNames) {
  const auto render = [](int names) {
    std::string source;
    for (int i = 0; i < names; ++i) source += fmt::format("{{% set x{} = {} %}}", i, i);
    for (int i = 0; i < names; ++i) source += fmt::format("{{% set ns.x{} = x{} %}}", i, i);
    const auto parsed = ChatTemplate::parse("{% set ns = namespace() %}" + source);
    ASSERT_TRUE(parsed) << parsed.error().message;
    const auto text = parsed->render(OrderedJson::object());
    ASSERT_TRUE(text) << text.error().message;
  };
  EXPECT_LT(seconds_of([&] { render(20'000); }), 3 * seconds_of([&] { render(10'000); }));
}

TEST(Growth, OfStreamedHalfCharacters) {
  TokenDecoder decoder;
  decoder.add(DecodeByteLevel{});
  for (const std::vector<std::string>& halves :
       {std::vector<std::string>{"\xC3\x83", "\xC2\xA9"}, std::vector<std::string>{"\xC3\xA2"}}) {  // C3 A9; E2 E2 E2
    const auto stream = [&](int ids) {
      DecoderStream stream(decoder);
      for (int i = 0; i < ids; ++i) stream.push(halves[std::size_t(i) % halves.size()]);
      stream.end();
    };
    EXPECT_LE(bytes_of([&] { stream(40'000); }), 3 * bytes_of([&] { stream(20'000); }));
    EXPECT_LT(seconds_of([&] { stream(400'000); }), 3 * seconds_of([&] { stream(200'000); }));
  }
}

}  // namespace
}  // namespace nibble

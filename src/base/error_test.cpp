#include "base/error.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nibble {
namespace {

TEST(ErrorMessage, ShowsWhatAFileSaysWithoutObeyingIt) {
  const std::string name = "a\x1b[31m\n\xE2\x80\xAE";
  EXPECT_EQ(error(Errc::corrupt_file, "{}: tensor \"{}\"", std::string_view("x"), name).message,
            "x: tensor \"a\\x1b[31m\\n\\u202e\"");
  const std::vector<std::string> names = {name, "b"};
  EXPECT_EQ(error(Errc::not_found, "it has {}", fmt::join(names, ", ")).message, "it has a\\x1b[31m\n\\u202e, b");
}

TEST(ErrorMessage, IsShortWhateverAFileSays) {
  EXPECT_EQ(error(Errc::corrupt_file, "key \"{}\"", std::string(1'000'000, 'k')).message.size(), 206u);
}

TEST(ErrorMessage, FormatsNumbersAsTheyAre) {
  EXPECT_EQ(error(Errc::internal, "{} {:5.2f} {:#x} {} {:>3}", std::uint64_t(1) << 63, 1.5, 255, true, "x").message,
            "9223372036854775808  1.50 0xff true   x");
}

}  // namespace
}  // namespace nibble

// Against the examples of FIPS 180-4 and of NIST's test vectors.
#include "base/digest.hpp"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256(std::string_view()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, GivesTheSameForAnyPieces) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += char(i * 7);
  for (std::size_t size = 0; size <= 130; ++size) {
    const std::string part = text.substr(0, size);
    for (const std::size_t piece : {1, 3, 63, 64, 65}) {
      Digest hash;
      for (std::size_t at = 0; at < size; at += piece) {
        const std::string_view bytes = std::string_view(part).substr(at, piece);
        hash.add(std::as_bytes(std::span(bytes.data(), bytes.size())));
      }
      ASSERT_EQ(hash.finish(), sha256(part)) << size << " bytes in pieces of " << piece;
    }
  }
}

}  // namespace
}  // namespace nibble

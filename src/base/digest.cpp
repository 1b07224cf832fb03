#include "base/digest.hpp"

#include <openssl/evp.h>

#include <cstdio>
#include <memory>
#include <vector>

namespace nibble {

Result<std::string> digest_of_file(const std::filesystem::path& path, Digest kind, std::string_view before) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) return error(Errc::not_found, "{}: cannot be read", path.string());
  EVP_DigestInit_ex(context.get(), kind == Digest::sha256 ? EVP_sha256() : EVP_sha1(), nullptr);
  if (!before.empty()) {
    EVP_DigestUpdate(context.get(), before.data(), before.size());
    EVP_DigestUpdate(context.get(), "", 1);
  }
  std::vector<char> buffer(1 << 20);
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get()))
    EVP_DigestUpdate(context.get(), buffer.data(), got);
  if (std::ferror(file.get())) return error(Errc::io_failure, "{}: cannot be read to its end", path.string());
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned count = 0;
  EVP_DigestFinal_ex(context.get(), bytes, &count);
  std::string out;
  for (unsigned i = 0; i < count; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

}  // namespace nibble

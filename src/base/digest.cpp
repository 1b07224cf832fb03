#include "base/digest.hpp"

#include <openssl/evp.h>

#include <cstdio>
#include <new>
#include <vector>

namespace nibble {

Digest::Digest(DigestKind kind)
    : context_(EVP_MD_CTX_new(), [](void* context) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context)); }) {
  const EVP_MD* function = kind == DigestKind::sha256 ? EVP_sha256() : EVP_sha1();
  // It has its own hashes: what can fail is the memory for their state.
  if (!context_ || EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_.get()), function, nullptr) != 1)
    throw std::bad_alloc();
}

void Digest::add(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_.get()), bytes.data(), bytes.size());
}

std::string Digest::finish() {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned count = 0;
  EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_.get()), bytes, &count);
  std::string out;
  for (unsigned i = 0; i < count; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

std::string sha256(std::span<const std::byte> bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.finish();
}

Result<std::string> digest_of_file(const std::filesystem::path& path, DigestKind kind, std::string_view before) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) return error(Errc::not_found, "{}: cannot be read", path.string());
  Digest digest(kind);
  if (!before.empty()) digest.add(std::as_bytes(std::span(std::string(before).c_str(), before.size() + 1)));
  std::vector<std::byte> buffer(1 << 20);
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get()))
    digest.add(std::span(buffer).first(got));
  if (std::ferror(file.get())) return error(Errc::io_failure, "{}: cannot be read to its end", path.string());
  return digest.finish();
}

}  // namespace nibble

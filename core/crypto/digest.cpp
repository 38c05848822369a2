#include "core/crypto/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <memory>

#include "core/crypto/cipher.hpp"

namespace onetap::core::crypto {

namespace {

/// Frees with `function`; for OpenSSL's handles.
template <auto function>
struct FreedBy {
  template <class Handle>
  void operator()(Handle* handle) const {
    function(handle);
  }
};

template <class Handle, auto function>
using Owned = std::unique_ptr<Handle, FreedBy<function>>;

// OpenSSL fails here only when it is broken or out of memory.
// A fetch searches the providers, so each algorithm is fetched once.
EVP_MD const* fetched_sha256() {
  static Owned<EVP_MD, EVP_MD_free> const algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  require(algorithm != nullptr, "EVP_MD_fetch SHA256");
  return algorithm.get();
}

EVP_MD const* fetched_sha1() {
  static Owned<EVP_MD, EVP_MD_free> const algorithm(EVP_MD_fetch(nullptr, "SHA1", nullptr));
  require(algorithm != nullptr, "EVP_MD_fetch SHA1");
  return algorithm.get();
}

EVP_KDF* fetched_hkdf() {
  static Owned<EVP_KDF, EVP_KDF_free> const algorithm(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  require(algorithm != nullptr, "EVP_KDF_fetch HKDF");
  return algorithm.get();
}

// OpenSSL's parameters are not const-correct: what is handed in is only read.
OSSL_PARAM digest_parameter(char const* name) {
  return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>("SHA256"), 0);
}

OSSL_PARAM bytes_parameter(char const* name, void const* bytes, std::size_t size) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(bytes), size);
}

unsigned char const* unsigned_bytes(std::string_view text) {
  return reinterpret_cast<unsigned char const*>(text.data());
}

// One context for each thread: making one takes longer than to digest what is digested here.
Digest sha256_of_both(std::string_view first, std::string_view second) {
  static thread_local Owned<EVP_MD_CTX, EVP_MD_CTX_free> const context(EVP_MD_CTX_new());
  require(context != nullptr, "EVP_MD_CTX_new");
  Digest digest{};
  require(EVP_DigestInit_ex2(context.get(), fetched_sha256(), nullptr) == 1, "EVP_DigestInit_ex2");
  require(EVP_DigestUpdate(context.get(), first.data(), first.size()) == 1, "EVP_DigestUpdate");
  require(EVP_DigestUpdate(context.get(), second.data(), second.size()) == 1, "EVP_DigestUpdate");
  require(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1, "EVP_DigestFinal_ex");
  return digest;
}

std::string_view text_of(std::span<unsigned char const> bytes) {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

/// HMAC's key, as long as a block of the digest; wiped when it goes.
class BlockKey {
 public:
  explicit BlockKey(std::span<unsigned char const> key) {
    if (key.size() > bytes_.size()) {
      std::ranges::copy(sha256(text_of(key)), bytes_.begin());
    } else {
      std::ranges::copy(key, bytes_.begin());
    }
  }
  BlockKey(BlockKey const&) = delete;
  BlockKey& operator=(BlockKey const&) = delete;
  ~BlockKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  void exclusive_or(unsigned char pad) {
    for (unsigned char& byte : bytes_) byte ^= pad;
  }
  [[nodiscard]] std::string_view text() const { return text_of(bytes_); }

 private:
  std::array<unsigned char, 64> bytes_{};
};

}  // namespace

Digest sha256(std::string_view data) { return sha256_of_both(data, {}); }

std::array<unsigned char, 20> sha1(std::string_view data) {
  std::array<unsigned char, 20> digest{};
  require(EVP_Digest(data.data(), data.size(), digest.data(), nullptr, fetched_sha1(), nullptr) == 1,
          "EVP_Digest");
  return digest;
}

// RFC 2104, on the context that is there: OpenSSL's EVP_MAC copies contexts for each message, which takes
// half as long again.
Digest hmac_sha256(std::span<unsigned char const> key, std::string_view message) {
  constexpr unsigned char inner_pad = 0x36;
  constexpr unsigned char outer_pad = 0x5c;
  BlockKey block(key);
  block.exclusive_or(inner_pad);
  Digest const inner = sha256_of_both(block.text(), message);
  block.exclusive_or(inner_pad ^ outer_pad);
  return sha256_of_both(block.text(), text_of(inner));
}

Digest hkdf_sha256(std::span<unsigned char const> key, std::string_view info) {
  Owned<EVP_KDF_CTX, EVP_KDF_CTX_free> const context(EVP_KDF_CTX_new(fetched_hkdf()));
  require(context != nullptr, "EVP_KDF_CTX_new");
  std::array<OSSL_PARAM, 4> const parameters{
      digest_parameter(OSSL_KDF_PARAM_DIGEST),
      bytes_parameter(OSSL_KDF_PARAM_KEY, key.data(), key.size()),
      bytes_parameter(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end(),
  };
  Digest derived{};
  require(EVP_KDF_derive(context.get(), derived.data(), derived.size(), parameters.data()) == 1,
          "EVP_KDF_derive");
  return derived;
}

bool equal_in_constant_time(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

void fill_random(std::span<unsigned char> bytes) {
  require(bytes.size() <= INT_MAX, "RAND_bytes");
  require(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "RAND_bytes");
}

// OpenSSL's generator takes 7,000 instructions and three system calls for each draw, however small.
std::array<unsigned char, 10> random_name() {
  static thread_local std::array<std::array<unsigned char, 10>, 64> drawn;
  static thread_local std::size_t handed_out = drawn.size();
  if (handed_out == drawn.size()) {
    fill_random({drawn.front().data(), sizeof drawn});
    handed_out = 0;
  }
  return drawn.at(handed_out++);
}

std::string to_hex(std::span<unsigned char const> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex(2 * bytes.size(), '0');
  auto to = hex.begin();
  for (unsigned char const byte : bytes) {
    *to++ = digits[byte >> 4U];
    *to++ = digits[byte & 15U];
  }
  return hex;
}

std::string to_base64(std::span<unsigned char const> bytes) {
  require(bytes.size() <= INT_MAX / 2, "EVP_EncodeBlock");
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  // Writes the terminating zero too, which a string has room for.
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                  static_cast<int>(bytes.size()));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > INT_MAX) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(bytes.data());
  int const decoded = EVP_DecodeBlock(out, unsigned_bytes(text), static_cast<int>(text.size()));
  if (decoded < 0) return std::nullopt;
  std::size_t const padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes.resize(static_cast<std::size_t>(decoded) - std::min(padding, static_cast<std::size_t>(decoded)));

  // EVP_DecodeBlock forgives white space, stray bits and padding within: only what encodes to the same
  // text was in order.
  if (to_base64(std::span(unsigned_bytes(bytes), bytes.size())) != text) return std::nullopt;
  return bytes;
}

}  // namespace onetap::core::crypto

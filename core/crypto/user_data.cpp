#include "core/crypto/user_data.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>
#include <string>

#include "core/crypto/cipher.hpp"
#include "core/crypto/digest.hpp"
#include "core/limits.hpp"

namespace onetap::core::crypto {
namespace {

constexpr std::size_t block_bytes = 16;  // and those of the key

// A fetch searches the providers, so it is done once.
EVP_CIPHER const* fetched_aes_128_cbc() {
  static Cipher const cipher = fetch_cipher("AES-128-CBC");
  return cipher.get();
}

unsigned char const* unsigned_bytes(std::string_view text) {
  return reinterpret_cast<unsigned char const*>(text.data());
}

/// Bytes that came as base64; where they are of no use, a block of zeros does the work in their place.
class Bytes {
 public:
  Bytes(std::string_view base64, std::size_t size_min, std::size_t size_max) {
    std::optional<std::string> decoded = from_base64(base64);
    usable_ = decoded && decoded->size() >= size_min && decoded->size() <= size_max;
    bytes_ = Decoded(usable_ ? std::move(*decoded) : std::string(block_bytes, '\0'));
  }

  [[nodiscard]] bool usable() const { return usable_; }
  [[nodiscard]] unsigned char const* data() const { return unsigned_bytes(bytes_.reveal()); }
  [[nodiscard]] std::size_t size() const { return bytes_.reveal().size(); }

 private:
  using Decoded = Confidential<struct DecodedTag>;  // one of them is a key

  Decoded bytes_;
  bool usable_ = false;
};

}  // namespace

std::optional<UserData> open_user_data(std::string_view encrypted_data, std::string_view iv,
                                       SessionKey const& session_key) {
  Bytes const data(encrypted_data, block_bytes, limits::encrypted_data_bytes_max / 4 * 3);
  Bytes const start(iv, block_bytes, block_bytes);
  Bytes const key(session_key.reveal(), block_bytes, block_bytes);

  CipherContext const context = new_cipher_context();
  require(EVP_DecryptInit_ex2(context.get(), fetched_aes_128_cbc(), key.data(), start.data(), nullptr) == 1,
          "EVP_DecryptInit_ex2");
  std::string clear(data.size() + block_bytes, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(clear.data());
  int written = 0;
  require(EVP_DecryptUpdate(context.get(), out, &written, data.data(), static_cast<int>(data.size())) == 1,
          "EVP_DecryptUpdate");
  // A wrong padding is no error of OpenSSL's that anyone after us should find in its queue.
  ERR_set_mark();
  int rest = 0;
  bool const well_padded = EVP_DecryptFinal_ex(context.get(), out + written, &rest) == 1;
  ERR_pop_to_mark();
  if (well_padded) clear.resize(static_cast<std::size_t>(written) + static_cast<std::size_t>(rest));
  UserData user_data(std::move(clear));
  if (!well_padded || !data.usable() || !start.usable() || !key.usable()) return std::nullopt;
  return user_data;
}

}  // namespace onetap::core::crypto

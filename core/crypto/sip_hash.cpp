#include "core/crypto/sip_hash.hpp"

#include <bit>
#include <cstddef>

namespace onetap::core::crypto {

namespace {

constexpr std::size_t word_bytes = sizeof(std::uint64_t);

/// Little-endian; of at most word_bytes.
template <class Byte>
std::uint64_t read_word(Byte const* bytes, std::size_t size = word_bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i)
    word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return word;
}

class State {
 public:
  State(std::uint64_t k0, std::uint64_t k1)
      : v0_(k0 ^ 0x736f6d6570736575),
        v1_(k1 ^ 0x646f72616e646f6d),
        v2_(k0 ^ 0x6c7967656e657261),
        v3_(k1 ^ 0x7465646279746573) {}

  void compress(std::uint64_t word) {
    v3_ ^= word;
    rounds(2);
    v0_ ^= word;
  }
  [[nodiscard]] std::uint64_t finish() {
    v2_ ^= 0xff;
    rounds(4);
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0_ += v1_;
      v2_ += v3_;
      v1_ = std::rotl(v1_, 13) ^ v0_;
      v3_ = std::rotl(v3_, 16) ^ v2_;
      v0_ = std::rotl(v0_, 32);
      v2_ += v1_;
      v0_ += v3_;
      v1_ = std::rotl(v1_, 17) ^ v2_;
      v3_ = std::rotl(v3_, 21) ^ v0_;
      v2_ = std::rotl(v2_, 32);
    }
  }

  std::uint64_t v0_;
  std::uint64_t v1_;
  std::uint64_t v2_;
  std::uint64_t v3_;
};

}  // namespace

std::uint64_t sip_hash(SipHashKey const& key, std::string_view message) {
  State state(read_word(key.data()), read_word(key.data() + word_bytes));
  std::uint64_t const size_byte = std::uint64_t{message.size() & 0xffU} << 56U;
  for (; message.size() >= word_bytes; message.remove_prefix(word_bytes))
    state.compress(read_word(message.data()));
  state.compress(size_byte | read_word(message.data(), message.size()));
  return state.finish();
}

}  // namespace onetap::core::crypto

#include "core/crypto/sip_hash.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <string>

using onetap::core::crypto::sip_hash;
using onetap::core::crypto::SipHashKey;

namespace {

constexpr SipHashKey reference_key{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/// 00 01 02 …, of that many bytes.
std::string counting(std::size_t size) {
  std::string message;
  for (std::size_t i = 0; i < size; ++i) message += static_cast<char>(i);
  return message;
}

TEST_CASE("SipHash-2-4 gives the vectors of its reference implementation") {
  constexpr std::array<std::uint64_t, 16> expected{
      0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
      0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
      0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
      0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
  for (std::size_t size = 0; size < expected.size(); ++size) {
    CAPTURE(size);
    CHECK(sip_hash(reference_key, counting(size)) == expected.at(size));
  }
  CHECK(sip_hash(reference_key, counting(63)) == 0x958a324ceb064572);
}

TEST_CASE("every byte of the key and of the message counts") {
  std::string const message = counting(21);
  std::uint64_t const hash = sip_hash(reference_key, message);
  for (std::size_t i = 0; i < reference_key.size(); ++i) {
    SipHashKey other = reference_key;
    other.at(i) ^= 0x80U;
    CHECK(sip_hash(other, message) != hash);
  }
  for (std::size_t i = 0; i < message.size(); ++i) {
    std::string other = message;
    other.at(i) = '\xff';
    CHECK(sip_hash(reference_key, other) != hash);
  }
  CHECK(sip_hash(reference_key, message + '\0') != hash);
}

}  // namespace

#include "core/request_id.hpp"

#include <algorithm>
#include <cstdint>

#include "core/limits.hpp"
#include "core/text.hpp"

namespace onetap::core {

namespace {

constexpr std::string_view crockford_base32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

bool is_request_id_character(char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; }

/// The low `count` digits of `bits`, most significant first.
void append_base32(std::string& text, std::uint64_t bits, unsigned count) {
  constexpr unsigned bits_per_digit = 5;
  for (unsigned left = count; left > 0; --left) {
    text += crockford_base32[(bits >> ((left - 1) * bits_per_digit)) & 31U];
  }
}

std::uint64_t big_endian_40_bits(std::span<unsigned char const, 5> bytes) {
  std::uint64_t bits = 0;
  for (unsigned char const byte : bytes) bits = bits << 8U | byte;
  return bits;
}

}  // namespace

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= limits::request_id_bytes_max &&
         std::ranges::all_of(text, is_request_id_character);
}

std::string make_request_id(WallTime at, std::span<unsigned char const, 10> random) {
  constexpr std::uint64_t time_mask = (1ULL << 48U) - 1;
  std::string id;
  id.reserve(26);
  append_base32(id, static_cast<std::uint64_t>(unix_ms(at)) & time_mask, 10);
  append_base32(id, big_endian_40_bits(random.first<5>()), 8);
  append_base32(id, big_endian_40_bits(random.last<5>()), 8);
  return id;
}

}  // namespace onetap::core

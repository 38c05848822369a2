#include "core/request_id.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace onetap::core {
namespace {

using Random = std::array<unsigned char, 10>;

Random all(unsigned char byte) {
  Random random{};
  random.fill(byte);
  return random;
}

TEST_CASE("a client's request id of letters, digits, dots, underscores and hyphens is taken over") {
  for (std::string_view const id : {"a", "01J9Z5Q7X3", "trace_1.2-3", "...", "-", "_", "AZaz09"}) {
    CAPTURE(id);
    CHECK(is_request_id(id));
  }
  CHECK(is_request_id(std::string(64, 'x')));
}

TEST_CASE("any other request id is not") {
  for (std::string_view const id : {"", " ", "a b", "a\n", "a\r\nX-Evil: 1", "a/b", "a:b", "a@b", "a[b",
                                    "a`b", "a{b", "\"a\"", "号", "a\x7f"}) {
    CAPTURE(id);
    CHECK_FALSE(is_request_id(id));
  }
  CHECK_FALSE(is_request_id(std::string(65, 'x')));
  CHECK_FALSE(is_request_id(std::string_view("a\0b", 3)));
}

TEST_CASE("a made request id is a ULID") {
  // The time of the ULID specification's example, 01ARZ3NDEK….
  CHECK(make_request_id(wall_time_of_unix_ms(1469922850259), all(0)) == "01ARZ3NDEK0000000000000000");
  CHECK(make_request_id(wall_time_of_unix_ms(0), all(0xff)) == "0000000000ZZZZZZZZZZZZZZZZ");
  CHECK(make_request_id(wall_time_of_unix_ms((std::int64_t{1} << 48) - 1), all(0)) ==
        "7ZZZZZZZZZ0000000000000000");
}

TEST_CASE("a ULID's random part is its 80 bits, most significant first") {
  // Eight digits are five bytes: 00001 00000 … and … 00001.
  Random const random{0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0x01};
  CHECK(make_request_id(wall_time_of_unix_ms(0), random) == "00000000001000000000000001");
  Random const counting{0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf};
  CHECK(make_request_id(wall_time_of_unix_ms(0), counting) == "00000000000123456789ABCDEF");
}

TEST_CASE("a made request id is one that would be taken over") {
  CHECK(is_request_id(make_request_id(wall_time_of_unix_ms(1790000000123), all(0xa5))));
}

TEST_CASE("request ids sort by time") {
  std::string const earlier = make_request_id(wall_time_of_unix_ms(1790000000123), all(0xff));
  std::string const later = make_request_id(wall_time_of_unix_ms(1790000000124), all(0x00));
  CHECK(earlier < later);
}

TEST_CASE("a time before 1970 still gives an id") {
  CHECK(is_request_id(make_request_id(wall_time_of_unix_ms(-1), all(0))));
}

}  // namespace
}  // namespace onetap::core

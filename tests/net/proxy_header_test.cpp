#include "net/server/proxy_header.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace onetap::net;

namespace {

std::string head_bytes(unsigned command, unsigned family, std::size_t length) {
  std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
  for (std::size_t const byte : {std::size_t{command}, std::size_t{family}, length / 256, length % 256})
    bytes += static_cast<char>(byte);
  return bytes;
}

}  // namespace

TEST_CASE("a proxied connection's source is read from its header") {
  auto const ipv4 = read_proxy_head(head_bytes(0x21, 0x11, 12));
  REQUIRE(ipv4.has_value());
  CHECK_FALSE(ipv4->is_local);
  CHECK(ipv4->rest_bytes == 12);
  CHECK(proxied_source(*ipv4, std::string("\xC6\x33\x64\x01\x0A\x00\x00\x01\x12\x67\x01\xBB", 12))
            .to_string() == "198.51.100.1");

  auto const ipv6 = read_proxy_head(head_bytes(0x21, 0x21, 40));
  REQUIRE(ipv6.has_value());
  std::string rest("\x20\x01\x0d\xb8", 4);
  rest.append(11, '\0').append("\x07").append(24, '\0');
  CHECK(proxied_source(*ipv6, rest).to_string() == "2001:db8::7");
}

TEST_CASE("a proxy's own connection has no source, and what its header says beside is ignored") {
  for (unsigned const family : {0x00U, 0x11U, 0x31U}) {
    auto const head = read_proxy_head(head_bytes(0x20, family, 5));
    REQUIRE(head.has_value());
    CHECK(head->is_local);
    CHECK(head->rest_bytes == 5);
  }
}

TEST_CASE("what is not a version 2 header for TCP is not taken") {
  CHECK_FALSE(read_proxy_head("").has_value());
  CHECK_FALSE(read_proxy_head("PROXY TCP4 1.2.3").has_value());
  CHECK_FALSE(read_proxy_head(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
                                          "hello",
                                          16))
                  .has_value());
  CHECK_FALSE(read_proxy_head(head_bytes(0x21, 0x11, 12).substr(0, 15)).has_value());
  CHECK_FALSE(read_proxy_head(head_bytes(0x11, 0x11, 12)).has_value());   // version 1 in the binary's place
  CHECK_FALSE(read_proxy_head(head_bytes(0x31, 0x11, 12)).has_value());   // version 3
  CHECK_FALSE(read_proxy_head(head_bytes(0x22, 0x11, 12)).has_value());   // neither LOCAL nor PROXY
  CHECK_FALSE(read_proxy_head(head_bytes(0x21, 0x12, 12)).has_value());   // UDP
  CHECK_FALSE(read_proxy_head(head_bytes(0x21, 0x31, 216)).has_value());  // Unix
  CHECK_FALSE(read_proxy_head(head_bytes(0x21, 0x00, 0)).has_value());    // unspecified
  CHECK_FALSE(read_proxy_head(head_bytes(0x21, 0x11, 11)).has_value());
  CHECK_FALSE(read_proxy_head(head_bytes(0x21, 0x21, 35)).has_value());
}

TEST_CASE("a header's length has a bound") {
  CHECK(read_proxy_head(head_bytes(0x21, 0x11, 536)).has_value());
  CHECK_FALSE(read_proxy_head(head_bytes(0x21, 0x11, 537)).has_value());
  CHECK_FALSE(read_proxy_head(head_bytes(0x20, 0x00, 65535)).has_value());
}

#include "net/server/client_address.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <vector>

using namespace onetap::net;

namespace {

asio::ip::address address(std::string const& text) { return asio::ip::make_address(text); }

std::vector<AddressRange> ranges(std::initializer_list<std::string_view> texts) {
  std::vector<AddressRange> all;
  for (std::string_view const text : texts) {
    auto const range = AddressRange::parse(text);
    REQUIRE(range.has_value());
    all.push_back(*range);
  }
  return all;
}

bool holds(std::string_view range, std::string const& text) {
  return is_within(ranges({range}), address(text));
}

std::string client(std::string const& peer, std::vector<std::string_view> const& fields,
                   std::initializer_list<std::string_view> trusted) {
  return client_address(address(peer), fields, ranges(trusted)).to_string();
}

}  // namespace

TEST_CASE("a range holds the addresses that share its first bits, and no others") {
  CHECK(holds("10.0.0.0/8", "10.255.255.255"));
  CHECK_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
  CHECK(holds("100.64.0.0/10", "100.127.255.255"));
  CHECK_FALSE(holds("100.64.0.0/10", "100.128.0.0"));
  CHECK(holds("192.0.2.7", "192.0.2.7"));
  CHECK_FALSE(holds("192.0.2.7/32", "192.0.2.6"));
  CHECK(holds("192.0.2.77/24", "192.0.2.1"));
  CHECK(holds("0.0.0.0/0", "203.0.113.9"));
  CHECK(holds("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(holds("::1", "::1"));
  CHECK_FALSE(holds("::1/128", "::2"));
}

TEST_CASE("an IPv4 address in IPv6's clothes is IPv4's, in a range and as a peer") {
  CHECK(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
  CHECK_FALSE(holds("::ffff:10.0.0.0/104", "11.1.2.3"));
  CHECK_FALSE(holds("::/0", "10.1.2.3"));
  CHECK_FALSE(holds("::/0", "::ffff:10.1.2.3"));
  CHECK_FALSE(holds("0.0.0.0/0", "2001:db8::1"));
  CHECK(plain_address(address("::ffff:192.0.2.1")).to_string() == "192.0.2.1");
}

TEST_CASE("what is no range is none") {
  for (char const* const text :
       {"", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/+8", "10.0.0/8",
        "10.0.0.0/8/8", "010.0.0.0/8", "2001:db8::/129", "fe80::1%eth0/64", "example.com", " 10.0.0.0/8",
        "10.0.0.0/ 8", "[::1]/128", "/8"}) {
    CAPTURE(text);
    CHECK_FALSE(AddressRange::parse(text).has_value());
  }
}

TEST_CASE("nobody's X-Forwarded-For is believed but a trusted proxy's") {
  CHECK(client("203.0.113.5", {"198.51.100.1"}, {}) == "203.0.113.5");
  CHECK(client("203.0.113.5", {"198.51.100.1"}, {"10.0.0.0/8"}) == "203.0.113.5");
  CHECK(client("10.0.0.1", {"198.51.100.1"}, {"10.0.0.0/8"}) == "198.51.100.1");
  CHECK(client("::ffff:10.0.0.1", {"198.51.100.1"}, {"10.0.0.0/8"}) == "198.51.100.1");
}

TEST_CASE("the client is the right-most hop that is no trusted proxy: what stands left of it is hearsay") {
  CHECK(client("10.0.0.1", {"1.1.1.1, 198.51.100.1"}, {"10.0.0.0/8"}) == "198.51.100.1");
  CHECK(client("10.0.0.1", {"1.1.1.1, 198.51.100.1, 10.0.0.2"}, {"10.0.0.0/8"}) == "198.51.100.1");
  CHECK(client("10.0.0.1", {"10.0.0.9, 198.51.100.1,10.0.0.2 ,\t10.0.0.3"}, {"10.0.0.0/8"}) ==
        "198.51.100.1");
  CHECK(client("10.0.0.1", {"10.0.0.9, 10.0.0.8"}, {"10.0.0.0/8"}) == "10.0.0.9");
}

TEST_CASE("several fields are one list") {
  CHECK(client("10.0.0.1", {"1.1.1.1", "198.51.100.1, 10.0.0.2", "10.0.0.3"}, {"10.0.0.0/8"}) ==
        "198.51.100.1");
  CHECK(client("10.0.0.1", {"198.51.100.1", "", " , ,"}, {"10.0.0.0/8"}) == "198.51.100.1");
}

TEST_CASE("without a hop the trusted proxy itself is the client") {
  CHECK(client("10.0.0.1", {}, {"10.0.0.0/8"}) == "10.0.0.1");
  CHECK(client("10.0.0.1", {"", ", ,"}, {"10.0.0.0/8"}) == "10.0.0.1");
}

TEST_CASE("garbage ends the walk at the last good hop") {
  for (std::string const garbage :
       {"unknown", "_hidden", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:x",
        "[1.2.3.4]", "[2001:db8::1", "[2001:db8::1]x", "[2001:db8::1]:", "fe80::1%eth0", "1.2.3.4 5.6.7.8",
        "\"1.2.3.4\"", "for=1.2.3.4"}) {
    CAPTURE(garbage);
    std::string const alone = "198.51.100.1, " + garbage;
    CHECK(client("10.0.0.1", {alone}, {"10.0.0.0/8"}) == "10.0.0.1");
    std::string const further_left = garbage + ", 10.0.0.2";
    CHECK(client("10.0.0.1", {further_left}, {"10.0.0.0/8"}) == "10.0.0.2");
    std::string const beyond_the_client = garbage + ", 198.51.100.1, 10.0.0.2";
    CHECK(client("10.0.0.1", {beyond_the_client}, {"10.0.0.0/8"}) == "198.51.100.1");
  }
}

TEST_CASE("hops may be IPv6, in brackets, and with a port") {
  CHECK(client("10.0.0.1", {"2001:db8::1"}, {"10.0.0.0/8"}) == "2001:db8::1");
  CHECK(client("10.0.0.1", {"[2001:db8::1]"}, {"10.0.0.0/8"}) == "2001:db8::1");
  CHECK(client("10.0.0.1", {"[2001:db8::1]:4711"}, {"10.0.0.0/8"}) == "2001:db8::1");
  CHECK(client("10.0.0.1", {"198.51.100.1:4711"}, {"10.0.0.0/8"}) == "198.51.100.1");
  CHECK(client("10.0.0.1", {"::ffff:198.51.100.1"}, {"10.0.0.0/8"}) == "198.51.100.1");
  CHECK(client("fd00::1", {"198.51.100.1, fd00::2"}, {"fd00::/8"}) == "198.51.100.1");
}

TEST_CASE("limits go by the whole of IPv4 and by the household of IPv6") {
  CHECK(limit_key(address("192.0.2.1")) == std::string("\xC0\x00\x02\x01", 4));
  CHECK(limit_key(address("::ffff:192.0.2.1")) == limit_key(address("192.0.2.1")));
  CHECK(limit_key(address("192.0.2.1")) != limit_key(address("192.0.2.2")));
  CHECK(limit_key(address("2001:db8:1:2::1")) == std::string("\x20\x01\x0d\xb8\x00\x01\x00\x02", 8));
  CHECK(limit_key(address("2001:db8:1:2::1")) == limit_key(address("2001:db8:1:2:ffff::9")));
  CHECK(limit_key(address("2001:db8:1:2::1")) != limit_key(address("2001:db8:1:3::1")));
}

TEST_CASE("a peer is near when it is probably the operator's own") {
  for (char const* const text : {"127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1",
                                 "100.127.255.255", "169.254.1.1", "fd12::1", "fe80::1", "::ffff:10.1.2.3"}) {
    CAPTURE(text);
    CHECK(is_near(address(text)));
  }
  for (char const* const text : {"8.8.8.8", "172.32.0.1", "100.128.0.1", "192.169.0.1", "2001:db8::1"}) {
    CAPTURE(text);
    CHECK_FALSE(is_near(address(text)));
  }
}

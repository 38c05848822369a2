#include "core/crypto/digest.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <boost/json/parse.hpp>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>
#include <vector>

namespace onetap::core::crypto {
namespace {

std::span<unsigned char const> bytes_of(std::string_view text) {
  return {reinterpret_cast<unsigned char const*>(text.data()), text.size()};
}

std::string hex_hmac(std::string const& key, std::string_view message) {
  return to_hex(hmac_sha256(bytes_of(key), message));
}

TEST_CASE("SHA-256 gives what the page's package gives: FIPS 180's examples, and codes") {
  std::ifstream file(ONETAP_SOURCE "/tests/vectors/digest.json");
  std::string const text{std::istreambuf_iterator<char>(file), {}};
  auto const vectors = boost::json::parse(text).at("vectors").as_array();
  REQUIRE(vectors.size() > 5);
  for (boost::json::value const& each : vectors) {
    CAPTURE(std::string(each.at("name").as_string()));
    CHECK(to_hex(sha256(std::string_view(each.at("text").as_string()))) ==
          std::string_view(each.at("sha256").as_string()));
  }
}

TEST_CASE("HMAC-SHA256 gives the test cases of RFC 4231") {
  std::string key_of_25_bytes;
  for (int i = 1; i <= 25; ++i) key_of_25_bytes += static_cast<char>(i);
  std::string const key_of_131_bytes(131, '\xaa');

  CHECK(hex_hmac(std::string(20, '\x0b'), "Hi There") ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex_hmac("Jefe", "what do ya want for nothing?") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex_hmac(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  CHECK(hex_hmac(key_of_25_bytes, std::string(50, '\xcd')) ==
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  CHECK(hex_hmac(key_of_131_bytes, "Test Using Larger Than Block-Size Key - Hash Key First") ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(hex_hmac(key_of_131_bytes,
                 "This is a test using a larger than block-size key and a larger than block-size data. "
                 "The key needs to be hashed before being used by the HMAC algorithm.") ==
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST_CASE("HMAC-SHA256 takes an empty key and an empty message") {
  CHECK(to_hex(hmac_sha256({}, "")) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("HKDF-SHA256 without salt and info gives the beginning of RFC 5869's test case 3") {
  CHECK(to_hex(hkdf_sha256(bytes_of(std::string(22, '\x0b')), "")) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

TEST_CASE("HKDF-SHA256 with an info gives what `openssl kdf` gives") {
  std::vector<unsigned char> key(32);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<unsigned char>(i);
  CHECK(to_hex(hkdf_sha256(key, "onetap pepper v1")) ==
        "77c09aa58e8e165512807e7d3bc408c77d0f25e96a9ecd77abaf66c247e05b89");
}

TEST_CASE("a comparison in constant time tells equal from unequal") {
  CHECK(equal_in_constant_time("", ""));
  CHECK(equal_in_constant_time("token", "token"));
  CHECK_FALSE(equal_in_constant_time("token", "tokem"));
  CHECK_FALSE(equal_in_constant_time("token", "Token"));
  CHECK_FALSE(equal_in_constant_time("token", "toke"));
  CHECK_FALSE(equal_in_constant_time("", "t"));
}

TEST_CASE("no random name comes twice, on one thread or on two") {
  std::set<std::array<unsigned char, 10>> seen;
  for (int i = 0; i < 1000; ++i) CHECK(seen.insert(random_name()).second);
  std::thread([&seen] { CHECK(seen.insert(random_name()).second); }).join();
}

TEST_CASE("random bytes fill the whole span and differ from one call to the next") {
  std::set<std::vector<unsigned char>> seen;
  for (int i = 0; i < 20; ++i) {
    std::vector<unsigned char> bytes(32);
    fill_random(bytes);
    // 16 zero bytes in a row at either end come once in 2^128.
    CHECK(std::vector(bytes.begin(), bytes.begin() + 16) != std::vector<unsigned char>(16));
    CHECK(std::vector(bytes.begin() + 16, bytes.end()) != std::vector<unsigned char>(16));
    seen.insert(bytes);
  }
  CHECK(seen.size() == 20);
}

TEST_CASE("hex is lower case, two digits a byte") {
  CHECK(to_hex({}).empty());
  CHECK(to_hex(std::vector<unsigned char>{0x00, 0x0f, 0xa0, 0xff}) == "000fa0ff");
}

TEST_CASE("base64 gives the test vectors of RFC 4648, both ways") {
  struct Vector {
    std::string_view plain;
    std::string_view encoded;
  };
  for (Vector const& vector : {Vector{"", ""},
                               {"f", "Zg=="},
                               {"fo", "Zm8="},
                               {"foo", "Zm9v"},
                               {"foob", "Zm9vYg=="},
                               {"fooba", "Zm9vYmE="},
                               {"foobar", "Zm9vYmFy"},
                               {"\xfb\xff\xfe", "+//+"}}) {
    CHECK(to_base64(bytes_of(vector.plain)) == vector.encoded);
    CHECK(from_base64(vector.encoded) == std::string(vector.plain));
  }
}

TEST_CASE("base64 keeps zero bytes") {
  CHECK(from_base64("AAAA") == std::string(3, '\0'));
  CHECK(from_base64("AA==") == std::string(1, '\0'));
}

TEST_CASE("what isn't strict base64 is refused") {
  for (std::string_view const text :
       {"Z",    "Zg",       "Zg=",    "Zm9",    "=",      "==",       "===",      "====",
        "Z===", "Zg===",    "Zg====", "Zh==",   "Zm9=",   "Zm8=Zm8=", "Zg==Zm9v", "Z=g=",
        "=Zg=", " Zg==",    "Zg== ",  "Zg==\n", "Zm9v\n", "Zm\n9v",   "Zm 9",     "Zm9v    ",
        "    ", "\n\n\n\n", "-__-",   "Zm9-",   "Zm9*",   "Zm9\x80",  "Zm9v-",    "Zm9vYmFyZ"}) {
    CAPTURE(text);
    CHECK_FALSE(from_base64(text).has_value());
  }
  CHECK_FALSE(from_base64(std::string_view("Zm9\0", 4)).has_value());
  CHECK_FALSE(from_base64(std::string_view("\0\0\0\0", 4)).has_value());
}

TEST_CASE("any bytes come back from base64") {
  CHECK(rc::check([](std::vector<unsigned char> const& bytes) {
    RC_ASSERT(from_base64(to_base64(bytes)) == std::string(bytes.begin(), bytes.end()));
  }));
}

TEST_CASE("a text that decodes at all is the one text for its bytes") {
  CHECK(rc::check([] {
    auto const text =
        *rc::gen::container<std::string>(4, rc::gen::element('A', 'B', 'Z', 'g', '9', '/', '=', '\n'));
    auto const bytes = from_base64(text);
    if (bytes) RC_ASSERT(to_base64(bytes_of(*bytes)) == text);
  }));
}

}  // namespace
}  // namespace onetap::core::crypto

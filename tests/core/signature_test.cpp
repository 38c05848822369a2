#include "core/gate/signature.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <fstream>
#include <iterator>
#include <string>

#include "core/crypto/digest.hpp"
#include "core/json.hpp"

namespace onetap::core {
namespace {

json::array vectors() {
  std::ifstream file(ONETAP_SOURCE "/tests/vectors/signature.json");
  std::string const text{std::istreambuf_iterator<char>(file), {}};
  return json::parse(text).as_object().at("vectors").as_array();
}

std::string text(json::value const& vector, std::string_view name) {
  return std::string(vector.as_object().at(name).as_string());
}

std::string decoded(json::value const& vector, std::string_view name) {
  return crypto::from_base64(text(vector, name)).value();
}

std::string message_of(json::value const& vector) {
  return message_to_sign(text(vector, "method"), text(vector, "target"), text(vector, "timestamp"),
                         text(vector, "nonce_str"), text(vector, "body"));
}

WallTime at_second(std::int64_t unix_s) { return wall_time_of_unix_ms(unix_s * 1000); }

TEST_CASE("what is signed is method, target, timestamp, nonce and body, each with a line feed after it") {
  CHECK(message_to_sign("POST", "/phone/consume", "1790000000", "0123456789abcdef", "{}") ==
        "POST\n/phone/consume\n1790000000\n0123456789abcdef\n{}\n");
  CHECK(message_to_sign("GET", "/phone/quota?kind=quick", "1", "n", "") ==
        "GET\n/phone/quota?kind=quick\n1\nn\n\n");
}

TEST_CASE("signatures computed elsewhere fit, and only to their own message and key") {
  json::array const all = vectors();
  REQUIRE(all.size() >= 6);
  for (json::value const& vector : all) {
    CAPTURE(text(vector, "name"));
    std::string const signature = decoded(vector, "signature");
    std::string const key = decoded(vector, "key");
    std::string const message = message_of(vector);
    CHECK(is_signature_of(signature, key, message));
    CHECK_FALSE(is_signature_of(signature, key, message + "\n"));
    CHECK_FALSE(is_signature_of(signature, key, message.substr(0, message.size() - 1)));
    CHECK_FALSE(is_signature_of(signature, key + '\1', message));
    CHECK_FALSE(is_signature_of(signature, text(vector, "key"), message));  // the key is bytes, not base64
    for (json::value const& other : all)
      CHECK(is_signature_of(decoded(other, "signature"), key, message) == (&other == &vector));
  }
}

TEST_CASE("no bit of a signature may be another, and no part may be left out") {
  json::value const vector = vectors().front();
  std::string const key = decoded(vector, "key");
  std::string const message = message_of(vector);
  std::string const signature = decoded(vector, "signature");
  for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
    std::string other = signature;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    REQUIRE_FALSE(is_signature_of(other, key, message));
  }
  CHECK_FALSE(is_signature_of("", key, message));
  CHECK_FALSE(is_signature_of(signature.substr(0, 31), key, message));
  CHECK_FALSE(is_signature_of(signature + '\0', key, message));
}

TEST_CASE("WeChat's own vector for a session_key's signature fits") {
  constexpr std::string_view session_key = "o0q0otL8aEzpcZL/FT9WsQ==";  // its text is the key
  auto const hex = [&](std::string_view message) {
    auto const* const bytes = reinterpret_cast<unsigned char const*>(session_key.data());
    return crypto::to_hex(crypto::hmac_sha256({bytes, session_key.size()}, message));
  };
  CHECK(hex(R"({"foo":"bar"})") == "654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b");
  CHECK(hex("") == "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128");
}

TEST_CASE("a timestamp is timely within 300 seconds, either way") {
  WallTime const now = at_second(1'790'000'000);
  for (char const* const timestamp : {"1790000000", "1789999700", "1790000300", "01790000000"}) {
    CAPTURE(timestamp);
    CHECK(is_timely(timestamp, now));
  }
  for (char const* const timestamp : {"1789999699", "1790000301", "0", "99999999999", "1790000"}) {
    CAPTURE(timestamp);
    CHECK_FALSE(is_timely(timestamp, now));
  }
  CHECK_FALSE(is_timely("1790000000000", now));  // milliseconds, as JavaScript counts
  CHECK(is_timely("1789999700", now + milliseconds(999)));
  CHECK_FALSE(is_timely("1789999700", now + milliseconds(1000)));
}

}  // namespace
}  // namespace onetap::core

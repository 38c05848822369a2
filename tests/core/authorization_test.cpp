#include "core/gate/authorization.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

namespace onetap::core {
namespace {

using authorization::Bearer;
using authorization::Malformed;
using authorization::Signed;

std::string const token = "abcdefghijklmnopqrstuvwxyz_-ABCDEFGHIJKLMNO";  // 43 characters
std::string const good_signature = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

std::string parameter(std::string const& name, std::string const& value) {
  return name + "=\"" + value + "\"";
}

struct Sent {
  std::string session = token;
  std::string key = "session";
  std::string timestamp = "1790000000";
  std::string nonce_str = "0123456789abcdef";
  std::string signature = good_signature;

  [[nodiscard]] std::vector<std::string> parameters() const {
    return {parameter("session", session), parameter("key", key), parameter("timestamp", timestamp),
            parameter("nonce_str", nonce_str), parameter("signature", signature)};
  }
  [[nodiscard]] std::string field() const;
};

std::string joined(std::vector<std::string> const& parameters, std::string const& between = ",") {
  std::string field = "ONETAP-HMAC-SHA256 ";
  for (std::size_t i = 0; i < parameters.size(); ++i) field += (i == 0 ? "" : between) + parameters[i];
  return field;
}

std::string Sent::field() const { return joined(parameters()); }

/// Of the malformed: why; of all others, what they are.
std::string read(std::string_view field) {
  auto const authorization = parse_authorization(field);
  if (auto const* malformed = std::get_if<Malformed>(&authorization)) return std::string(malformed->reason);
  if (std::holds_alternative<Signed>(authorization)) return "(signed)";
  return std::holds_alternative<Bearer>(authorization) ? "(bearer)" : "(none)";
}

Signed read_signed(std::string_view field) {
  auto authorization = parse_authorization(field);
  REQUIRE(std::holds_alternative<Signed>(authorization));
  return std::get<Signed>(std::move(authorization));
}

TEST_CASE("the signed form is read as it was sent, its signature as bytes") {
  Signed const sent = read_signed(Sent{}.field());
  CHECK(sent.session == id_of(SessionToken(token)));
  CHECK_FALSE(sent.user_key_version.has_value());
  CHECK(sent.timestamp == "1790000000");
  CHECK(sent.nonce_str == "0123456789abcdef");
  REQUIRE(sent.signature.size() == 32);
  for (std::size_t i = 0; i < sent.signature.size(); ++i)
    CHECK(static_cast<std::size_t>(sent.signature[i]) == i);
}

TEST_CASE("the user's own key is named by its version") {
  CHECK(read_signed(Sent{.key = "wechat:10"}.field()).user_key_version == 10);
  CHECK(read_signed(Sent{.key = "wechat:0"}.field()).user_key_version == 0);
  CHECK(read_signed(Sent{.key = "wechat:999999999999999999"}.field()).user_key_version ==
        999'999'999'999'999'999);
}

TEST_CASE("the order of the parameters is free, and so are spaces around the commas") {
  std::vector<std::string> parameters = Sent{.key = "wechat:7"}.parameters();
  std::ranges::sort(parameters);
  do {
    Signed const sent = read_signed(joined(parameters));
    REQUIRE(sent.user_key_version == 7);
    REQUIRE(sent.timestamp == "1790000000");
  } while (std::ranges::next_permutation(parameters).found);
  for (char const* const between : {",", ", ", " ,", " , ", "\t,\t", ",   "}) {
    CAPTURE(between);
    CHECK(read(joined(parameters, between)) == "(signed)");
  }
  CHECK(read("ONETAP-HMAC-SHA256    " + joined(parameters).substr(19) + "  ") == "(signed)");
}

TEST_CASE("schemes are known in any case") {
  CHECK(read("onetap-hmac-sha256 " + Sent{}.field().substr(19)) == "(signed)");
  CHECK(read("bearer " + token) == "(bearer)");
  CHECK(read("BEARER " + token) == "(bearer)");
}

TEST_CASE("a Bearer is whatever follows: only a comparison can tell what it is worth") {
  auto const authorization = parse_authorization("Bearer  a service's token");
  REQUIRE(std::holds_alternative<Bearer>(authorization));
  CHECK(std::get<Bearer>(authorization).token.reveal() == "a service's token");
  CHECK(std::get<Bearer>(authorization).session == SessionId());
}

TEST_CASE("a Bearer of a session token's size may be a session's") {
  auto const authorization = parse_authorization("Bearer " + token);
  REQUIRE(std::holds_alternative<Bearer>(authorization));
  CHECK(std::get<Bearer>(authorization).session == id_of(SessionToken(token)));
}

TEST_CASE("a Bearer of nothing is ill-formed, and so is a tab after a scheme of ours") {
  for (char const* const field : {"Bearer", "Bearer ", "Bearer   ", "bearer", "Bearer \t"}) {
    CAPTURE(field);
    CHECK(read(field) == "an empty Bearer");
  }
  CHECK(read("Bearer\t" + token) == "a tab after the scheme");
  CHECK(read("ONETAP-HMAC-SHA256\t" + Sent{}.field().substr(19)) == "a tab after the scheme");
}

TEST_CASE("no field and other people's schemes are nothing") {
  for (char const* const field : {"", " ", "Basic dXNlcjpwYXNz", "Digest username=\"x\"", "BearerX y",
                                  "WECHATPAY2-SHA256-RSA2048 mchid=\"1\"", "ONETAP-HMAC-SHA512 session=\"x\"",
                                  "ONETAP-HMAC-SHA256session=\"x\"", "=", "\""}) {
    CAPTURE(field);
    CHECK(read(field) == "(none)");
  }
}

TEST_CASE("a parameter that is missing, unknown or repeated spoils the whole") {
  for (std::size_t i = 0; i < 5; ++i) {
    std::vector<std::string> fewer = Sent{}.parameters();
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK(read(joined(fewer)) == "missing parameter");
    std::vector<std::string> repeated = Sent{}.parameters();
    repeated.push_back(repeated[i]);
    CHECK(read(joined(repeated)) == "repeated parameter");
  }
  for (char const* const name : {"realm", "Session", "SIGNATURE", "sessio", "session ", "nonce", ""}) {
    CAPTURE(name);
    std::vector<std::string> parameters = Sent{}.parameters();
    parameters.push_back(parameter(name, "x"));
    CHECK(read(joined(parameters)) == "unknown parameter");
  }
}

TEST_CASE("a list that is not one of name=\"value\" is malformed") {
  std::string const good = Sent{}.field();
  for (std::string const& field : {
           std::string("ONETAP-HMAC-SHA256"),
           std::string("ONETAP-HMAC-SHA256 "),
           std::string("ONETAP-HMAC-SHA256 session"),
           std::string("ONETAP-HMAC-SHA256 session="),
           std::string("ONETAP-HMAC-SHA256 session=\""),
           std::string("ONETAP-HMAC-SHA256 session=\"x"),
           "ONETAP-HMAC-SHA256 session=" + token,
           "ONETAP-HMAC-SHA256 session='" + token + "'",
           "ONETAP-HMAC-SHA256 session= \"" + token + "\"",
           good + ",",
           good + " ,",
           good + ";",
           good + "x",
           good + ", ,",
           joined(Sent{}.parameters(), ";"),
           joined(Sent{}.parameters(), " "),
           joined(Sent{}.parameters(), ""),
       }) {
    CAPTURE(field);
    CHECK(read(field) == "not a list of name=\"value\"");
  }
  CHECK(read(joined(Sent{}.parameters(), ",,")) == "unknown parameter");
  CHECK(read("ONETAP-HMAC-SHA256 ," + good.substr(19)) == "unknown parameter");
}

TEST_CASE("a session is 43 characters of base64url") {
  for (std::string const& session : {std::string(), token + "A", token.substr(1), token.substr(1) + "+",
                                     token.substr(1) + "=", token.substr(1) + " ", token.substr(1) + "\\"}) {
    CAPTURE(session);
    CHECK(read(Sent{.session = session}.field()) == "session");
  }
}

TEST_CASE("a key is the session's or a version of the user's") {
  for (char const* const key :
       {"", "Session", "sessions", "wechat", "wechat:", "wechat:x", "wechat:-1", "wechat:+1", "wechat: 1",
        "wechat:1 ", "wechat:1.0", "wechat:0x1", "wechat:1000000000000000000",
        "wechat:99999999999999999999999", "WECHAT:1", "wechat:１"}) {
    CAPTURE(key);
    CHECK(read(Sent{.key = key}.field()) == "key");
  }
}

TEST_CASE("a timestamp is up to 11 digits") {
  CHECK(read(Sent{.timestamp = "0"}.field()) == "(signed)");
  CHECK(read(Sent{.timestamp = "99999999999"}.field()) == "(signed)");
  for (char const* const timestamp : {"", "-1", "+1", " 1790000000", "1790000000 ", "1790000000.0", "1.79e9",
                                      "100000000000", "9223372036854775808", "0x6ab1", "now", "１７"}) {
    CAPTURE(timestamp);
    CHECK(read(Sent{.timestamp = timestamp}.field()) == "timestamp");
  }
}

TEST_CASE("a nonce is 16 to 64 letters, digits, _ and -") {
  CHECK(read(Sent{.nonce_str = std::string(16, '_')}.field()) == "(signed)");
  CHECK(read(Sent{.nonce_str = std::string(64, '-')}.field()) == "(signed)");
  for (std::string const& nonce :
       {std::string(), std::string(15, 'a'), std::string(65, 'a'), std::string(16, ' '),
        std::string(15, 'a') + "+", std::string(15, 'a') + "\n", std::string(15, 'a') + std::string(1, '\0'),
        std::string(15, 'a') + "\xc3"}) {
    CAPTURE(nonce);
    CHECK(read(Sent{.nonce_str = nonce}.field()) == "nonce_str");
  }
}

TEST_CASE("a signature is strict base64 of 32 bytes") {
  std::string const stray_bits = good_signature.substr(0, 42) + "9=";
  std::string const of_31 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==";
  std::string const of_33 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
  for (std::string const& sent :
       {std::string(), stray_bits, of_31, of_33, good_signature.substr(0, 43), good_signature + "=",
        " " + good_signature, std::string(43, '_') + "=", std::string(64, 'a'), std::string(4096, 'A')}) {
    CAPTURE(sent);
    CHECK(read(Sent{.signature = sent}.field()) == "signature");
  }
}

TEST_CASE("whatever bytes come, they are read without a fault, and a signed form only from its five parts") {
  rc::check("any bytes after our scheme", [] {
    auto const tail = *rc::gen::container<std::string>(rc::gen::elementOf(
        std::string("session=key=timestamp=nonce_str=signature=\"\"\"\",,, \t\\wechat:0123456789") + '\0' +
        '\xff'));
    RC_ASSERT(read("ONETAP-HMAC-SHA256 " + tail) != "(signed)");
  });
  rc::check("one byte of a good field changed", [] {
    std::string field = Sent{}.field();
    auto const at = *rc::gen::inRange<std::size_t>(0, field.size());
    field[at] = *rc::gen::arbitrary<char>();
    auto const authorization = parse_authorization(field);
    if (auto const* sent = std::get_if<Signed>(&authorization)) {
      RC_ASSERT(sent->session != SessionId());
      RC_ASSERT(sent->signature.size() == 32U);
      RC_ASSERT(sent->nonce_str.size() >= 16U);
    }
  });
}

}  // namespace
}  // namespace onetap::core

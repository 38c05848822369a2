#include "core/crypto/keyring.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "core/crypto/digest.hpp"

namespace onetap::core::crypto {
namespace {

using DataKey = std::array<unsigned char, 32>;

/// `first`, `first` + 1, …
DataKey data_key(unsigned char first = 0) {
  DataKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<unsigned char>(first + i);
  return key;
}

PhoneNumber phone_number(std::string phone, std::string pure, std::string country_code) {
  return PhoneNumber{
      .phone_number = Confidential<PhoneNumberTag>(std::move(phone)),
      .pure_phone_number = Confidential<PurePhoneNumberTag>(std::move(pure)),
      .country_code = std::move(country_code),
  };
}

PhoneNumber chinese_number() { return phone_number("13800138000", "13800138000", "86"); }

bool same(PhoneNumber const& left, PhoneNumber const& right) {
  return left.phone_number.reveal() == right.phone_number.reveal() &&
         left.pure_phone_number.reveal() == right.pure_phone_number.reveal() &&
         left.country_code == right.country_code;
}

TEST_CASE("a sealed number opens for its own consumption") {
  Keyring const keyring(data_key());
  std::optional<PhoneNumber> const opened = keyring.open(7, keyring.seal(7, chinese_number()));
  REQUIRE(opened.has_value());
  CHECK(same(*opened, chinese_number()));
}

TEST_CASE("sealed bytes are version, nonce, ciphertext and tag, and show nothing of the number") {
  Keyring const keyring(data_key());
  SealedBytes const sealed = keyring.seal(7, chinese_number());
  std::size_t const clear_bytes = 3 * 4 + 11 + 11 + 2;
  CHECK(sealed.size() == 1 + 12 + clear_bytes + 16);
  CHECK(sealed.front() == 1);
  CHECK(std::string(sealed.begin(), sealed.end()).find("13800138000") == std::string::npos);
}

TEST_CASE("the same number sealed twice never gives the same nonce or ciphertext") {
  Keyring const keyring(data_key());
  std::set<SealedBytes> nonces;
  std::set<SealedBytes> ciphertexts;
  for (int i = 0; i < 50; ++i) {
    SealedBytes const sealed = keyring.seal(7, chinese_number());
    nonces.emplace(sealed.begin() + 1, sealed.begin() + 13);
    ciphertexts.emplace(sealed.begin() + 13, sealed.end());
  }
  CHECK(nonces.size() == 50);
  CHECK(ciphertexts.size() == 50);
}

TEST_CASE("a number moved to another row does not open") {
  Keyring const keyring(data_key());
  SealedBytes const sealed = keyring.seal(7, chinese_number());
  for (std::int64_t const other : {std::int64_t{0}, std::int64_t{6}, std::int64_t{8}, std::int64_t{-7},
                                   std::int64_t{7} << 8U, std::int64_t{7} | std::int64_t{1} << 62U}) {
    CAPTURE(other);
    CHECK_FALSE(keyring.open(other, sealed).has_value());
  }
}

TEST_CASE("another data key does not open a number") {
  Keyring const keyring(data_key());
  Keyring const another(data_key(1));
  CHECK_FALSE(another.open(7, keyring.seal(7, chinese_number())).has_value());
}

TEST_CASE("a keyring made again from the same data key opens what the first one sealed") {
  SealedBytes const sealed = Keyring(data_key()).seal(7, chinese_number());
  CHECK(Keyring(data_key()).open(7, sealed).has_value());
}

TEST_CASE("no flipped bit and no cut opens") {
  Keyring const keyring(data_key());
  SealedBytes const sealed = keyring.seal(7, chinese_number());
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    SealedBytes flipped = sealed;
    flipped[bit / 8] ^= static_cast<unsigned char>(1U << bit % 8);
    CAPTURE(bit);
    CHECK_FALSE(keyring.open(7, flipped).has_value());
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(
        keyring.open(7, SealedBytes(sealed.begin(), sealed.begin() + static_cast<int>(size))).has_value());
  }
  SealedBytes longer = sealed;
  longer.push_back(0);
  CHECK_FALSE(keyring.open(7, longer).has_value());
}

TEST_CASE("whatever WeChat calls a number is sealed and comes back as it was") {
  Keyring const keyring(data_key());
  CHECK(rc::check([&keyring](std::int64_t consumption, std::string const& phone, std::string const& pure,
                             std::string const& country_code) {
    PhoneNumber const number = phone_number(phone, pure, country_code);
    std::optional<PhoneNumber> const opened = keyring.open(consumption, keyring.seal(consumption, number));
    RC_ASSERT(opened.has_value());
    RC_ASSERT(same(*opened, number));
  }));
}

TEST_CASE("arbitrary bytes do not open") {
  Keyring const keyring(data_key());
  CHECK(rc::check([&keyring](SealedBytes const& rest) {
    SealedBytes sealed{1};
    sealed.insert(sealed.end(), rest.begin(), rest.end());
    RC_ASSERT(!keyring.open(7, sealed).has_value());
  }));
}

TEST_CASE("a code's key is HMAC-SHA256(pepper, appid, end of line, SHA-256 hex of the code)") {
  Keyring const keyring(data_key());
  // Data key 00 01 … 1f; with OpenSSL's command line: `openssl kdf … -kdfopt info:"onetap pepper v1" HKDF`,
  // then `printf 'wx0123456789abcdef\n<sha256 of sandbox-ok-1>' | openssl mac … HMAC`.
  CHECK(to_hex(keyring.code_key("wx0123456789abcdef", Code("sandbox-ok-1")).digest) ==
        "43f228a6baef2a14887bb709d9ad30e0ae0620be74a7aff6f5b6501b0a04c9c0");
}

TEST_CASE("code, appid and data key each change a code's key") {
  Keyring const keyring(data_key());
  CodeKey const key = keyring.code_key("wx0123456789abcdef", Code("one"));
  CHECK(key == keyring.code_key("wx0123456789abcdef", Code("one")));
  CHECK(key != keyring.code_key("wx0123456789abcdef", Code("two")));
  CHECK(key != keyring.code_key("wx0123456789abcdee", Code("one")));
  CHECK(key != Keyring(data_key(1)).code_key("wx0123456789abcdef", Code("one")));
}

TEST_CASE("an Idempotency-Key names a different caller in each mini program") {
  Keyring const keyring(data_key());
  CallerKey const caller = keyring.caller_key("wx0123456789abcdef", IdempotencyKey("0123456789abcdef"));
  CHECK(caller == keyring.caller_key("wx0123456789abcdef", IdempotencyKey("0123456789abcdef")));
  CHECK(caller != keyring.caller_key("wx0123456789abcdef", IdempotencyKey("0123456789abcdeg")));
  CHECK(caller != keyring.caller_key("wx0123456789abcdee", IdempotencyKey("0123456789abcdef")));
  CHECK(keyring.caller_key("ab", IdempotencyKey("c")) != keyring.caller_key("a", IdempotencyKey("bc")));
}

TEST_CASE("a number is known by country code and number") {
  Keyring const keyring(data_key());
  Digest const key = keyring.phone_key(chinese_number());
  CHECK(key == keyring.phone_key(phone_number("+8613800138000", "13800138000", "86")));
  CHECK(key != keyring.phone_key(phone_number("13800138001", "13800138001", "86")));
  CHECK(key != keyring.phone_key(phone_number("13800138000", "13800138000", "852")));
  CHECK(key != keyring.phone_key(phone_number("13800138000", "613800138000", "8")));
}

TEST_CASE("the same text as code, caller and number gives three keys") {
  Keyring const keyring(data_key());
  std::set<Digest> const keys{
      keyring.code_key("86", Code("13800138000")).digest,
      keyring.caller_key("86", IdempotencyKey("13800138000")).digest,
      keyring.phone_key(chinese_number()),
      keyring.fingerprint(),
  };
  CHECK(keys.size() == 4);
}

TEST_CASE("a fingerprint is the data key's and not the pepper itself") {
  Keyring const keyring(data_key());
  CHECK(keyring.fingerprint() == Keyring(data_key()).fingerprint());
  CHECK(keyring.fingerprint() != Keyring(data_key(1)).fingerprint());
  CHECK(keyring.fingerprint() != hkdf_sha256(data_key(), "onetap pepper v1"));
  CHECK(keyring.fingerprint() != hkdf_sha256(data_key(), "onetap seal v1"));
}

}  // namespace
}  // namespace onetap::core::crypto

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

/// Of the digest 07 00 00 …
constexpr CodeKey code_key{.digest = {7}};

PhoneNumber chinese_number() { return phone_number("13800138000", "13800138000", "86"); }

bool same(PhoneNumber const& left, PhoneNumber const& right) {
  return left.phone_number.reveal() == right.phone_number.reveal() &&
         left.pure_phone_number.reveal() == right.pure_phone_number.reveal() &&
         left.country_code == right.country_code;
}

TEST_CASE("a sealed number opens for its own code") {
  Keyring const keyring(data_key());
  std::optional<PhoneNumber> const opened = keyring.open(code_key, keyring.seal(code_key, chinese_number()));
  REQUIRE(opened.has_value());
  CHECK(same(*opened, chinese_number()));
}

TEST_CASE("sealed bytes are version, key id, nonce, ciphertext and tag, and show nothing of the number") {
  Keyring const keyring(data_key());
  SealedBytes const sealed = keyring.seal(code_key, chinese_number());
  std::size_t const clear_bytes = 3 * 4 + 11 + 11 + 2;
  CHECK(sealed.size() == 1 + 8 + 12 + clear_bytes + 16);
  CHECK(sealed.front() == 1);
  KeyId const id = Keyring::key_id_of(keyring.fingerprint());
  CHECK(std::equal(id.begin(), id.end(), sealed.begin() + 1));
  CHECK(std::string(sealed.begin(), sealed.end()).find("13800138000") == std::string::npos);
}

TEST_CASE("the same number sealed twice never gives the same nonce or ciphertext") {
  Keyring const keyring(data_key());
  std::set<SealedBytes> nonces;
  std::set<SealedBytes> ciphertexts;
  for (int i = 0; i < 50; ++i) {
    SealedBytes const sealed = keyring.seal(code_key, chinese_number());
    nonces.emplace(sealed.begin() + 9, sealed.begin() + 21);
    ciphertexts.emplace(sealed.begin() + 21, sealed.end());
  }
  CHECK(nonces.size() == 50);
  CHECK(ciphertexts.size() == 50);
}

TEST_CASE("any secret of a row opens as what it was sealed as, and as nothing else") {
  Keyring const keyring(data_key());
  constexpr std::array fields{SealedField::number, SealedField::session_key, SealedField::openid,
                              SealedField::pepper};
  for (SealedField const field : fields) {
    SealedBytes const sealed = keyring.seal(field, 7, "HyVFkGl5F5OQWJZZaNzBBg==");
    for (SealedField const other : fields) {
      CAPTURE(static_cast<int>(field));
      CAPTURE(static_cast<int>(other));
      auto const opened = keyring.open(other, 7, sealed);
      REQUIRE(opened.has_value() == (other == field));
      if (opened) CHECK(opened->reveal() == "HyVFkGl5F5OQWJZZaNzBBg==");
    }
    CHECK_FALSE(keyring.open(field, 8, sealed).has_value());
  }
}

TEST_CASE("an empty secret is a secret") {
  Keyring const keyring(data_key());
  auto const opened = keyring.open(SealedField::openid, 1, keyring.seal(SealedField::openid, 1, {}));
  REQUIRE(opened.has_value());
  CHECK(opened->empty());
}

TEST_CASE("a missing key is told from damage") {
  SealedBytes sealed = Keyring(data_key()).seal(SealedField::openid, 7, "o6zAJs");
  CHECK(Keyring(data_key()).has_key_of(sealed));
  CHECK_FALSE(Keyring(data_key(1)).has_key_of(sealed));
  sealed.back() ^= 1U;
  CHECK(Keyring(data_key()).has_key_of(sealed));
  CHECK_FALSE(Keyring(data_key()).open(SealedField::openid, 7, sealed).has_value());
  CHECK_FALSE(Keyring(data_key()).has_key_of({}));
}

TEST_CASE("a number moved to another row does not open") {
  Keyring const keyring(data_key());
  SealedBytes const sealed = keyring.seal(code_key, chinese_number());
  for (CodeKey const& other : {CodeKey{}, CodeKey{.digest = {6}}, CodeKey{.digest = {0, 7}},
                               CodeKey{.digest = {7, 1}}, CodeKey{.digest = {7, 0, 0, 0, 0, 0, 0, 1}}}) {
    CHECK_FALSE(keyring.open(other, sealed).has_value());
  }
}

TEST_CASE("another data key does not open a number") {
  Keyring const keyring(data_key());
  Keyring const another(data_key(1));
  CHECK_FALSE(another.open(code_key, keyring.seal(code_key, chinese_number())).has_value());
}

TEST_CASE("a keyring made again from the same data key opens what the first one sealed") {
  SealedBytes const sealed = Keyring(data_key()).seal(code_key, chinese_number());
  CHECK(Keyring(data_key()).open(code_key, sealed).has_value());
}

TEST_CASE("no flipped bit and no cut opens") {
  Keyring const keyring(data_key());
  SealedBytes const sealed = keyring.seal(code_key, chinese_number());
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    SealedBytes flipped = sealed;
    flipped[bit / 8] ^= static_cast<unsigned char>(1U << bit % 8);
    CAPTURE(bit);
    CHECK_FALSE(keyring.open(code_key, flipped).has_value());
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(keyring.open(code_key, SealedBytes(sealed.begin(), sealed.begin() + static_cast<int>(size)))
                    .has_value());
  }
  SealedBytes longer = sealed;
  longer.push_back(0);
  CHECK_FALSE(keyring.open(code_key, longer).has_value());
}

TEST_CASE("whatever WeChat calls a number is sealed and comes back as it was") {
  Keyring const keyring(data_key());
  CHECK(rc::check([&keyring](Digest const& digest, std::string const& phone, std::string const& pure,
                             std::string const& country_code) {
    CodeKey const key{digest};
    PhoneNumber const number = phone_number(phone, pure, country_code);
    std::optional<PhoneNumber> const opened = keyring.open(key, keyring.seal(key, number));
    RC_ASSERT(opened.has_value());
    RC_ASSERT(same(*opened, number));
  }));
}

TEST_CASE("arbitrary bytes do not open") {
  Keyring const keyring(data_key());
  CHECK(rc::check([&keyring](SealedBytes const& rest) {
    SealedBytes sealed{1};
    sealed.insert(sealed.end(), rest.begin(), rest.end());
    RC_ASSERT(!keyring.open(code_key, sealed).has_value());
  }));
}

TEST_CASE("a blob's key is its text's in its mini program, and never a code's") {
  Keyring const keyring(data_key());
  CodeKey const key = keyring.blob_key("wx0123456789abcdef", "CiyLU1Aw2Kjv");
  CHECK(key == keyring.blob_key("wx0123456789abcdef", "CiyLU1Aw2Kjv"));
  CHECK(key != keyring.blob_key("wx0123456789abcdee", "CiyLU1Aw2Kjv"));
  CHECK(key != keyring.blob_key("wx0123456789abcdef", "CiyLU1Aw2Kjw"));
  CHECK(key != keyring.blob_key("wx0123456789abcdefC", "iyLU1Aw2Kjv"));
  CHECK(key != keyring.code_key("wx0123456789abcdef", Code("CiyLU1Aw2Kjv")));
  CHECK(key != Keyring(data_key(1)).blob_key("wx0123456789abcdef", "CiyLU1Aw2Kjv"));
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

TEST_CASE("a user has a key of their own in each mini program") {
  Keyring const keyring(data_key());
  CallerKey const user = keyring.user_key("wx0123456789abcdef", "o6zAJs");
  CHECK(user == keyring.user_key("wx0123456789abcdef", "o6zAJs"));
  CHECK(user != keyring.user_key("wx0123456789abcdef", "o6zAJt"));
  CHECK(user != keyring.user_key("wx0123456789abcdee", "o6zAJs"));
  CHECK(keyring.user_key("ab", "c") != keyring.user_key("a", "bc"));
  CHECK(user != keyring.caller_key("wx0123456789abcdef", IdempotencyKey("o6zAJs")));
}

TEST_CASE("a fingerprint is the data key's and shows neither pepper nor sealing key") {
  Keyring const keyring(data_key());
  CHECK(keyring.fingerprint() == Keyring(data_key()).fingerprint());
  CHECK(keyring.fingerprint() == Keyring::fingerprint_of(data_key()));
  CHECK(keyring.fingerprint() != Keyring(data_key(1)).fingerprint());
  CHECK(keyring.fingerprint() != hkdf_sha256(data_key(), "onetap pepper v1"));
  CHECK(keyring.fingerprint() != hkdf_sha256(data_key(), "onetap seal v1"));
}

TEST_CASE("a ledger's pepper outlives its data key") {
  Keyring const first(data_key());
  std::optional<Keyring> const same_key = Keyring::of_ledger(data_key(), first.sealed_pepper());
  REQUIRE(same_key);
  CHECK(same_key->code_key("wx1", Code("one")) == first.code_key("wx1", Code("one")));

  Keyring rotated(first);
  rotated.seal_with(data_key(1));
  CHECK(rotated.fingerprint() == Keyring::fingerprint_of(data_key(1)));
  std::optional<Keyring> const second = Keyring::of_ledger(data_key(1), rotated.sealed_pepper());
  REQUIRE(second);
  CHECK(second->code_key("wx1", Code("one")) == first.code_key("wx1", Code("one")));
  CHECK(second->phone_key(chinese_number()) == first.phone_key(chinese_number()));
  CHECK(second->code_key("wx1", Code("one")) != Keyring(data_key(1)).code_key("wx1", Code("one")));
}

TEST_CASE("a sealed pepper opens with its data key only, and not when it is damaged") {
  SealedBytes sealed = Keyring(data_key()).sealed_pepper();
  CHECK_FALSE(Keyring::of_ledger(data_key(1), sealed).has_value());
  CHECK_FALSE(Keyring::of_ledger(data_key(), {}).has_value());
  CHECK_FALSE(
      Keyring::of_ledger(data_key(), Keyring(data_key()).seal(SealedField::pepper, 1, "short")).has_value());
  sealed.back() ^= 1U;
  CHECK_FALSE(Keyring::of_ledger(data_key(), sealed).has_value());
}

TEST_CASE("after a rotation the new key seals, both open, and the old one opens nothing new") {
  Keyring const old(data_key());
  Keyring keyring(old);
  SealedBytes const before = keyring.seal(code_key, chinese_number());
  keyring.seal_with(data_key(1));
  SealedBytes const after = keyring.seal(code_key, chinese_number());
  CHECK(keyring.open(code_key, before).has_value());
  CHECK(keyring.open(code_key, after).has_value());
  CHECK_FALSE(old.open(code_key, after).has_value());
  CHECK(Keyring(data_key(1)).open(code_key, after).has_value());
}

TEST_CASE("a rotation taken back seals with the old key, and still opens what the new one sealed") {
  Keyring keyring(data_key());
  keyring.seal_with(data_key(1));
  SealedBytes const meanwhile = keyring.seal(code_key, chinese_number());
  keyring.seal_with_previous();
  CHECK(keyring.fingerprint() == Keyring::fingerprint_of(data_key()));
  CHECK(Keyring(data_key()).open(code_key, keyring.seal(code_key, chinese_number())).has_value());
  CHECK(keyring.open(code_key, meanwhile).has_value());
}

}  // namespace
}  // namespace onetap::core::crypto

#include "core/crypto/user_data.hpp"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <rapidcheck.h>

#include <string>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"
#include "tests/support/encrypt_user_data.hpp"

namespace onetap::core::crypto {
namespace {

// WeChat's own example, WXBizDataCrypt (facts/wechat-api.md §5.1).
constexpr char official_key[] = "tiihtNczf5v6AKRyjwEUhQ==";
constexpr char official_iv[] = "r7BXXKkLb8qrSNn05n0qiA==";
constexpr char official_data[] =
    "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRg"
    "v+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7U"
    "L/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3"
    "g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFd"
    "lqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/Xcxxm"
    "K01EpqOyuxINew==";
constexpr char official_clear[] =
    R"({"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"Band","gender":1,"language":"zh_CN",)"
    R"("city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/)"
    R"(aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0",)"
    R"("unionId":"ocMvos6NjeKLIBqg5Mr9QjxrP1FA","watermark":{"timestamp":1477314187,)"
    R"("appid":"wx4f4bc4dec97d474b"}})";

constexpr std::string_view key = "0123456789abcdef";
constexpr std::string_view iv = "fedcba9876543210";

std::string base64(std::string_view bytes) {
  return to_base64({reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size()});
}

std::optional<std::string> clear_text(std::string_view data, std::string_view start, std::string_view with) {
  auto const opened = open_user_data(data, start, SessionKey(std::string(with)));
  if (!opened) return std::nullopt;
  return std::string(opened->reveal());
}

std::optional<std::string> clear_text(std::string_view data) {
  return clear_text(data, base64(iv), base64(key));
}

TEST_CASE("WeChat's own example opens") {
  CHECK(clear_text(official_data, official_iv, official_key) == official_clear);
}

TEST_CASE("what was encrypted opens as it was, whatever its length") {
  CHECK(rc::check([](std::string const& clear) {
    RC_ASSERT(clear_text(tests::encrypt_user_data(clear, key, iv)) == clear);
  }));
}

TEST_CASE("another key opens nothing") {
  CHECK_FALSE(clear_text(official_data, official_iv, base64(key)).has_value());
}

TEST_CASE("a key, an IV or data of the wrong length opens nothing") {
  std::string const data = tests::encrypt_user_data("some clear text of two blocks", key, iv);
  REQUIRE(clear_text(data).has_value());
  for (std::size_t size = 0; size < 40; ++size) {
    CAPTURE(size);
    std::string const other = base64(std::string(size, 'x'));
    if (size != 16) CHECK_FALSE(clear_text(data, other, base64(key)).has_value());
    if (size != 16) CHECK_FALSE(clear_text(data, base64(iv), other).has_value());
    if (size % 16 != 0 || size == 0) CHECK_FALSE(clear_text(other).has_value());
  }
  // Nor do the sixteen zeros that stand in for a key that is none.
  std::string const with_zeros = tests::encrypt_user_data("clear", std::string(16, '\0'), iv);
  REQUIRE(clear_text(with_zeros, base64(iv), base64(std::string(16, '\0'))) == "clear");
  CHECK_FALSE(clear_text(with_zeros, base64(iv), "not a key").has_value());
}

TEST_CASE("base64 that is not strict opens nothing") {
  std::string const data = tests::encrypt_user_data("clear", key, iv);
  REQUIRE(clear_text(data).has_value());
  REQUIRE(data.ends_with("=="));
  for (std::string const& other :
       {data + "\n", " " + data, data.substr(0, data.size() - 2), data.substr(0, data.size() - 1), data + "=",
        data + "====", data.substr(0, 8) + "\r\n" + data.substr(8), data + data, std::string("-_") + data}) {
    CAPTURE(other);
    CHECK_FALSE(clear_text(other).has_value());
  }
  CHECK_FALSE(clear_text(data, base64(iv) + " ", base64(key)).has_value());
  CHECK_FALSE(clear_text(data, base64(iv), base64(key) + " ").has_value());
}

TEST_CASE("only PKCS#7's padding is taken, up to a whole block") {
  auto const opens = [](std::string const& tail) {
    std::string const block = std::string(16 - tail.size(), 'x') + tail;
    return clear_text(tests::encrypt_user_data(block, key, iv, false)).has_value();
  };
  for (std::size_t size = 1; size <= 16; ++size) {
    CAPTURE(size);
    CHECK(opens(std::string(size, static_cast<char>(size))));
  }
  CHECK_FALSE(opens(std::string(1, '\0')));
  CHECK_FALSE(opens(std::string(16, '\x11')));
  CHECK_FALSE(opens(std::string("\x01\x02", 2)));
  CHECK_FALSE(opens(std::string("\x02\x03\x03", 3)));
  CHECK_FALSE(opens("\xff"));
}

TEST_CASE("every block is needed") {
  std::string const bytes = from_base64(official_data).value();
  for (std::size_t size = 16; size < bytes.size(); size += 16) {
    CAPTURE(size);
    CHECK_FALSE(clear_text(base64(bytes.substr(0, size)), official_iv, official_key).has_value());
  }
}

TEST_CASE("a changed byte never leaves the text as it was") {
  std::string const bytes = from_base64(official_data).value();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x20);
    CAPTURE(at);
    CHECK(clear_text(base64(changed), official_iv, official_key) != official_clear);
  }
}

TEST_CASE("data beyond the bound is not worked on") {
  std::size_t const most = limits::encrypted_data_bytes_max / 4 * 3;
  std::string const longest(most / 16 * 16 - 1, 'x');
  CHECK(clear_text(tests::encrypt_user_data(longest, key, iv)) == longest);
  CHECK_FALSE(clear_text(tests::encrypt_user_data(longest + "x", key, iv)).has_value());
}

TEST_CASE("a failure leaves nothing in OpenSSL's queue for the next connection to stumble over") {
  ERR_clear_error();
  CHECK_FALSE(clear_text(official_data, official_iv, base64(key)).has_value());
  CHECK_FALSE(clear_text("", "", "").has_value());
  CHECK(ERR_peek_error() == 0);
}

}  // namespace
}  // namespace onetap::core::crypto

#include "core/push/push_envelope.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/crypto/push_cipher.hpp"
#include "tests/support/push.hpp"

using namespace onetap;
using namespace onetap::tests;
using core::PushAesKey;

namespace {

constexpr std::string_view appid = "wxba5fad812f8e6fb9";

std::optional<std::string> open(std::string_view encrypted, std::string_view key = official_aes_key) {
  return core::open_push_envelope(encrypted, PushAesKey(std::string(key)), appid);
}

std::string envelope_of_size(std::uint32_t size, std::string_view rest) {
  std::string envelope = push_envelope(std::string(size, 'm'), "");
  envelope.resize(20);
  return envelope.append(rest);
}

}  // namespace

TEST_CASE("WeChat's own example opens") {
  CHECK(
      open(official_encrypt) ==
      R"({"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,)"
      R"("MsgType":"event","Event":"debug_demo","debug_str":"hello world"})");
}

TEST_CASE("what was encrypted opens as it was, whatever its length") {
  CHECK(rc::check([](std::string const& message) {
    RC_ASSERT(open(encrypt_push(push_envelope(message, appid), official_aes_key)) == message);
  }));
}

TEST_CASE("an envelope for another mini program is none") {
  for (std::string const other : {"wx0123456789abcdef", "", "wxba5fad812f8e6fb", "wxba5fad812f8e6fb9x"})
    CHECK_FALSE(open(encrypt_push(push_envelope("message", other), official_aes_key)));
}

TEST_CASE("another key opens nothing") { CHECK_FALSE(open(official_encrypt, "B" + std::string(42, 'A'))); }

TEST_CASE("sizes that lie are refused") {
  for (std::string const& clear :
       {envelope_of_size(8, std::string("message") + std::string(appid)),
        envelope_of_size(6, std::string("message") + std::string(appid)),
        envelope_of_size(0, std::string("message") + std::string(appid)),
        std::string("0123456789abcdef\xff\xff\xff\xff"), std::string("0123456789abcdef"),
        std::string("0123456789abcdef\0\0\0", 19)})
    CHECK_FALSE(open(encrypt_push(clear, official_aes_key)));
  CHECK(open(encrypt_push(envelope_of_size(7, std::string("message") + std::string(appid)),
                          official_aes_key)) == "message");
}

TEST_CASE("what is no padding is refused") {
  std::string const envelope = push_envelope("twelve bytes", appid).substr(0, 48);  // 16 + 4 + 12 + 16
  for (std::string const& end :
       {std::string(16, '\0'), std::string(16, '\x21'), std::string(14, '\x10') + "\x0f\x10",
        std::string(15, 'x') + "\x02", std::string(16, '\xff')})
    CHECK_FALSE(core::crypto::open_push(encrypt_push(envelope + end, official_aes_key, false),
                                        PushAesKey(std::string(official_aes_key))));
  CHECK(core::crypto::open_push(encrypt_push(envelope + std::string(16, '\x10'), official_aes_key, false),
                                PushAesKey(std::string(official_aes_key))) == envelope);
}

TEST_CASE("base64 is strict, and blocks are whole") {
  CHECK_FALSE(open(""));
  CHECK_FALSE(open("AAAA"));
  CHECK_FALSE(open(std::string(official_encrypt) + "\n"));
  CHECK_FALSE(open(std::string(official_encrypt).substr(4)));
  CHECK_FALSE(open("not base64 at all!"));
}

TEST_CASE("a key is 43 letters and digits, and the two bits too many in the last one do not count") {
  CHECK(core::crypto::is_push_aes_key("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"));
  CHECK_FALSE(core::crypto::is_push_aes_key(std::string(42, 'A')));
  CHECK_FALSE(core::crypto::is_push_aes_key(std::string(44, 'A')));
  CHECK_FALSE(core::crypto::is_push_aes_key(std::string(42, 'A') + "="));
  CHECK_FALSE(core::crypto::is_push_aes_key(std::string(42, 'A') + "+"));
  for (char const last : {'A', 'B', 'C', 'D'}) CHECK(open(official_encrypt, std::string(42, 'A') + last));
  CHECK_FALSE(open(official_encrypt, std::string(42, 'A') + "E"));
}

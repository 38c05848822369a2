#include "core/push/push_signature.hpp"

#include <doctest/doctest.h>

#include "tests/support/push.hpp"

using namespace onetap::core;

namespace {

PushToken const official_token{"AAAAA"};

// The examples of WeChat's documentation (message-push.html).
PushProof const url_check{.signature = "f464b24fc39322e44b38aa78f5edd27bd1441696",
                          .msg_signature = {},
                          .timestamp = "1714036504",
                          .nonce = "1514711492"};
PushProof const plain_push{.signature = "899cf89e464efb63f54ddac96b0a0a235f53aa78",
                           .msg_signature = {},
                           .timestamp = "1714037059",
                           .nonce = "486452656"};
PushProof const encrypted_push{.signature = "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
                               .msg_signature = "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
                               .timestamp = "1714112445",
                               .nonce = "415670741"};

PushProof changed(PushProof proof, std::string PushProof::* member, std::string value) {
  proof.*member = std::move(value);
  return proof;
}

}  // namespace

TEST_CASE("WeChat's own examples are WeChat's") {
  CHECK(has_push_signature(url_check, official_token));
  CHECK(has_push_signature(plain_push, official_token));
  CHECK(has_push_signature(encrypted_push, official_token));
  CHECK(has_push_signature(encrypted_push, official_token, onetap::tests::official_encrypt));
}

TEST_CASE("with one character changed, or a part left out, nothing is WeChat's") {
  CHECK_FALSE(has_push_signature(url_check, PushToken("AAAAB")));
  CHECK_FALSE(has_push_signature(changed(url_check, &PushProof::timestamp, "1714036505"), official_token));
  CHECK_FALSE(has_push_signature(changed(url_check, &PushProof::nonce, "1514711493"), official_token));
  CHECK_FALSE(has_push_signature(changed(url_check, &PushProof::signature, ""), official_token));
  CHECK_FALSE(has_push_signature(
      changed(url_check, &PushProof::signature, "F464B24FC39322E44B38AA78F5EDD27BD1441696"), official_token));
  CHECK_FALSE(has_push_signature(changed(url_check, &PushProof::signature, url_check.signature + "0"),
                                 official_token));
  CHECK_FALSE(has_push_signature(encrypted_push, official_token, "other"));
  CHECK_FALSE(has_push_signature(changed(encrypted_push, &PushProof::msg_signature, encrypted_push.signature),
                                 official_token, onetap::tests::official_encrypt));
}

TEST_CASE("nothing is signed with nothing") {
  PushProof const empty_parts{.signature = onetap::tests::sign_push({"AAAAA"}),
                              .msg_signature = onetap::tests::sign_push({"AAAAA"}),
                              .timestamp = {},
                              .nonce = {}};
  CHECK_FALSE(has_push_signature(empty_parts, official_token));
  CHECK_FALSE(has_push_signature(empty_parts, official_token, "a"));
  PushProof const no_token{.signature = onetap::tests::sign_push({"1", "2"}),
                           .msg_signature = onetap::tests::sign_push({"1", "2"}),
                           .timestamp = "1",
                           .nonce = "2"};
  CHECK_FALSE(has_push_signature(no_token, PushToken()));
  CHECK_FALSE(has_push_signature(encrypted_push, official_token, ""));
}

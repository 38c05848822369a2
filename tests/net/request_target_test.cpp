#include "net/server/request_target.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace onetap::net;

namespace {

Router router() { return {{{.path = "/phone/consume"}, {.path = "/wechat/push"}}, nullptr}; }

void check(std::string const& target, std::string const& prefix, std::string const& path,
           std::string const& query, std::string const& as_sent) {
  CAPTURE(target);
  CAPTURE(prefix);
  RequestTarget const read = read_target(target, prefix, router());
  CHECK(read.path == path);
  CHECK(read.query == query);
  CHECK(read.as_sent == as_sent);
}

}  // namespace

TEST_CASE("without a prefix a target is taken as it is") {
  check("/phone/consume", "", "/phone/consume", "", "/phone/consume");
  check("/phone/quota?kind=quick&x", "", "/phone/quota", "kind=quick&x", "/phone/quota?kind=quick&x");
  check("/?", "", "/", "", "/?");
  check("/a?b?c", "", "/a", "b?c", "/a?b?c");
}

TEST_CASE("a prefix that came along is taken off, and what was signed has it") {
  check("/onetap/phone/consume", "/onetap", "/phone/consume", "", "/onetap/phone/consume");
  check("/onetap/phone/quota?kind=quick", "/onetap", "/phone/quota", "kind=quick",
        "/onetap/phone/quota?kind=quick");
  check("/a/b/phone/consume", "/a/b", "/phone/consume", "", "/a/b/phone/consume");
  check("/onetap", "/onetap", "/", "", "/onetap");
  check("/onetap?a", "/onetap", "/", "a", "/onetap?a");
  check("/onetap/", "/onetap", "/", "", "/onetap/");
}

TEST_CASE("a prefix that a proxy stripped is put in front of what was signed") {
  check("/phone/consume", "/onetap", "/phone/consume", "", "/onetap/phone/consume");
  check("/phone/quota?kind=quick", "/onetap", "/phone/quota", "kind=quick", "/onetap/phone/quota?kind=quick");
}

TEST_CASE("a longer name is not the prefix") {
  check("/onetapping", "/onetap", "/onetapping", "", "/onetap/onetapping");
  check("/oneta", "/onetap", "/oneta", "", "/onetap/oneta");
}

TEST_CASE("a prefix that is the beginning of our own paths does not hide them") {
  check("/wechat/push", "/wechat", "/wechat/push", "", "/wechat/wechat/push");
  check("/wechat/phone/consume", "/wechat", "/phone/consume", "", "/wechat/phone/consume");
  check("/phone/phone/consume", "/phone", "/phone/consume", "", "/phone/phone/consume");
  check("/phone/consume", "/phone", "/phone/consume", "", "/phone/phone/consume");
}

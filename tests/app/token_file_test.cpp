#include "app/token_file.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <fstream>

#include "tests/support/manual_clock.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_folder.hpp"

using namespace onetap;
using namespace onetap::tests;
using app::read_token_file;

namespace {

core::WallTime const now(std::chrono::seconds(1'790'000'000));

std::string token_in(std::string_view text) {
  core::TokenAnswer const answer = read_token_file(text, now);
  return answer.fetched ? std::string(answer.fetched->token.reveal()) : "none: " + answer.hint;
}

core::seconds life_in(std::string_view text) {
  core::TokenAnswer const answer = read_token_file(text, now);
  REQUIRE(answer.fetched.has_value());
  return answer.fetched->lifetime;
}

}  // namespace

TEST_CASE("a token file holds the token alone, or JSON with it") {
  CHECK(token_in("68_token-of-the-service") == "68_token-of-the-service");
  CHECK(token_in("\n 68_token-of-the-service \r\n") == "68_token-of-the-service");
  CHECK(token_in(R"({"access_token":"68_token","expires_in":7200,"more":[1]})") == "68_token");
}

TEST_CASE("a token file is read again within the minute, or before its token ends") {
  CHECK(life_in("68_token") == core::seconds(60));
  CHECK(life_in(R"({"access_token":"t","expires_at":1790007200})") == core::seconds(60));
  CHECK(life_in(R"({"access_token":"t","expires_at":1790000030})") == core::seconds(30));
}

TEST_CASE("what is no token is not taken, and said to be none") {
  CHECK(token_in("").find("empty") != std::string::npos);
  CHECK(token_in("two words").find("does not hold") != std::string::npos);
  CHECK(token_in(std::string(3000, 'x')).find("does not hold") != std::string::npos);
  CHECK(token_in(R"({"token":"t"})").find("without access_token") != std::string::npos);
  CHECK(token_in(R"({"access_token":"t","expires_at":1789999999})").find("expired") != std::string::npos);
}

TEST_CASE("a file that is not there is a reason, and the next look finds what was written since") {
  TempFolder const folder;
  asio::io_context loop;
  ManualClock clock(loop);
  app::TokenFile file((folder / "token").string(), clock);
  auto const fetch = [&] {
    auto fetching = start(loop, file.fetch(clock.steady()));
    loop.restart();
    loop.run();  // until the worker has answered
    return std::move(fetching.value());
  };
  CHECK(fetch().hint.find("cannot read") != std::string::npos);
  std::ofstream(folder / "token") << "68_token\n";
  core::TokenAnswer const answer = fetch();
  REQUIRE(answer.fetched.has_value());
  CHECK(answer.fetched->token.reveal() == "68_token");
  CHECK_FALSE(file.is_ours());
}

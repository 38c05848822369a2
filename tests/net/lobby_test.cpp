#include "net/server/lobby.hpp"

#include <doctest/doctest.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <string>
#include <vector>

#include "net/task_group.hpp"
#include "tests/net/net_bench.hpp"
#include "tests/support/manual_clock.hpp"

using namespace onetap;
using namespace onetap::tests;
using net::tcp;

namespace {

constexpr auto lobby_time = 5s;

struct LobbyBench {
  asio::io_context loop;
  ManualClock clock{loop};
  net::AddressCounts addresses;
  std::vector<net::Newcomer> spoken;
  net::Lobby lobby{clock, lobby_time,
                   [this](net::Newcomer newcomer) { spoken.push_back(std::move(newcomer)); }};
  net::TaskGroup tasks{loop.get_executor(), [](std::string const& what) { FAIL_CHECK(what); }};
  tcp::acceptor acceptor{loop, {asio::ip::make_address("127.0.0.1"), 0}};

  LobbyBench() {
    tasks.spawn(lobby.run());
    clock.settle();
  }
  LobbyBench(LobbyBench const&) = delete;
  LobbyBench& operator=(LobbyBench const&) = delete;
  ~LobbyBench() {
    lobby.shut();
    lobby.send_all_away();
    clock.settle();
    CHECK(tasks.size() == 0);
  }

  /// A client, whose other end waits in the lobby.
  tcp::socket come(std::string const& key = "some address") {
    tcp::socket client(loop);
    client.connect(acceptor.local_endpoint());
    tcp::socket accepted = acceptor.accept();
    auto const peer = accepted.remote_endpoint().address();
    lobby.enter({.socket = std::move(accepted), .peer = peer, .place = addresses.enter(key, 100)});
    return client;
  }

  /// Runs until so many have spoken.
  void await_spoken(std::size_t count) {
    loop.restart();
    while (spoken.size() < count) REQUIRE(loop.run_one_for(patience) > 0);
  }
};

bool is_open(tcp::socket& client) {
  client.non_blocking(true);
  char byte = 0;
  net::error_code error;
  client.read_some(asio::buffer(&byte, 1), error);
  return error == asio::error::would_block;
}

}  // namespace

TEST_CASE("a newcomer leaves the lobby with its first byte, which is still to be read") {
  LobbyBench bench;
  tcp::socket client = bench.come();
  auto const came = bench.clock.steady();
  bench.clock.advance(1s);
  CHECK(bench.spoken.empty());
  client.send(asio::buffer("hello", 5));
  bench.await_spoken(1);
  CHECK(bench.lobby.size() == 0);
  net::Newcomer& newcomer = bench.spoken.front();
  CHECK(newcomer.deadline == came + lobby_time);
  CHECK(newcomer.peer.to_string() == "127.0.0.1");
  std::array<char, 16> buffer{};
  std::size_t const size = newcomer.socket.receive(asio::buffer(buffer));
  CHECK(std::string(buffer.data(), size) == "hello");
}

TEST_CASE("who says nothing is closed when its time is over, and not before") {
  LobbyBench bench;
  tcp::socket client = bench.come();
  bench.clock.advance(lobby_time - 1ms);
  CHECK(bench.lobby.size() == 1);
  CHECK(is_open(client));
  bench.clock.advance(1ms);
  CHECK(bench.lobby.size() == 0);
  CHECK_FALSE(is_open(client));
  CHECK(bench.spoken.empty());
}

TEST_CASE("each newcomer has the whole of its time, whoever came or left before") {
  LobbyBench bench;
  bench.clock.advance(3s);
  tcp::socket first = bench.come();
  tcp::socket gone = bench.come();
  bench.clock.advance(2s);
  tcp::socket second = bench.come();
  gone.send(asio::buffer("x", 1));
  bench.await_spoken(1);
  bench.clock.advance(lobby_time - 2s);
  CHECK_FALSE(is_open(first));
  CHECK(is_open(second));
  bench.clock.advance(2s - 1ms);
  CHECK(is_open(second));
  bench.clock.advance(1ms);
  CHECK_FALSE(is_open(second));
  tcp::socket third = bench.come();
  bench.clock.advance(lobby_time - 1ms);
  CHECK(is_open(third));
  bench.clock.advance(1ms);
  CHECK_FALSE(is_open(third));
}

TEST_CASE("who has been silent longest is sent away when asked, and whoever has spoken is not") {
  LobbyBench bench;
  tcp::socket speaking = bench.come();
  tcp::socket first = bench.come();
  tcp::socket second = bench.come();
  speaking.send(asio::buffer("x", 1));
  CHECK(bench.lobby.send_oldest_away());
  CHECK_FALSE(is_open(first));
  CHECK(is_open(second));
  CHECK(bench.lobby.send_oldest_away());
  CHECK_FALSE(is_open(second));
  CHECK_FALSE(bench.lobby.send_oldest_away());
  bench.await_spoken(1);
  bench.clock.settle();
  CHECK(bench.lobby.size() == 0);
  CHECK_FALSE(bench.lobby.send_oldest_away());
}

TEST_CASE("who hangs up or breaks off without a word is forgotten at once") {
  for (bool const breaks_off : {false, true}) {
    CAPTURE(breaks_off);
    LobbyBench bench;
    tcp::socket client = bench.come();
    if (breaks_off) client.set_option(asio::socket_base::linger(true, 0));
    client.close();
    bench.loop.restart();
    while (bench.lobby.size() > 0) REQUIRE(bench.loop.run_one_for(patience) > 0);
    CHECK(bench.spoken.empty());
  }
}

TEST_CASE("a newcomer holds its address's place for as long as it waits, and takes it along") {
  LobbyBench bench;
  tcp::socket silent = bench.come("first");
  tcp::socket speaking = bench.come("second");
  CHECK(bench.addresses.addresses() == 2);
  speaking.send(asio::buffer("x", 1));
  bench.await_spoken(1);
  bench.clock.advance(lobby_time);
  CHECK(bench.addresses.addresses() == 1);
  bench.spoken.clear();
  CHECK(bench.addresses.addresses() == 0);
}

TEST_CASE("who waits in a lobby that is shut may still speak, and its task ends with the last one") {
  LobbyBench bench;
  tcp::socket speaking = bench.come();
  tcp::socket silent = bench.come();
  bench.lobby.shut();
  bench.clock.settle();
  CHECK(is_open(silent));
  speaking.send(asio::buffer("x", 1));
  bench.await_spoken(1);
  CHECK(bench.tasks.size() == 1);
  bench.clock.advance(lobby_time);
  CHECK_FALSE(is_open(silent));
  CHECK(bench.tasks.size() == 0);
}

TEST_CASE("a lobby that closes sends all away, and then its task ends") {
  LobbyBench bench;
  std::vector<tcp::socket> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(bench.come());
  bench.lobby.shut();
  bench.lobby.send_all_away();
  CHECK(bench.tasks.size() == 1);
  bench.clock.settle();
  CHECK(bench.tasks.size() == 0);
  CHECK(bench.lobby.size() == 0);
  CHECK(bench.spoken.empty());
  for (tcp::socket& client : clients) CHECK_FALSE(is_open(client));
}

TEST_CASE("who speaks while the lobby closes is too late") {
  LobbyBench bench;
  tcp::socket client = bench.come();
  client.send(asio::buffer("x", 1));
  bench.lobby.shut();
  bench.lobby.send_all_away();
  bench.clock.settle();
  CHECK(bench.lobby.size() == 0);
  CHECK(bench.spoken.empty());
}

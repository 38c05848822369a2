// Ten thousand connections that say nothing, ten thousand that dribble a ClientHello, two thousand that
// dribble a request behind their handshake and as many that idle after one, each kind against a real server
// of its own; what they cost it, and how those who mean it fare meanwhile.
#include <dirent.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "net/stream.hpp"
#include "tests/system/system_fixture.hpp"

namespace {

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using Moment = std::chrono::steady_clock::time_point;

constexpr auto token = asio::as_tuple(asio::use_awaitable);
constexpr auto opening_time = 4s;  // the listener's queue holds only so many newcomers
constexpr auto crowd_time = 14s;
constexpr auto measured_from = 5s;
constexpr auto dribbling_interval = 500ms;

/// What a crowd does, how many it is, and what one of it may cost the server.
struct Kind {
  std::string name;
  std::size_t count;
  double most_each_kib;
};

Moment now() { return std::chrono::steady_clock::now(); }

void raise_descriptor_limit() {
  ::rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// The first flight of a real client.
std::string client_hello() {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> const context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  std::unique_ptr<SSL, decltype(&SSL_free)> const ssl(SSL_new(context.get()), SSL_free);
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
  SSL_set_tlsext_host_name(ssl.get(), "localhost");
  SSL_connect(ssl.get());
  char* data = nullptr;
  long const size = BIO_get_mem_data(out, &data);
  return {data, static_cast<std::size_t>(size)};
}

/// One of the crowd: connects, writes `hello` in pieces each half second (never its end), and connects anew
/// whenever the server has had enough. An empty `hello` is silence.
core::Task<> loiter(asio::io_context& loop, tcp::endpoint server, std::string hello, Moment begin,
                    Moment end) {
  asio::steady_timer timer(loop, begin);
  co_await timer.async_wait(token);
  while (now() < end) {
    tcp::socket socket(loop);
    auto [connect_error] = co_await socket.async_connect(server, token);
    if (connect_error) {
      timer.expires_after(200ms);
      co_await timer.async_wait(token);
      continue;
    }
    std::size_t const piece = hello.size() / 24;
    for (std::size_t sent = 0; piece > 0 && sent + piece < hello.size() && now() < end; sent += piece) {
      auto [error, size] =
          co_await asio::async_write(socket, asio::buffer(hello.data() + sent, piece), token);
      if (error) break;
      timer.expires_after(dribbling_interval);
      co_await timer.async_wait(token);
    }
    char byte = 0;
    timer.expires_at(end);
    timer.async_wait([&socket](boost::system::error_code error) {
      boost::system::error_code ignored;
      if (!error) socket.cancel(ignored);
    });
    [[maybe_unused]] auto [read_error, size] = co_await socket.async_read_some(asio::buffer(&byte, 1), token);
    timer.cancel();
  }
}

/// How those fared whom the server has sent away.
struct Farewells {
  std::size_t told = 0;    // with 408
  std::size_t untold = 0;  // without a word, or with another
  double soonest_s = 0;
  double latest_s = 0;

  void add(std::string const& answer, Moment begun) {
    double const after_s = std::chrono::duration<double>(now() - begun).count();
    soonest_s = told + untold == 0 ? after_s : std::min(soonest_s, after_s);
    latest_s = std::max(latest_s, after_s);
    ++(answer.starts_with("HTTP/1.1 408 ") ? told : untold);
  }
};

/// Where a crowd goes, and for how long.
struct Outing {
  asio::io_context& loop;
  tcp::endpoint server;
  net::TlsContext tls;
  Moment end;
  Farewells farewells{};
};

/// A stream whose handshake is done; none where it failed.
core::Task<std::optional<net::Stream>> shake_hands(Outing& outing) {
  tcp::socket socket(outing.loop);
  auto [connect_error] = co_await socket.async_connect(outing.server, token);
  if (connect_error) co_return std::nullopt;
  socket.non_blocking(true);
  std::string const host = "127.0.0.1";
  net::Stream stream(std::move(socket), outing.tls, host);
  stream.expires_at(outing.end);
  net::error_code const handshaken = co_await stream.handshake();
  if (handshaken) co_return std::nullopt;
  co_return std::optional<net::Stream>(std::move(stream));
}

/// One of the crowd: writes a request a byte each half second, never its end, and comes anew once sent away.
core::Task<> dribble(Outing& outing, Moment begin) {
  std::string const head = "POST /phone/consume HTTP/1.1\r\nHost: localhost\r\nX-Never-Ending: 1";
  asio::steady_timer timer(outing.loop, begin);
  co_await timer.async_wait(token);
  while (now() < outing.end) {
    auto stream = co_await shake_hands(outing);
    if (!stream) continue;
    Moment const begun = now();
    std::string answer;
    net::error_code error = asio::error::timed_out;
    for (char const byte : head) {
      stream->expires_at(now() + dribbling_interval);
      error = co_await stream->write(std::string_view(&byte, 1));
      if (error || now() >= outing.end) break;
      error = co_await stream->read_onto(answer);
      if (error != asio::error::timed_out) break;
    }
    if (now() < outing.end) outing.farewells.add(answer, begun);
  }
}

/// One of the crowd: asks once, and stays for another request that never comes.
core::Task<> idle(Outing& outing, Moment begin) {
  asio::steady_timer timer(outing.loop, begin);
  co_await timer.async_wait(token);
  while (now() < outing.end) {
    auto stream = co_await shake_hands(outing);
    if (!stream) continue;
    std::string answer;
    net::error_code error = co_await stream->write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (!error) error = co_await stream->read_onto(answer);
    if (now() < outing.end) outing.farewells.add(answer, begin);
  }
}

/// The crowd itself: a process of its own, for descriptors are counted by process.
int run_crowd(std::string const& kind, std::size_t count, unsigned short port, std::string const& ca_path) {
  raise_descriptor_limit();
  asio::io_context loop{1};
  auto const ca_pem = app::read_text_file(ca_path);
  auto const tls = net::TlsContext::client(ca_pem ? *ca_pem : std::string());
  if (!ca_pem || !tls) throw std::runtime_error("no certificate to trust");
  Moment const begin = now();
  Outing outing{.loop = loop,
                .server = {asio::ip::make_address("127.0.0.1"), port},
                .tls = *tls,
                .end = begin + crowd_time};
  std::string const hello = kind == "slow" ? client_hello() : std::string();
  for (std::size_t i = 0; i < count; ++i) {
    Moment const own_begin = begin + opening_time * i / count;
    if (kind == "dribbling") {
      asio::co_spawn(loop, dribble(outing, own_begin), asio::detached);
    } else if (kind == "idle") {
      asio::co_spawn(loop, idle(outing, own_begin), asio::detached);
    } else {
      asio::co_spawn(loop, loiter(loop, outing.server, hello, own_begin, outing.end), asio::detached);
    }
  }
  loop.run();
  Farewells const& sent_away = outing.farewells;
  if (sent_away.told + sent_away.untold > 0) {
    std::printf("          sent away: %zu with 408, %zu without, after %.1f to %.1f s\n", sent_away.told,
                sent_away.untold, sent_away.soonest_s, sent_away.latest_s);
  }
  bool const as_expected = sent_away.untold == 0 && (kind == "dribbling") == (sent_away.told > 0);
  return as_expected ? EXIT_SUCCESS : EXIT_FAILURE;
}

std::size_t resident_kib(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

std::size_t descriptors(pid_t process) {
  std::unique_ptr<DIR, decltype(&::closedir)> const folder(
      ::opendir(("/proc/" + std::to_string(process) + "/fd").c_str()), ::closedir);
  std::size_t count = 0;
  while (folder && ::readdir(folder.get()) != nullptr) ++count;
  return count;
}

struct Honest {
  std::size_t asked = 0;
  std::size_t served = 0;
  std::vector<double> took_ms;

  void ask(app::Caller& caller, app::Target const& target, std::string const& code) {
    Moment const begin = now();
    app::CallAnswer const answer = caller.call(target, consume_request(code, "crowd-honest-key-1"));
    took_ms.push_back(std::chrono::duration<double, std::milli>(now() - begin).count());
    ++asked;
    if (answer.status == 200) ++served;
  }
  [[nodiscard]] double at(double share) {
    std::ranges::sort(took_ms);
    return took_ms.at(static_cast<std::size_t>(share * static_cast<double>(took_ms.size() - 1)));
  }
};

/// Lets one kind of crowd come, and measures; false when an honest client was not served, the crowd was not
/// held, cost too much or was treated otherwise than it should, or the server did not end.
bool measure(Kind const& kind) {
  TempFolder const folder;
  RunningServer server(
      folder, {"--log-level=warn", "--rate-ip=0", "--max-connections=" + std::to_string(kind.count + 1000)});
  app::Target const target = server.target();
  pid_t const pid = server.process().pid();
  std::size_t const before_kib = resident_kib(pid);
  std::size_t const before_descriptors = descriptors(pid);
  std::string const port = server.url().substr(server.url().rfind(':') + 1);
  Process crowd("/proc/self/exe",
                {"--crowd=" + kind.name, "--count=" + std::to_string(kind.count), "--port=" + port,
                 "--ca=" + server.ca_path()},
                {});
  app::Caller caller;
  Honest honest;
  Moment const begin = now();
  std::size_t most_kib = 0;
  std::size_t most_held = 0;
  for (int i = 0; now() < begin + crowd_time - 1s; ++i) {
    honest.ask(caller, target, "sandbox-ok-crowd-" + kind.name + std::to_string(i));
    if (now() > begin + measured_from) {
      most_kib = std::max(most_kib, resident_kib(pid));
      most_held = std::max(most_held, descriptors(pid) - before_descriptors);
    }
    caller.pause(100ms);
  }
  bool const as_expected = crowd.wait() == EXIT_SUCCESS;
  caller.pause(1s);
  std::size_t const after_kib = resident_kib(pid);
  double const each_kib = most_held == 0 ? 0
                                         : static_cast<double>(most_kib - std::min(most_kib, before_kib)) /
                                               static_cast<double>(most_held);
  std::printf(
      "%-9s %6zu held  RSS %7zu KiB before, %7zu with, %7zu after: %5.2f KiB each   honest %zu of %zu, "
      "p50 %.1f ms, p99 %.1f ms\n",
      kind.name.c_str(), most_held, before_kib, most_kib, after_kib, each_kib, honest.served, honest.asked,
      honest.at(0.5), honest.at(0.99));
  std::printf("%s", crowd.text().c_str());
  std::fflush(stdout);
  server.process().signal(SIGTERM);
  bool const ended = server.process().wait() == 0;
  bool const held_them = most_held * 10 >= kind.count * 9;
  bool const is_fine =
      honest.served == honest.asked && held_them && each_kib < kind.most_each_kib && as_expected && ended;
  if (!is_fine) std::cerr << kind.name << ": not as it should be\n" << server.process().text();
  return is_fine;
}

std::string value_of(std::vector<std::string> const& arguments, std::string const& name,
                     std::string const& otherwise) {
  for (std::string const& argument : arguments) {
    if (argument.starts_with(name + "=")) return argument.substr(name.size() + 1);
  }
  return otherwise;
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<std::string> const arguments(argv + 1, argv + argc);
  std::size_t const count = std::stoul(value_of(arguments, "--count", "10000"));
  std::string const crowd = value_of(arguments, "--crowd", "");
  if (!crowd.empty()) {
    auto const port = static_cast<unsigned short>(std::stoul(value_of(arguments, "--port", "0")));
    return run_crowd(crowd, count, port, value_of(arguments, "--ca", ""));
  }
  std::size_t const count_with_tls = std::stoul(value_of(arguments, "--count-with-tls", "2000"));
  bool all_fine = true;
  // What was measured, and half as much again.
  for (Kind const& kind : {Kind{.name = "silent", .count = count, .most_each_kib = 1},
                           Kind{.name = "slow", .count = count, .most_each_kib = 5},
                           Kind{.name = "dribbling", .count = count_with_tls, .most_each_kib = 40},
                           Kind{.name = "idle", .count = count_with_tls, .most_each_kib = 40}}) {
    bool const is_fine = measure(kind);
    all_fine = all_fine && is_fine;
  }
  return all_fine ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (std::exception const& error) {
  std::cerr << "crowd: " << error.what() << '\n';
  return EXIT_FAILURE;
}

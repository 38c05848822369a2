// Ten thousand connections that say nothing, then ten thousand that say a little at a time, against a real
// server; what they cost it, and how those who mean it fare meanwhile.
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
#include <string>
#include <vector>

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

/// One of the crowd: connects, writes `hello` in eighths each half second (never its end), and connects anew
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
      timer.expires_after(500ms);
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

/// The crowd itself: a process of its own, for descriptors are counted by process.
int run_crowd(std::size_t count, unsigned short port, bool slow) {
  raise_descriptor_limit();
  asio::io_context loop{1};
  tcp::endpoint const server(asio::ip::make_address("127.0.0.1"), port);
  std::string const hello = slow ? client_hello() : std::string();
  Moment const begin = now();
  for (std::size_t i = 0; i < count; ++i) {
    Moment const own_begin = begin + opening_time * i / count;
    asio::co_spawn(loop, loiter(loop, server, hello, own_begin, begin + crowd_time), asio::detached);
  }
  loop.run();
  return EXIT_SUCCESS;
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

/// Lets one kind of crowd come, and measures; false when an honest client was not served.
bool measure(RunningServer& server, app::Target const& target, std::string const& kind, std::size_t count,
             std::size_t before_kib) {
  pid_t const pid = server.process().pid();
  std::size_t const before_descriptors = descriptors(pid);
  std::string const port = server.url().substr(server.url().rfind(':') + 1);
  Process crowd("/proc/self/exe", {"--crowd=" + kind, "--count=" + std::to_string(count), "--port=" + port},
                {});
  app::Caller caller;
  Honest honest;
  Moment const begin = now();
  std::size_t most_kib = 0;
  std::size_t most_held = 0;
  for (int i = 0; now() < begin + crowd_time - 1s; ++i) {
    honest.ask(caller, target, "sandbox-ok-crowd-" + kind + std::to_string(i));
    if (now() > begin + measured_from) {
      most_kib = std::max(most_kib, resident_kib(pid));
      most_held = std::max(most_held, descriptors(pid) - before_descriptors);
    }
    caller.pause(100ms);
  }
  (void)crowd.wait();
  caller.pause(1s);
  std::size_t const after_kib = resident_kib(pid);
  double const each_kib = most_held == 0 ? 0
                                         : static_cast<double>(most_kib - std::min(most_kib, before_kib)) /
                                               static_cast<double>(most_held);
  std::printf(
      "%-6s %6zu held  RSS %7zu KiB before, %7zu with, %7zu after: %5.2f KiB each   honest %zu of %zu, "
      "p50 %.1f ms, p99 %.1f ms\n",
      kind.c_str(), most_held, before_kib, most_kib, after_kib, each_kib, honest.served, honest.asked,
      honest.at(0.5), honest.at(0.99));
  std::fflush(stdout);
  constexpr double most_each_kib = 8;  // OpenSSL's state for each would be ten times that
  bool const held_them = most_held * 10 >= count * 9;
  return honest.served == honest.asked && held_them && each_kib < most_each_kib;
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
  std::string const kind = value_of(arguments, "--crowd", "");
  if (!kind.empty()) {
    auto const port = static_cast<unsigned short>(std::stoul(value_of(arguments, "--port", "0")));
    return run_crowd(count, port, kind == "slow");
  }
  TempFolder const folder;
  RunningServer server(
      folder, {"--log-level=warn", "--rate-ip=0", "--max-connections=" + std::to_string(count + 1000)});
  app::Target const target = server.target();
  std::size_t const before_kib = resident_kib(server.process().pid());
  bool const silent_is_fine = measure(server, target, "silent", count, before_kib);
  bool const slow_is_fine = measure(server, target, "slow", count, before_kib);
  server.process().signal(SIGTERM);
  bool const ended = server.process().wait() == 0;
  if (silent_is_fine && slow_is_fine && ended) return EXIT_SUCCESS;
  std::cerr
      << "an honest client was not served, a crowd cost too much or was not held, or the server did not "
         "end\n";
  return EXIT_FAILURE;
} catch (std::exception const& error) {
  std::cerr << "crowd: " << error.what() << '\n';
  return EXIT_FAILURE;
}

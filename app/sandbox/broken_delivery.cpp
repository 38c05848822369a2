#include "app/sandbox/broken_delivery.hpp"

#include <utility>

namespace onetap::app {
namespace {

std::string head_with(WechatAnswer const& answer, std::string const& framing) {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + answer.content_type + "\r\n" + framing + "\r\n";
}

std::string length_field(std::size_t size) { return "Content-Length: " + std::to_string(size) + "\r\n"; }

core::Task<> write_all(net::Stream& stream, std::string bytes) {
  [[maybe_unused]] boost::system::error_code const gone = co_await stream.write(bytes);
}

core::Task<> drip(net::Stream& stream, std::string bytes, DripPace pace) {
  constexpr auto pause = core::milliseconds(100);
  constexpr auto patience = core::seconds(10);
  for (char const byte : bytes) {
    core::SteadyTime const now = pace.clock.steady();
    stream.expires_at(now + patience);
    boost::system::error_code const gone = co_await stream.write(std::string_view(&byte, 1));
    if (gone || pace.is_stopping) co_return;
    [[maybe_unused]] bool const told = co_await pace.clock.wait(pace.stopping, now + pause);
  }
}

core::Task<> write_huge(net::Stream& stream, std::string head) {
  constexpr std::size_t chunk_bytes = 64UL * 1024;
  constexpr std::size_t chunks = 160;
  std::string const chunk = "10000\r\n" + std::string(chunk_bytes, ' ') + "\r\n";
  boost::system::error_code gone = co_await stream.write(head);
  for (std::size_t written = 0; written < chunks && !gone; ++written) gone = co_await stream.write(chunk);
}

core::Task<> fail_in_the_middle(net::Stream& stream, std::string half) {
  boost::system::error_code const gone = co_await stream.write(half);
  if (!gone) co_await stream.fail_tls();
  stream.close();
}

core::Task<> close_without_goodbye(net::Stream& stream, std::string bytes) {
  [[maybe_unused]] boost::system::error_code const gone = co_await stream.write(bytes);
  stream.close();
}

core::Task<> reset(net::Stream& stream) {
  stream.reset();
  co_return;
}

}  // namespace

std::function<core::Task<>(net::Stream&)> broken_delivery(WechatAnswer const& answer, DripPace pace) {
  std::string const& body = answer.body;
  std::size_t const size = body.size();
  constexpr std::size_t bytes_before_cut = 40;
  constexpr std::size_t bytes_off = 10;
  constexpr std::string_view chunked = "Transfer-Encoding: chunked\r\n";
  auto const writing = [](std::string bytes) {
    return [bytes = std::move(bytes)](net::Stream& stream) { return write_all(stream, bytes); };
  };
  switch (answer.manner) {
    case Manner::at_once:
    case Manner::late:
    case Manner::never: break;
    case Manner::reset: return [](net::Stream& stream) { return reset(stream); };
    case Manner::cut_head: return writing(head_with(answer, length_field(size)).substr(0, bytes_before_cut));
    case Manner::length_short: return writing(head_with(answer, length_field(bytes_off)) + body);
    case Manner::length_long: return writing(head_with(answer, length_field(size + bytes_off)) + body);
    case Manner::length_twice:
      return writing(head_with(answer, length_field(size) + length_field(size + bytes_off)) + body);
    case Manner::bad_chunk:
      return writing(head_with(answer, std::string(chunked)) + "1\r\n{\r\nfffffffffffffffff\r\n" + body);
    case Manner::drip:
      return [whole = head_with(answer, length_field(size)) + body, pace](net::Stream& stream) {
        return drip(stream, whole, pace);
      };
    case Manner::huge:
      return [head = head_with(answer, std::string(chunked))](net::Stream& stream) {
        return write_huge(stream, head);
      };
    case Manner::tls_alert:
      return [half = head_with(answer, length_field(size)) + body.substr(0, size / 2)](net::Stream& stream) {
        return fail_in_the_middle(stream, half);
      };
    case Manner::no_goodbye:
      return [whole = head_with(answer, "") + body](net::Stream& stream) {
        return close_without_goodbye(stream, whole);
      };
  }
  return {};
}

}  // namespace onetap::app

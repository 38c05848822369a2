#include "net/stream.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "core/limits.hpp"
#include "net/tls_bio.hpp"

namespace onetap::net {
namespace {

constexpr auto token = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t receive_bytes = 4096;

enum class Hello { incomplete, complete, no_hello };

bool would_block(error_code const& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

std::size_t big_endian(std::string_view bytes) {
  std::size_t number = 0;
  for (char const byte : bytes) number = number * 256 + static_cast<unsigned char>(byte);
  return number;
}

// A ClientHello (RFC 8446 §4.1.2) that the first TLS record (§5.1) holds whole: clients send it so, and
// nothing less is worth OpenSSL's memory.
Hello judge_hello(std::string_view bytes) {
  constexpr std::string_view record_begin = "\x16\x03";  // handshake, TLS of whatever version
  constexpr char client_hello = 1;
  constexpr std::size_t record_head_bytes = 5;   // type, version (2), length (2)
  constexpr std::size_t message_head_bytes = 4;  // type, length (3)
  constexpr std::size_t hello_bytes_min = 41;    // version, random, and four vectors, one of a suite
  constexpr std::size_t heads_bytes = record_head_bytes + message_head_bytes;
  std::string_view const begin = bytes.substr(0, record_begin.size());
  if (begin != record_begin.substr(0, begin.size())) return Hello::no_hello;
  if (bytes.size() > record_head_bytes && bytes[record_head_bytes] != client_hello) return Hello::no_hello;
  if (bytes.size() < heads_bytes) return Hello::incomplete;
  std::size_t const record_bytes = big_endian(bytes.substr(3, 2));
  std::size_t const hello_bytes = big_endian(bytes.substr(record_head_bytes + 1, 3));
  bool const is_whole = message_head_bytes + hello_bytes == record_bytes;
  if (!is_whole || hello_bytes < hello_bytes_min || record_bytes > core::limits::client_hello_bytes_max)
    return Hello::no_hello;
  return bytes.size() < record_head_bytes + record_bytes ? Hello::incomplete : Hello::complete;
}

}  // namespace

struct Stream::State : std::enable_shared_from_this<State> {
  explicit State(tcp::socket its_socket) : socket(std::move(its_socket)), timer(socket.get_executor()) {
    error_code ignored;
    if (socket.is_open()) socket.non_blocking(true, ignored);
  }

  tcp::socket socket;
  asio::steady_timer timer;
  core::SteadyTime deadline = core::SteadyTime::max();
  core::SteadyTime armed_for = core::SteadyTime::max();
  bool expired = false;

  std::optional<TlsContext> context;  // none: plain
  std::string received;               // what tls->wire.incoming looks into

  // What OpenSSL needs for a connection. A server's stream has none before a ClientHello has come.
  struct Tls {
    TlsWire wire;
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, SSL_free};
    std::string error;
  };
  std::unique_ptr<Tls> tls;

  SSL* begin_tls() {
    tls = std::make_unique<Tls>();
    tls->ssl.reset(SSL_new(context->native()));
    if (!tls->ssl) throw std::bad_alloc();
    BIO* const bio = new_tls_bio(context->bio_method(), tls->wire);
    SSL_set_bio(tls->ssl.get(), bio, bio);  // takes ownership
    return tls->ssl.get();
  }

  // The timer follows the deadline lazily: moving the deadline on (each request does) arms nothing.
  void arm() {
    if (deadline == core::SteadyTime::max() || armed_for <= deadline) return;
    armed_for = deadline;
    timer.expires_at(deadline);
    timer.async_wait([weak = weak_from_this()](error_code error) {
      auto const self = weak.lock();
      if (!self || error) return;
      self->armed_for = core::SteadyTime::max();
      if (self->deadline <= std::chrono::steady_clock::now()) {
        self->expired = true;
        error_code ignored;
        self->socket.cancel(ignored);
      } else {
        self->arm();
      }
    });
  }

  error_code outcome(error_code error) const { return error && expired ? asio::error::timed_out : error; }

  // What the socket takes at once, off the front of `bytes`: mostly all of it, and nobody waits for the loop.
  error_code send_now(std::string_view& bytes) {
    if (expired) return asio::error::timed_out;
    error_code error;
    bytes.remove_prefix(socket.write_some(asio::buffer(bytes), error));
    return would_block(error) ? error_code() : outcome(error);
  }

  core::Task<error_code> send(std::string_view bytes) {
    auto const self = shared_from_this();
    error_code error = send_now(bytes);
    while (!error && !bytes.empty()) {
      auto [waited] = co_await socket.async_wait(tcp::socket::wait_write, token);
      error = waited ? outcome(waited) : send_now(bytes);
    }
    co_return error;
  }

  core::Task<core::Result<std::size_t, error_code>> receive(std::span<char> into) {
    if (expired) co_return error_code(asio::error::timed_out);
    while (true) {
      error_code error;
      std::size_t const size = socket.read_some(asio::buffer(into.data(), into.size()), error);
      if (!error) co_return size;
      if (!would_block(error)) co_return outcome(error);
      auto [waited] = co_await socket.async_wait(tcp::socket::wait_read, token);
      if (waited) co_return outcome(waited);
    }
  }

  // Waits, and appends what has come, at most `most` bytes of it.
  core::Task<error_code> receive_onto(std::string& into, std::size_t most) {
    auto const self = shared_from_this();
    if (expired) co_return asio::error::timed_out;
    error_code error = asio::error::would_block;
    while (would_block(error)) {
      auto [waited] = co_await socket.async_wait(tcp::socket::wait_read, token);
      error = waited ? waited : take_received(into, most);
    }
    co_return outcome(error);
  }

  // Its buffer is gone before anybody waits.
  error_code take_received(std::string& into, std::size_t most) {
    std::array<char, receive_bytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    error_code error;
    std::size_t const size =
        socket.read_some(asio::buffer(buffer.data(), std::min(buffer.size(), most)), error);
    if (!error) into.append(buffer.data(), size);
    return error;
  }

  void forget_received() {
    received.clear();
    received.shrink_to_fit();
  }

  void note_received(error_code error) {
    if (error == asio::error::eof) tls->wire.ended = true;
    tls->wire.incoming = received;
  }

  // Whoever says nothing, or something else, or dribbles, is not worth OpenSSL's buffers.
  core::Task<error_code> receive_hello() {
    Hello hello = Hello::incomplete;
    while (hello == Hello::incomplete) {
      error_code const error = co_await receive_onto(received, receive_bytes);
      if (error) co_return error == asio::error::eof ? asio::error::connection_reset : error;
      hello = judge_hello(received);
    }
    if (hello == Hello::no_hello) co_return asio::error::connection_reset;
    SSL_set_accept_state(begin_tls());
    tls->wire.incoming = received;
    co_return error_code();
  }

  error_code remember_tls_error() const {
    long const verified = SSL_get_verify_result(tls->ssl.get());
    unsigned long const queued = ERR_peek_last_error();
    if (verified != X509_V_OK) {
      tls->error = X509_verify_cert_error_string(verified);
    } else if (char const* reason = ERR_reason_error_string(queued); reason != nullptr) {
      tls->error = reason;
    } else {
      tls->error = "TLS failure";
    }
    ERR_clear_error();
    return asio::error::connection_reset;
  }

  bool has_unread() const { return !tls->wire.incoming.empty() || SSL_has_pending(tls->ssl.get()) == 1; }

  // Lets OpenSSL look at all that has been received: data, an end or a fault is not its own business.
  bool only_tls_business_is_unread() const {
    char byte = 0;
    std::size_t peeked = 0;
    ERR_clear_error();
    int const result = SSL_peek_ex(tls->ssl.get(), &byte, 1, &peeked);
    bool const wants_more = result != 1 && SSL_get_error(tls->ssl.get(), result) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return wants_more;
  }

  struct Attempt {
    bool is_over = false;
    error_code failed;
  };

  // One OpenSSL operation, as far as it goes with what has been received.
  template <class Operation>
  Attempt attempt(Operation const& operation) {
    ERR_clear_error();
    int const result = operation();
    if (result == 1) return {.is_over = true};
    switch (SSL_get_error(tls->ssl.get(), result)) {
      case SSL_ERROR_NONE: return {.is_over = true};
      case SSL_ERROR_WANT_READ: return {};
      case SSL_ERROR_ZERO_RETURN: return {.is_over = true, .failed = asio::error::eof};
      default: return {.is_over = true, .failed = remember_tls_error()};
    }
  }

  // Runs one OpenSSL operation to its end, moving bytes as it asks for them. One coroutine for all of it:
  // each further one that every request goes through takes a frame.
  template <class Operation>
  core::Task<error_code> drive(Operation operation) {
    auto const self = shared_from_this();
    while (true) {
      Attempt const tried = attempt(operation);
      error_code flushed = expired ? asio::error::timed_out : error_code();
      std::string const sending = std::exchange(tls->wire.outgoing, {});
      std::string_view unsent = sending;
      if (!unsent.empty()) flushed = send_now(unsent);
      if (!flushed && !unsent.empty()) flushed = co_await send(unsent);
      if (tried.is_over || flushed) co_return tried.failed ? tried.failed : flushed;
      forget_received();
      error_code read = asio::error::would_block;
      while (would_block(read)) {
        auto [waited] = co_await socket.async_wait(tcp::socket::wait_read, token);
        read = waited ? waited : take_received(received, receive_bytes);
      }
      note_received(read);
      if (read == asio::error::eof) co_return asio::error::connection_reset;
      if (read) co_return outcome(read);
    }
  }
};

Stream::Stream(tcp::socket socket) : state_(std::make_shared<State>(std::move(socket))) {}

Stream::Stream(tcp::socket socket, TlsContext const& context) : Stream(std::move(socket)) {
  state_->context = context;
}

Stream::Stream(tcp::socket socket, TlsContext const& context, std::string const& host)
    : Stream(std::move(socket)) {
  start_tls(context, host);
}

Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    if (state_) close();
    state_ = std::move(other.state_);
  }
  return *this;
}
Stream::~Stream() {
  if (state_) close();
}

void Stream::expires_at(core::SteadyTime deadline) {
  state_->expired = false;
  state_->deadline = deadline;
  state_->arm();
}

core::Task<error_code> Stream::connect(tcp::endpoint address) {
  auto const state = state_;
  if (state->expired) co_return asio::error::timed_out;
  auto [error] = co_await state->socket.async_connect(address, token);
  if (error) co_return state->outcome(error);
  error_code option;
  state->socket.set_option(tcp::no_delay(true), option);
  state->socket.non_blocking(true, option);
  co_return option;
}

void Stream::start_tls(TlsContext const& context, std::string const& host) {
  state_->context = context;
  context.aim(state_->begin_tls(), host);
}

core::Task<core::Result<std::string, error_code>> Stream::read_before_handshake(std::size_t size) {
  using Bytes = core::Result<std::string, error_code>;
  auto const state = state_;
  std::string bytes;
  while (bytes.size() < size) {
    error_code const error = co_await state->receive_onto(bytes, size - bytes.size());
    if (error) co_return Bytes(boost::system::in_place_error, error);
  }
  co_return Bytes(boost::system::in_place_value, std::move(bytes));
}

core::Task<error_code> Stream::handshake() {
  auto const state = state_;
  if (!state->context) co_return error_code();
  if (!state->tls) {
    error_code const error = co_await state->receive_hello();
    if (error) co_return error;
  }
  SSL* const ssl = state->tls->ssl.get();
  error_code const error = co_await state->drive([ssl] { return SSL_do_handshake(ssl); });
  if (error) TlsContext::forget_session(ssl);  // it may be what the other side chokes on
  co_return error;
}

core::Task<core::Result<std::size_t, error_code>> Stream::read_some(std::span<char> buffer) {
  auto const state = state_;
  if (!state->tls) co_return co_await state->receive(buffer);
  std::size_t size = 0;
  error_code const error = co_await state->drive([&state, &size, buffer] {
    return SSL_read_ex(state->tls->ssl.get(), buffer.data(), buffer.size(), &size);
  });
  if (error) co_return error;
  co_return size;
}

core::Task<error_code> Stream::read_onto(std::string& into) {
  if (!state_->tls) return state_->receive_onto(into, receive_bytes);
  return state_->drive([ssl = state_->tls->ssl.get(), &into] {
    std::array<char, receive_bytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    std::size_t size = 0;
    int const result = SSL_read_ex(ssl, buffer.data(), buffer.size(), &size);
    if (result == 1) into.append(buffer.data(), size);
    return result;
  });
}

core::Task<error_code> Stream::write(std::string_view bytes) {
  if (!state_->tls) return state_->send(bytes);
  return state_->drive([ssl = state_->tls->ssl.get(), bytes] {
    std::size_t written = 0;
    return SSL_write_ex(ssl, bytes.data(), bytes.size(), &written);
  });
}

core::Task<> Stream::shutdown() {
  auto const state = state_;
  if (state->tls && SSL_is_init_finished(state->tls->ssl.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(state->tls->ssl.get());
    ERR_clear_error();
    std::string const sending = std::exchange(state->tls->wire.outgoing, {});
    error_code const sent = co_await state->send(sending);
    if (sent) co_return;
  }
  error_code error;
  state->socket.shutdown(tcp::socket::shutdown_send, error);
  // Closing with unread bytes would send a reset that can overtake the answer: read them away first.
  std::array<char, 1024> unread{};
  constexpr int rounds_max = 64;
  for (int round = 0; round < rounds_max && !error; ++round) {
    auto const size = co_await state->receive(unread);
    if (!size) co_return;
  }
}

void Stream::close() {
  error_code ignored;
  state_->timer.cancel();
  state_->socket.close(ignored);
}

void Stream::reset() {
  error_code ignored;
  state_->socket.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

core::Task<> Stream::fail_tls() {
  auto const state = state_;
  constexpr std::string_view head("\x17\x03\x03\x00\x20", 5);  // application data of 32 bytes
  std::string const broken_record = std::string(head) + std::string(32, '\0');
  state->tls->wire.incoming = broken_record;
  char unread = 0;
  [[maybe_unused]] error_code const failed = co_await state->drive([&state, &unread] {
    std::size_t size = 0;
    return SSL_read_ex(state->tls->ssl.get(), &unread, 1, &size);
  });
  state->tls->wire.incoming = {};
}

bool Stream::is_idle_and_alive() {
  State& state = *state_;
  if (state.expired || !state.socket.is_open()) return false;
  while (true) {
    if (state.tls && state.has_unread() && !state.only_tls_business_is_unread()) return false;
    std::array<char, receive_bytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    error_code error;
    std::size_t const size = state.socket.read_some(asio::buffer(buffer), error);
    if (error) return would_block(error);
    if (!state.tls) return false;
    state.received.assign(buffer.data(), size);
    state.tls->wire.incoming = state.received;
  }
}

std::string Stream::tls_error() const { return state_->tls ? state_->tls->error : std::string(); }

bool Stream::is_resumed() const { return state_->tls && SSL_session_reused(state_->tls->ssl.get()) == 1; }

std::string Stream::tls_version() const {
  return state_->tls ? SSL_get_version(state_->tls->ssl.get()) : std::string();
}

std::optional<CertificateFacts> Stream::peer_certificate() const {
  X509 const* const shown = state_->tls ? SSL_get0_peer_certificate(state_->tls->ssl.get()) : nullptr;
  if (shown == nullptr) return std::nullopt;
  return facts_of(*shown);
}

tcp::endpoint Stream::remote_endpoint() const {
  error_code ignored;
  return state_->socket.remote_endpoint(ignored);
}

}  // namespace onetap::net

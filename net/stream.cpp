#include "net/stream.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <optional>

#include "net/tls_bio.hpp"

namespace onetap::net {
namespace {

constexpr auto token = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t receive_bytes = 4096;

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

  std::optional<TlsContext> context;  // keeps the BIO's method alive
  TlsWire wire;
  std::string received;  // what wire.incoming looks into
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, SSL_free};
  std::string tls_error;

  void use_tls(TlsContext const& tls) {
    context = tls;
    ssl.reset(SSL_new(tls.native()));
    if (!ssl) throw std::bad_alloc();
    BIO* const bio = new_tls_bio(tls.bio_method(), wire);
    SSL_set_bio(ssl.get(), bio, bio);  // takes ownership
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

  core::Task<error_code> flush() {
    if (expired) co_return asio::error::timed_out;
    if (wire.outgoing.empty()) co_return error_code();
    std::string const sending = std::exchange(wire.outgoing, {});
    auto [error, written] = co_await asio::async_write(socket, asio::buffer(sending), token);
    co_return outcome(error);
  }

  // Waits first and takes memory only when there is something to read: an idle connection holds none.
  core::Task<core::Result<std::size_t, error_code>> receive(std::span<char> into) {
    if (expired) co_return error_code(asio::error::timed_out);
    while (true) {
      error_code error;
      std::size_t const size = socket.read_some(asio::buffer(into.data(), into.size()), error);
      if (!error) co_return size;
      if (error != asio::error::would_block && error != asio::error::try_again) co_return outcome(error);
      auto [waited] = co_await socket.async_wait(tcp::socket::wait_read, token);
      if (waited) co_return outcome(waited);
    }
  }

  core::Task<error_code> receive_wire() {
    if (expired) co_return asio::error::timed_out;
    received.clear();
    received.shrink_to_fit();
    auto [waited] = co_await socket.async_wait(tcp::socket::wait_read, token);
    if (waited) co_return outcome(waited);
    received.resize(receive_bytes);
    std::span<char> const space(received);
    auto const size = co_await receive(space);
    if (!size) {
      received.clear();
      if (size.error() == asio::error::eof) wire.ended = true;
      co_return size.error();
    }
    wire.incoming = std::string_view(received).substr(0, *size);
    co_return error_code();
  }

  error_code remember_tls_error() {
    long const verified = SSL_get_verify_result(ssl.get());
    unsigned long const queued = ERR_peek_last_error();
    if (verified != X509_V_OK) {
      tls_error = X509_verify_cert_error_string(verified);
    } else if (char const* reason = ERR_reason_error_string(queued); reason != nullptr) {
      tls_error = reason;
    } else {
      tls_error = "TLS failure";
    }
    ERR_clear_error();
    return asio::error::connection_reset;
  }

  // Lets OpenSSL look at all that has been received: data, an end or a fault is not its own business.
  bool only_tls_business_is_unread() const {
    char byte = 0;
    std::size_t peeked = 0;
    ERR_clear_error();
    int const result = SSL_peek_ex(ssl.get(), &byte, 1, &peeked);
    bool const wants_more = result != 1 && SSL_get_error(ssl.get(), result) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return wants_more;
  }

  // Runs one OpenSSL operation to its end, moving bytes as it asks for them.
  template <class Operation>
  core::Task<error_code> drive(Operation operation) {
    while (true) {
      ERR_clear_error();
      int const result = operation();
      int const reason = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl.get(), result);
      error_code failed =
          result == 1 || reason == SSL_ERROR_WANT_READ ? error_code() : error_code(asio::error::eof);
      if (reason != SSL_ERROR_NONE && reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_ZERO_RETURN) {
        failed = remember_tls_error();
      }
      error_code const flushed = co_await flush();
      if (failed || flushed || reason == SSL_ERROR_NONE) co_return failed ? failed : flushed;
      error_code const read = co_await receive_wire();
      if (read) co_return read == asio::error::eof ? asio::error::connection_reset : read;
    }
  }
};

Stream::Stream(tcp::socket socket) : state_(std::make_shared<State>(std::move(socket))) {}

Stream::Stream(tcp::socket socket, TlsContext const& context) : Stream(std::move(socket)) {
  state_->use_tls(context);
  SSL_set_accept_state(state_->ssl.get());
}

Stream::Stream(tcp::socket socket, TlsContext const& context, std::string const& host)
    : Stream(std::move(socket)) {
  state_->use_tls(context);
  SSL* const ssl = state_->ssl.get();
  SSL_set_connect_state(ssl);
  error_code not_an_address;
  asio::ip::make_address(host, not_an_address);
  if (not_an_address) {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    SSL_set1_host(ssl, host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  }
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

core::Task<error_code> Stream::handshake() {
  auto const state = state_;
  if (!state->ssl) co_return error_code();
  co_return co_await state->drive([ssl = state->ssl.get()] { return SSL_do_handshake(ssl); });
}

core::Task<core::Result<std::size_t, error_code>> Stream::read_some(std::span<char> buffer) {
  auto const state = state_;
  if (!state->ssl) co_return co_await state->receive(buffer);
  std::size_t size = 0;
  error_code const error = co_await state->drive(
      [&state, &size, buffer] { return SSL_read_ex(state->ssl.get(), buffer.data(), buffer.size(), &size); });
  if (error) co_return error;
  co_return size;
}

core::Task<error_code> Stream::write(std::string_view bytes) {
  auto const state = state_;
  if (state->expired) co_return asio::error::timed_out;
  if (!state->ssl) {
    auto [error, written] = co_await asio::async_write(state->socket, asio::buffer(bytes), token);
    co_return state->outcome(error);
  }
  co_return co_await state->drive([ssl = state->ssl.get(), bytes] {
    std::size_t written = 0;
    return SSL_write_ex(ssl, bytes.data(), bytes.size(), &written);
  });
}

core::Task<> Stream::shutdown() {
  auto const state = state_;
  if (state->ssl && SSL_is_init_finished(state->ssl.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(state->ssl.get());
    ERR_clear_error();
    error_code const flushed = co_await state->flush();
    if (flushed) co_return;
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

bool Stream::is_idle_and_alive() {
  State& state = *state_;
  if (state.expired || !state.socket.is_open()) return false;
  while (true) {
    if (state.ssl && !state.only_tls_business_is_unread()) return false;
    state.received.resize(receive_bytes);
    error_code error;
    std::size_t const size = state.socket.read_some(asio::buffer(state.received), error);
    if (error) return error == asio::error::would_block || error == asio::error::try_again;
    if (!state.ssl) return false;
    state.wire.incoming = std::string_view(state.received).substr(0, size);
  }
}

std::string Stream::tls_error() const { return state_->tls_error; }

tcp::endpoint Stream::remote_endpoint() const {
  error_code ignored;
  return state_->socket.remote_endpoint(ignored);
}

}  // namespace onetap::net

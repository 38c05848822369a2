#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "core/task.hpp"
#include "net/certificate.hpp"
#include "net/tls_context.hpp"

namespace onetap::net {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

/// A TCP connection, with TLS on it or without, under one absolute deadline. Not reusable after an error:
/// a reconnect is a new object. Every operation that the deadline cuts ends in asio::error::timed_out.
class Stream {
 public:
  /// Plain.
  explicit Stream(tcp::socket socket);
  /// TLS, the server's side. Costs OpenSSL's memory from the first whole record of a ClientHello on.
  Stream(tcp::socket socket, TlsContext const& context);
  /// TLS, the client's side, as start_tls() tells.
  Stream(tcp::socket socket, TlsContext const& context, std::string const& host);
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  /// From now on, until it is set anew. Counts for the operation under way, too. A read that the deadline
  /// has cut may be followed by other operations under a new one: a late request is still answered.
  void expires_at(core::SteadyTime deadline);

  /// To an address (a client's first step). The socket must be of the loop and not connected.
  [[nodiscard]] core::Task<error_code> connect(tcp::endpoint address);

  /// Exactly so many bytes of the wire, in the clear: what stands before TLS (PROXY protocol).
  [[nodiscard]] core::Task<core::Result<std::string, error_code>> read_before_handshake(std::size_t size);

  /// A plain stream becomes TLS's, the client's side: `host` is sent as SNI and must be named by the
  /// certificate, unless the handshake resumes a session of this host and this context. Before handshake().
  void start_tls(TlsContext const& context, std::string const& host);

  /// TLS only; returns at once on a plain stream.
  [[nodiscard]] core::Task<error_code> handshake();

  /// At least one byte, or the reason; asio::error::eof when the peer has ended in order (with TLS: by
  /// close_notify; without it, asio::ssl's stream_truncated becomes connection_reset).
  [[nodiscard]] core::Task<core::Result<std::size_t, error_code>> read_some(std::span<char> buffer);

  /// As read_some, but appends to `into`, which outlives the read: no buffer is held while nothing comes.
  [[nodiscard]] core::Task<error_code> read_onto(std::string& into);

  /// All of it.
  [[nodiscard]] core::Task<error_code> write(std::string_view bytes);

  /// Says good-bye, and waits for the peer's a little (under the stream's deadline), so that what was
  /// written is read before the connection goes.
  [[nodiscard]] core::Task<> shutdown();

  void close();

  /// As close(), but the peer sees a reset, and what it has not read yet is lost.
  void reset();

  /// TLS only, after the handshake: as if the peer had sent a broken record, so that a fatal alert goes out.
  [[nodiscard]] core::Task<> fail_tls();

  /// For an idle connection: false when the peer has closed it or sent anything that is not TLS's own
  /// business (session tickets are).
  [[nodiscard]] bool is_idle_and_alive();

  /// What the certificate check or the handshake said, for the operator; empty when nothing.
  [[nodiscard]] std::string tls_error() const;

  /// Whether the handshake took up an earlier session.
  [[nodiscard]] bool is_resumed() const;

  /// After the handshake: "TLSv1.3"; empty on a plain stream.
  [[nodiscard]] std::string tls_version() const;

  /// After a full handshake: the certificate that the peer showed; none where it showed none.
  [[nodiscard]] std::optional<CertificateFacts> peer_certificate() const;

  [[nodiscard]] tcp::endpoint remote_endpoint() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace onetap::net

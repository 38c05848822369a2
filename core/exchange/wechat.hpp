#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/secret.hpp"
#include "core/task.hpp"

namespace onetap::core {

/// How far a request came. Only `not_sent` and `answered` are certain: the fate of a request of which
/// any byte was handed to the network is unknown until a complete answer has been read.
enum class Delivery { not_sent, maybe_sent, answered };

enum class TransportFailure {
  none,
  resolve,
  connect,
  tls,
  timeout,
  connection_lost,  // reset, or closed before the answer was complete
  malformed,        // not HTTP, or an answer without its length
  too_large,
};

[[nodiscard]] std::string_view to_string(TransportFailure failure);

/// What came back, unjudged: core/exchange/answer decides what it means.
struct WeChatReply {
  Delivery delivery = Delivery::not_sent;
  TransportFailure failure = TransportFailure::none;  // none when answered
  std::string failure_detail;  // for the operator's log, e.g. "certificate has expired"
  int http_status = 0;         // when answered
  std::string body;            // when answered; at most limits::wechat_answer_bytes_max
  std::string date;            // the Date field as it came, or empty
};

/// A handshaken connection set aside for one request; goes back or closes when it is destroyed.
class WeChatLine {
 public:
  WeChatLine() = default;
  WeChatLine(WeChatLine const&) = delete;
  WeChatLine& operator=(WeChatLine const&) = delete;
  virtual ~WeChatLine() = default;
};

/// A line, or why there is none.
struct LineResult {
  std::unique_ptr<WeChatLine> line;
  TransportFailure failure = TransportFailure::none;
  std::string failure_detail;
};

/// Where an access_token is asked for (facts §3.1, §3.2).
enum class TokenEndpoint {
  stable,  // POST /cgi-bin/stable_token, in normal mode
  plain,   // GET /cgi-bin/token, whose answer ends the token before in five minutes
};

/// Port: api.weixin.qq.com. Every call ends by its deadline. Requests are sent at most once; the
/// transport re-sends nothing by itself.
class WeChat {
 public:
  WeChat() = default;
  WeChat(WeChat const&) = delete;
  WeChat& operator=(WeChat const&) = delete;
  virtual ~WeChat() = default;

  /// A warm line, if one is idle; null otherwise. Never waits.
  [[nodiscard]] virtual std::unique_ptr<WeChatLine> take_line() = 0;

  /// A warm line, or a new one.
  [[nodiscard]] virtual Task<LineResult> open_line(SteadyTime deadline) = 0;

  /// POST /wxa/business/getuserphonenumber (facts/wechat-api.md §1.1). A dead or missing line is replaced
  /// while no byte has left. An empty `openid` is left out. `answer_time` runs from the first byte written to
  /// the last read, and never beyond `deadline`.
  [[nodiscard]] virtual Task<WeChatReply> get_user_phone_number(std::unique_ptr<WeChatLine> line,
                                                                AccessToken access_token, Code code,
                                                                OpenId openid, milliseconds answer_time,
                                                                SteadyTime deadline) = 0;

  [[nodiscard]] virtual Task<WeChatReply> get_access_token(TokenEndpoint endpoint, std::string appid,
                                                           AppSecret secret, SteadyTime deadline) = 0;

  /// POST /cgi-bin/openapi/quota/get (facts §2.6) about getuserphonenumber: free, and on the same host.
  [[nodiscard]] virtual Task<WeChatReply> get_api_quota(AccessToken access_token, SteadyTime deadline) = 0;

  /// GET /sns/jscode2session (facts §4.1): needs no access_token.
  [[nodiscard]] virtual Task<WeChatReply> code_to_session(std::string appid, AppSecret secret, JsCode js_code,
                                                          SteadyTime deadline) = 0;

  /// POST /wxa/business/getuserencryptkey (facts §6.2). `signature` is session_key's over nothing.
  [[nodiscard]] virtual Task<WeChatReply> get_user_encrypt_key(AccessToken access_token, OpenId openid,
                                                               std::string signature,
                                                               SteadyTime deadline) = 0;
};

}  // namespace onetap::core

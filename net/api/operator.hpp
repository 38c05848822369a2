#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/clock.hpp"
#include "core/exchange/problem.hpp"
#include "core/json.hpp"
#include "core/ledger_admin.hpp"
#include "core/log.hpp"
#include "core/secret.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// What could not be done or read for an operator, with the sentence that says why.
[[nodiscard]] Response refusal_of(core::admin::Refusal const& refusal, std::string_view request_id);

/// What operators may do under /api (contract, "Operator listener").
class OperatorApi {
 public:
  struct Gate {
    std::optional<core::OperatorToken> token;  // none: loopback is trusted
    std::string address;                       // that is listened on; a wildcard takes any IP literal as Host
  };

  OperatorApi(core::LedgerAdmin& ledger, core::LedgerUpkeep& upkeep, core::Clock const& clock, core::Log& log,
              Gate gate);

  /// From now on this is the token that is asked for.
  void use(std::optional<core::OperatorToken> token) { gate_.token = std::move(token); }

  /// Host, Origin, token; before the body is read.
  [[nodiscard]] std::optional<Response> admit(Request const& request) const;
  /// Host and Origin alone: for what holds no data. A browser can't show a token before it has a page.
  [[nodiscard]] std::optional<Response> admit_page(Request const& request) const;

  /// POST /api/consumptions/ID/resolve {"as","note"}
  [[nodiscard]] core::Task<Response> resolve(Request const& request);
  /// POST /api/commands/pack-add {"appid","kind","units","usedBefore"?,"priceMicroYuan"?,"startsAt"?,
  /// "endsAt"?,"wxPkgId"?,"trial"?}; times are unix seconds
  [[nodiscard]] core::Task<Response> add_pack(Request const& request);
  /// POST /api/commands/pack-price {"pack","priceMicroYuan"}
  [[nodiscard]] core::Task<Response> price_pack(Request const& request);
  /// POST /api/commands/leak {"pack","units","note"}
  [[nodiscard]] core::Task<Response> book_leak(Request const& request);
  /// POST /api/commands/refund {"pack","units"?,"note"}; without units all that is left
  [[nodiscard]] core::Task<Response> book_refund(Request const& request);
  /// POST /api/commands/erase {"phoneKey"} or {"userKey"}: hex of the keyed digest, never the number
  [[nodiscard]] core::Task<Response> erase(Request const& request);
  /// POST /api/commands/backup {"file"}: an absolute path on the server's machine, where nothing is yet
  [[nodiscard]] core::Task<Response> back_up(Request const& request);
  /// POST /api/commands/key-rotate {"newKeyFile"?}: an absolute path on the server's machine, needed where
  /// the data key is configured; the key itself never travels
  [[nodiscard]] core::Task<Response> rotate_key(Request const& request);

 private:
  [[nodiscard]] Response refuse(Request const& request, core::ProblemCode code,
                                std::string_view reason) const;
  [[nodiscard]] core::Task<Response> administer(Request const& request, core::admin::Command command);
  [[nodiscard]] Response response_to(Request const& request, core::admin::Answer const& answer);

  core::LedgerAdmin& ledger_;
  core::LedgerUpkeep& upkeep_;
  core::Clock const& clock_;
  core::Log& log_;
  Gate gate_;
};

}  // namespace onetap::net

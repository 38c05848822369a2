#include "net/api/reconciliation.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <string>
#include <utility>

#include "net/api/body_reader.hpp"
#include "net/api/problem_response.hpp"
#include "net/query.hpp"

namespace onetap::net {
namespace {

using Kind = core::admin::Refusal::Kind;

core::Problem problem_of(core::admin::Refusal const& refusal) {
  if (refusal.kind == Kind::invalid)
    return {.code = core::ProblemCode::invalid_request, .field = refusal.sentence};
  return {.code = core::ProblemCode::storage_unavailable};
}

}  // namespace

core::Task<Response> ReconciliationApi::show(Request const& request) {
  auto const compared = co_await reconciliations_.compare(query_parameter(request.query, "day"));
  if (!compared) co_return problem_response(problem_of(compared.error()), request);
  co_return Response{.body = *compared};
}

core::Task<Response> ReconciliationApi::ask(Request const& request) {
  BodyReader body(request.body);
  bool const asks_only = body.flag("askOnly");
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  bool const asked = co_await reconciliations_.ask_wechat();
  std::string_view const done =
      asked ? "WeChat was asked just now: a figure with an older as_of has not changed since"
            : "WeChat gave no figures of now: its last ones are compared "
              "(usage_unavailable in the log says why)";
  std::string text = std::string(R"({"asked":)") + (asked ? "true" : "false") + R"(,"done":)" +
                     boost::json::serialize(boost::json::string(done));
  if (!asks_only) {
    auto const compared = co_await reconciliations_.compare({});
    if (!compared) co_return problem_response(problem_of(compared.error()), request);
    text += R"(,"packs":)" + *compared;
  }
  co_return Response{.body = text + "}"};
}

}  // namespace onetap::net

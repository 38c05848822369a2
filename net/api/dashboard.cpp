#include "net/api/dashboard.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "core/limits.hpp"
#include "net/api/operator.hpp"
#include "net/api/problem_response.hpp"
#include "net/query.hpp"

namespace onetap::net {
namespace {

constexpr std::string_view page_name = "index.html";

// Nothing comes from elsewhere, nothing is inline, nobody frames it.
constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view content_type_of(std::string_view path) {
  struct Type {
    std::string_view ending;
    std::string_view content_type;
  };
  constexpr std::array types{Type{.ending = ".html", .content_type = "text/html; charset=utf-8"},
                             Type{.ending = ".css", .content_type = "text/css; charset=utf-8"},
                             Type{.ending = ".js", .content_type = "text/javascript; charset=utf-8"},
                             Type{.ending = ".svg", .content_type = "image/svg+xml"}};
  auto const found =
      std::ranges::find_if(types, [path](Type const& type) { return path.ends_with(type.ending); });
  return found == types.end() ? "text/plain; charset=utf-8" : found->content_type;
}

Response file_response(core::EmbeddedFile const& file) {
  return {.content_type = std::string(content_type_of(file.path)),
          .headers = {{"Content-Security-Policy", std::string(content_security_policy)},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Cross-Origin-Resource-Policy", "same-origin"}},
          .body = std::string(file.text)};
}

/// What a question's query holds, and the first fault of it.
class Query {
 public:
  explicit Query(Request const& request)
      : appid_(query_parameter(request.query, "app")),
        kind_(query_parameter(request.query, "kind")),
        limit_(query_parameter(request.query, "limit")) {}

  [[nodiscard]] std::string const& appid() const { return appid_; }
  [[nodiscard]] std::optional<core::Kind> kind() const {
    if (kind_ == "quick") return core::Kind::quick;
    return kind_ == "realtime" ? std::optional(core::Kind::realtime) : std::nullopt;
  }
  [[nodiscard]] int rows_max() const {
    constexpr int usual = 50;
    if (limit_.empty()) return usual;
    int number = 0;
    auto const [end, error] = std::from_chars(limit_.data(), limit_.data() + limit_.size(), number);
    bool const good = error == std::errc() && end == limit_.data() + limit_.size();
    return good ? number : 0;
  }
  [[nodiscard]] std::string fault() const {
    if (!kind_.empty() && !kind()) return "kind must be quick or realtime";
    if (rows_max() < 1 || rows_max() > core::limits::report_rows_max) return "limit must be 1 to 200";
    return {};
  }

 private:
  std::string appid_;
  std::string kind_;
  std::string limit_;
};

Response query_fault(Request const& request, std::string fault) {
  return problem_response({.code = core::ProblemCode::invalid_request, .field = std::move(fault)}, request);
}

}  // namespace

DashboardApi::DashboardApi(core::OperatorReports& reports, LiveSource live,
                           std::span<core::EmbeddedFile const> files)
    : reports_(reports), live_(std::move(live)), files_(files) {
  paths_.reserve(files.size());
  for (core::EmbeddedFile const& each : files)
    paths_.push_back("/" + std::string(each.path == page_name ? "" : each.path));
}

core::Task<Response> DashboardApi::file(Request const& request) {
  auto const found = std::ranges::find(paths_, request.path);
  if (found == paths_.end()) co_return problem_response({.code = core::ProblemCode::not_found}, request);
  co_return file_response(files_[static_cast<std::size_t>(found - paths_.begin())]);
}

core::Task<Response> DashboardApi::live(Request const& /*request*/) { co_return Response{.body = live_()}; }

core::Task<Response> DashboardApi::summary(Request const& request) {
  co_return co_await read(request, {.about = core::ReportQuestion::About::summary});
}

core::Task<Response> DashboardApi::history(Request const& request) {
  Query const query(request);
  std::string fault = query.fault();
  if (fault.empty() && (query.appid().empty() || !query.kind())) fault = "app and kind are needed";
  if (!fault.empty()) co_return query_fault(request, std::move(fault));
  core::ReportQuestion question{
      .about = core::ReportQuestion::About::history, .appid = query.appid(), .kind = query.kind()};
  co_return co_await read(request, std::move(question));
}

core::Task<Response> DashboardApi::consumptions(Request const& request) {
  Query const query(request);
  if (std::string fault = query.fault(); !fault.empty()) co_return query_fault(request, std::move(fault));
  core::ReportQuestion question{.about = core::ReportQuestion::About::consumptions,
                                .appid = query.appid(),
                                .kind = query.kind(),
                                .rows_max = query.rows_max()};
  co_return co_await read(request, std::move(question));
}

core::Task<Response> DashboardApi::packs(Request const& request) {
  co_return co_await read(request, {.about = core::ReportQuestion::About::packs});
}

core::Task<Response> DashboardApi::read(Request const& request, core::ReportQuestion question) {
  auto answer = co_await reports_.answer(std::move(question));
  if (!answer) co_return refusal_of(answer.error(), request.request_id);
  co_return Response{.body = std::move(*answer)};
}

}  // namespace onetap::net

#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/embedded_file.hpp"
#include "core/operator_reports.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// The operators' page, and what it reads (contract, "Operator listener").
class DashboardApi {
 public:
  /// How the server is, as the text of a JSON object; from memory, since pages ask every few seconds.
  using LiveSource = std::function<std::string()>;

  /// `files` are the page's, by their path below the root; "index.html" is the page itself. `reports`
  /// outlives it.
  DashboardApi(core::OperatorReports& reports, LiveSource live, std::span<core::EmbeddedFile const> files);

  /// The paths that file() serves: they live as long as this does.
  [[nodiscard]] std::vector<std::string> const& paths() const { return paths_; }

  /// The page and what it consists of. Holds no data, so it is for whoever may speak to this listener at all;
  /// the page then asks for the token.
  [[nodiscard]] core::Task<Response> file(Request const& request);

  /// GET /api/live
  [[nodiscard]] core::Task<Response> live(Request const& request);
  /// GET /api/summary
  [[nodiscard]] core::Task<Response> summary(Request const& request);
  /// GET /api/history?app=APPID&kind=quick|realtime
  [[nodiscard]] core::Task<Response> history(Request const& request);
  /// GET /api/consumptions[?app=APPID][&kind=…][&limit=1…200]
  [[nodiscard]] core::Task<Response> consumptions(Request const& request);
  /// GET /api/packs
  [[nodiscard]] core::Task<Response> packs(Request const& request);

 private:
  [[nodiscard]] core::Task<Response> read(Request const& request, core::ReportQuestion question);

  core::OperatorReports& reports_;
  LiveSource live_;
  std::span<core::EmbeddedFile const> files_;
  std::vector<std::string> paths_;
};

}  // namespace onetap::net

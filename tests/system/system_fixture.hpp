#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <vector>

#include "app/scenario/caller.hpp"
#include "app/settings.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_folder.hpp"

namespace onetap::tests {

inline constexpr std::string_view test_referer =
    "https://servicewechat.com/wxaaaaaaaaaaaaaaaa/7/page-frame.html";

/// `onetap serve` as an operator runs it: a process of its own, on loopback, in a folder of its own.
class RunningServer {
 public:
  explicit RunningServer(TempFolder const& folder, std::vector<std::string> arguments = {},
                         std::vector<std::string> environment = {})
      : process_(ONETAP_BINARY, with_defaults(folder, std::move(arguments)), std::move(environment)) {
    operator_address_ = process_.await(R"("listener":"operator","address":")", '"');
    address_ = process_.await(R"("listener":"public","address":")", '"');
    ca_path_ = process_.await(R"("ca":")", '"');  // empty where the certificate is the operator's
  }

  [[nodiscard]] static std::vector<std::string> with_defaults(TempFolder const& folder,
                                                              std::vector<std::string> arguments) {
    std::vector<std::string> all{"serve", "--sandbox", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0",
                                 "--db=" + (folder / "ledger.db").string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }

  [[nodiscard]] Process& process() { return process_; }
  [[nodiscard]] std::string url() const { return "https://" + address_; }
  [[nodiscard]] std::string const& operator_address() const { return operator_address_; }
  [[nodiscard]] std::string const& ca_path() const { return ca_path_; }

  [[nodiscard]] app::Target target() const {
    auto const ca_pem = app::read_text_file(ca_path_);
    if (!ca_pem) throw std::runtime_error(ca_pem.error());
    return target_that_trusts(*ca_pem);
  }

  [[nodiscard]] app::Target target_that_trusts(std::string const& ca_pem) const {
    auto made = app::Target::make(url(), ca_pem);
    if (!made) throw std::runtime_error(made.error());
    return *made;
  }

 private:
  Process process_;
  std::string operator_address_;
  std::string address_;
  std::string ca_path_;
};

/// POST /phone/consume as a page sends it; an empty key sends none.
inline app::CallRequest consume_request(std::string const& code, std::string const& idempotency_key) {
  std::vector<std::pair<std::string, std::string>> headers{
      {"Host", "localhost"}, {"Referer", std::string(test_referer)}, {"Content-Type", "application/json"}};
  std::string const body = R"({"code":")" + code + R"("})";
  headers.emplace_back("Content-Length", std::to_string(body.size()));
  if (!idempotency_key.empty()) headers.emplace_back("Idempotency-Key", idempotency_key);
  return {.bytes = app::render_request("POST", "/phone/consume", headers, body)};
}

/// The first column of the first row, as text, through a connection of the test's own.
inline std::string ask_ledger(std::filesystem::path const& path, std::string const& sql) {
  sqlite3* opened = nullptr;
  int const status = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> const database(opened, sqlite3_close);
  if (status != SQLITE_OK) throw std::runtime_error("cannot open the ledger");
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(opened, sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(opened));
  }
  std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> const statement(prepared, sqlite3_finalize);
  if (sqlite3_step(prepared) != SQLITE_ROW) return {};
  auto const* text = reinterpret_cast<char const*>(sqlite3_column_text(prepared, 0));
  return text != nullptr ? text : "";
}

}  // namespace onetap::tests

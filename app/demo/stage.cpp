#include "app/demo/stage.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "app/sandbox/certificates.hpp"
#include "app/settings.hpp"

namespace onetap::app {
namespace {

namespace json = boost::json;

// The address in a "listening" line of that listener (contract, "Configuration"); none in other lines.
std::optional<std::string> address_in(std::string_view line, std::string_view listener) {
  boost::system::error_code failure;
  json::value const value = json::parse(line, failure);
  json::object const* const object = failure ? nullptr : value.if_object();
  if (object == nullptr) return std::nullopt;
  auto const text_of = [object](std::string_view name) {
    json::value const* const member = object->if_contains(name);
    return member != nullptr && member->is_string() ? std::string_view(member->get_string())
                                                    : std::string_view();
  };
  if (text_of("msg") != "listening" || text_of("listener") != listener) return std::nullopt;
  return std::string(text_of("address"));
}

std::string text_after(std::filesystem::path const& log, std::size_t offset) {
  auto text = read_text_file(log.string());
  return text && text->size() > offset ? text->substr(offset) : std::string();
}

std::string last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  auto const end = text.rfind('\n');
  return std::string(end == std::string_view::npos ? text : text.substr(end + 1));
}

// Ours without what would configure a server: the operator's own settings must not reach the demo's.
std::vector<std::string> neutral_environment() {
  std::vector<std::string> variables;
  for (auto const& [name, value] : environment_from(environ)) {
    bool const configures =
        name.starts_with("ONETAP_") || name.starts_with("APPID") || name.starts_with("SECRET");
    if (!configures) variables.push_back(name + "=" + value);
  }
  return variables;
}

bool write_file(std::filesystem::path const& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text << std::flush;
  return static_cast<bool>(file);
}

core::WallTime wall_now() { return std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now()); }

}  // namespace

core::Result<std::filesystem::path, std::string> Stage::make_folder() {
  using Made = core::Result<std::filesystem::path, std::string>;
  std::error_code error;
  std::filesystem::path const parent = std::filesystem::temp_directory_path(error);
  if (error) return Made(boost::system::in_place_error, "no temporary folder: " + error.message());
  std::string name = (parent / "onetap-demo-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    return Made(boost::system::in_place_error,
                "no folder in " + parent.string() + ": " + std::generic_category().message(errno));
  }
  return Made(boost::system::in_place_value, std::move(name));
}

Stage::~Stage() {
  server_process_.reset();
  sandbox_process_.reset();
  std::error_code ignored;
  if (!keeps_folder_) std::filesystem::remove_all(folder_, ignored);
}

std::string Stage::referer() {
  return "https://servicewechat.com/" + std::string(sandbox_appid) + "/12/page-frame.html";
}

std::optional<std::string> Stage::start() {
  if (auto const problem = make_certificate()) return problem;
  if (auto const problem = start_sandbox()) return problem;
  ledger_.emplace(database_path());
  return start_server();
}

std::optional<std::string> Stage::make_certificate() {
  core::WallTime const now = wall_now();
  ThrowawayAuthority const authority(throwaway_validity(now));
  CertificateWithKey const pair = authority.issue(ServerNames(), throwaway_validity(now));
  bool const is_written = write_file(ca_path(), authority.ca_pem()) &&
                          write_file(folder_ / "server.crt", pair.certificate_pem) &&
                          write_file(folder_ / "server.key", pair.key_pem) &&
                          ::chmod((folder_ / "server.key").c_str(), S_IRUSR | S_IWUSR) == 0;
  if (!is_written) return "cannot write into " + folder_.string();
  return std::nullopt;
}

std::optional<std::string> Stage::start_sandbox() {
  std::filesystem::path const log = folder_ / "sandbox.log";
  std::filesystem::path const ca = folder_ / "sandbox-ca.pem";
  auto process = ChildProcess::start({"sandbox", "--listen", "127.0.0.1:0", "--ca-out", ca.string()},
                                     neutral_environment(), log);
  if (!process) return process.error();
  sandbox_process_.emplace(std::move(*process));
  auto const address = wait_for_address(*sandbox_process_, log, 0, "sandbox");
  if (!address) return address.error();
  sandbox_url_ = "https://" + *address;
  auto const ca_pem = read_text_file(ca.string());
  if (!ca_pem) return ca.string() + ": " + ca_pem.error();
  auto target = Target::make(sandbox_url_, *ca_pem);
  if (!target) return target.error();
  wechat_.emplace(caller_, std::move(*target));
  return std::nullopt;
}

std::vector<std::string> Stage::server_environment() const {
  std::vector<std::string> variables = neutral_environment();
  auto const set = [&variables](std::string_view name, std::string const& value) {
    variables.push_back(std::string(name) + "=" + value);
  };
  set("APPID", std::string(sandbox_appid));
  set("SECRET", "00000000000000000000000000000000");  // any will do: the sandbox asks for none in particular
  set("ONETAP_WECHAT_URL", sandbox_url_);
  set("ONETAP_WECHAT_CA", (folder_ / "sandbox-ca.pem").string());
  set("ONETAP_TLS_CERT", (folder_ / "server.crt").string());
  set("ONETAP_TLS_KEY", (folder_ / "server.key").string());
  set("ONETAP_DB", database_path().string());
  set("ONETAP_VERIFY", "origin");
  return variables;
}

std::optional<std::string> Stage::start_server() {
  std::filesystem::path const log = folder_ / "server.log";
  std::size_t const written_before = text_after(log, 0).size();
  auto process = ChildProcess::start({"serve", "--listen", server_address_, "--admin-listen", "127.0.0.1:0"},
                                     server_environment(), log);
  if (!process) return process.error();
  server_process_.emplace(std::move(*process));
  auto const address = wait_for_address(*server_process_, log, written_before, "public");
  if (!address) return address.error();
  server_address_ = *address;
  server_url_ = "https://" + *address;
  auto const ca_pem = read_text_file(ca_path().string());
  if (!ca_pem) return ca_path().string() + ": " + ca_pem.error();
  auto target = Target::make(server_url_, *ca_pem);
  if (!target) return target.error();
  server_target_.emplace(std::move(*target));
  return std::nullopt;
}

void Stage::kill_server() {
  if (server_process_) server_process_->kill_now();
}

core::Result<std::string, std::string> Stage::wait_for_address(ChildProcess& process,
                                                               std::filesystem::path const& log,
                                                               std::size_t written_before,
                                                               std::string_view listener) {
  using Address = core::Result<std::string, std::string>;
  constexpr auto patience = std::chrono::seconds(20);
  constexpr core::milliseconds look_again{3};
  auto const deadline = std::chrono::steady_clock::now() + patience;
  std::string text;
  while (std::chrono::steady_clock::now() < deadline && !caller_.is_interrupted()) {
    bool const ended = process.has_ended();
    text = text_after(log, written_before);
    for (std::string_view rest = text; rest.find('\n') != std::string_view::npos;) {
      std::size_t const end = rest.find('\n');
      if (auto address = address_in(rest.substr(0, end), listener))
        return Address(boost::system::in_place_value, std::move(*address));
      rest.remove_prefix(end + 1);
    }
    if (ended) break;
    caller_.pause(look_again);
  }
  return Address(boost::system::in_place_error,
                 std::string(listener) + " does not come up: " + last_line(text));
}

}  // namespace onetap::app

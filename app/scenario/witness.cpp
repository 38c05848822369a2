#include "app/scenario/witness.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <functional>

#include "app/sandbox/wechat_state.hpp"
#include "core/crypto/digest.hpp"

namespace onetap::app {
namespace {

namespace json = boost::json;

constexpr int http_ok = 200;

core::Result<json::object, std::string> ask_journal(Caller& caller, Target const& sandbox,
                                                    std::string const& query) {
  using Journal = core::Result<json::object, std::string>;
  CallAnswer const answer = caller.call(
      sandbox, {.bytes = render_request("GET", sandbox.base_path + "/sandbox/journal?" + query,
                                        {{"Host", sandbox.authority}, {"Connection", "close"}}, {})});
  std::string const where = "the sandbox's journal: ";
  if (answer.status == 0) return Journal(boost::system::in_place_error, where + answer.failure);
  boost::system::error_code failure;
  json::value value = json::parse(answer.body, failure);
  if (answer.status != http_ok || failure || !value.is_object()) {
    return Journal(boost::system::in_place_error, where + "status " + std::to_string(answer.status));
  }
  return Journal(boost::system::in_place_value, std::move(value.as_object()));
}

std::int64_t integer_in(json::object const& object, std::string_view name) {
  json::value const* const member = object.if_contains(name);
  if (member == nullptr) return 0;
  boost::system::error_code failure;
  auto const number = member->to_number<std::int64_t>(failure);
  return failure ? 0 : number;
}

json::array array_in(json::object const& object, std::string_view name) {
  json::value const* const member = object.if_contains(name);
  return member != nullptr && member->is_array() ? member->get_array() : json::array();
}

template <class Value>
core::Result<Value, std::string> read(std::filesystem::path const& path,
                                      std::function<Value(storage::Reports&)> const& question) {
  using Answer = core::Result<Value, std::string>;
  auto reports = storage::Reports::open(path);
  if (!reports) return Answer(boost::system::in_place_error, reports.error());
  try {
    return Answer(boost::system::in_place_value, question(*reports));
  } catch (storage::SqliteError const& error) {
    return Answer(boost::system::in_place_error, "the ledger cannot be read: " + std::string(error.what()));
  }
}

std::int64_t integer_at(storage::Table const& table, std::string_view column) {
  storage::Value const value = table.at(0, column);
  auto const* const integer = std::get_if<std::int64_t>(&value);
  return integer == nullptr ? 0 : *integer;
}

}  // namespace

core::Result<CodeStory, std::string> WechatWitness::story_of(std::string_view code) {
  std::string const digest = core::crypto::to_hex(core::crypto::sha256(code));
  auto const journal = ask_journal(caller_, sandbox_, "codeDigest=" + digest + "&limit=1000");
  if (!journal) return {boost::system::in_place_error, journal.error()};
  CodeStory story;
  for (json::value const& counts : array_in(*journal, "codes")) {
    if (!counts.is_object()) continue;
    story.calls += integer_in(counts.get_object(), "calls");
    story.numbers += integer_in(counts.get_object(), "numbers");
  }
  for (json::value const& call : array_in(*journal, "calls")) {
    if (!call.is_object()) continue;
    bool const said = call.get_object().contains("errcode");
    story.errcodes.push_back(said ? std::optional(integer_in(call.get_object(), "errcode")) : std::nullopt);
  }
  return {boost::system::in_place_value, std::move(story)};
}

core::Result<WechatTotals, std::string> WechatWitness::totals() {
  auto const journal = ask_journal(caller_, sandbox_, "limit=0");
  if (!journal) return {boost::system::in_place_error, journal.error()};
  WechatTotals totals;
  json::value const* const paths = journal->if_contains("callsByPath");
  if (paths != nullptr && paths->is_object()) {
    totals.number_calls = integer_in(paths->get_object(), phone_number_path);
    totals.token_calls =
        integer_in(paths->get_object(), stable_token_path) + integer_in(paths->get_object(), token_path);
  }
  return {boost::system::in_place_value, totals};
}

std::optional<std::string> WechatWitness::control(std::string_view path, std::string_view body) {
  CallAnswer const answer =
      caller_.call(sandbox_, {.bytes = render_request("POST", sandbox_.base_path + std::string(path),
                                                      {{"Host", sandbox_.authority},
                                                       {"Content-Type", "application/json"},
                                                       {"Content-Length", std::to_string(body.size())},
                                                       {"Connection", "close"}},
                                                      body)});
  if (answer.status == http_ok) return std::nullopt;
  return "the sandbox's " + std::string(path) + ": " +
         (answer.status == 0 ? answer.failure : "status " + std::to_string(answer.status));
}

core::Result<storage::Table, std::string> LedgerWitness::rows_of_request(std::string_view request_id) const {
  return read<storage::Table>(path_, [request_id](storage::Reports& reports) {
    return reports.named("consumptions_of_request", {request_id});
  });
}

core::Result<LedgerTotals, std::string> LedgerWitness::totals() const {
  auto const table = query(
      "SELECT count(*) AS row_count, coalesce(sum(attempts), 0) AS attempts, "
      "count(*) FILTER (WHERE state = 'ok') AS ok FROM v_consumptions");
  if (!table) return {boost::system::in_place_error, table.error()};
  return LedgerTotals{.rows = integer_at(*table, "row_count"),
                      .attempts = integer_at(*table, "attempts"),
                      .ok = integer_at(*table, "ok")};
}

core::Result<storage::Table, std::string> LedgerWitness::query(std::string_view sql) const {
  return read<storage::Table>(path_, [sql](storage::Reports& reports) { return reports.query(sql, {}); });
}

core::Result<storage::Table, std::string> LedgerWitness::daily() const {
  return read<storage::Table>(path_, [](storage::Reports& reports) {
    return reports.named("daily", {std::string_view(), std::string_view()});
  });
}

core::Result<storage::Verification, std::string> LedgerWitness::verify() const {
  return read<storage::Verification>(path_, [](storage::Reports& reports) { return reports.verify(true); });
}

}  // namespace onetap::app

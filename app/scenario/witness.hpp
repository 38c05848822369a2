#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/scenario/caller.hpp"
#include "core/result.hpp"
#include "storage/reports.hpp"

namespace onetap::app {

/// What the sandbox's journal knows of one code.
struct CodeStory {
  std::int64_t calls = 0;
  std::int64_t numbers = 0;
  std::vector<std::optional<std::int64_t>> errcodes;  // one a call; none: the call got no errcode
};

struct WechatTotals {
  std::int64_t number_calls = 0;  // of getuserphonenumber
  std::int64_t token_calls = 0;   // of stable_token and token

  bool operator==(WechatTotals const&) const = default;
};

/// Asks the sandbox's journal: what WeChat saw, whatever the server says. Sentences where it can't be had.
class WechatWitness {
 public:
  WechatWitness(Caller& caller, Target sandbox) : caller_(caller), sandbox_(std::move(sandbox)) {}

  [[nodiscard]] core::Result<CodeStory, std::string> story_of(std::string_view code);
  [[nodiscard]] core::Result<WechatTotals, std::string> totals();

  /// POST to the sandbox's control surface, e.g. "/sandbox/token/expire"; a sentence when it is refused.
  [[nodiscard]] std::optional<std::string> control(std::string_view path, std::string_view body);

 private:
  Caller& caller_;
  Target sandbox_;
};

/// Rows, attempts and numbers of a ledger: the same figures mean that nothing was written.
struct LedgerTotals {
  std::int64_t rows = 0;
  std::int64_t attempts = 0;
  std::int64_t ok = 0;

  bool operator==(LedgerTotals const&) const = default;
};

/// Reads the ledger that the server writes. Opens it anew for each question, so that it survives whatever
/// the server does. Sentences where it can't be read.
class LedgerWitness {
 public:
  explicit LedgerWitness(std::filesystem::path path) : path_(std::move(path)) {}

  [[nodiscard]] core::Result<storage::Table, std::string> rows_of_request(std::string_view request_id) const;
  [[nodiscard]] core::Result<LedgerTotals, std::string> totals() const;
  [[nodiscard]] core::Result<storage::Table, std::string> query(std::string_view sql) const;
  [[nodiscard]] core::Result<storage::Table, std::string> daily() const;
  [[nodiscard]] core::Result<storage::Verification, std::string> verify() const;

 private:
  std::filesystem::path path_;
};

}  // namespace onetap::app

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "app/sandbox/bounded_map.hpp"
#include "core/clock.hpp"

namespace onetap::app {

/// One call as the stand-in saw it. Holds no code, number, token or secret.
struct JournalEntry {
  core::WallTime at;
  std::string method;
  std::string path;
  bool has_content_length = false;
  int status = 200;
  std::optional<int> errcode;    // none when the answer had none, or there was no answer
  std::string_view test_code;    // its line in the table of test codes; empty for any other code
  std::string code_digest;       // lower-case hex SHA-256 of the code; empty without one
  bool produced_number = false;  // a number was found for the code, whatever became of the answer
};

struct CodeCounts {
  std::uint64_t calls = 0;    // of getuserphonenumber with this code
  std::uint64_t numbers = 0;  // how often a number was produced: never more than once
};

/// WeChat's side of the story, kept apart from what the stand-in decides: the independent witness of the
/// tests. The last calls and the last codes are kept, the totals are of all.
class Journal {
 public:
  Journal();

  /// `entry` counts for its code when it asked for a number.
  void add(JournalEntry entry, bool asked_for_number);
  void clear();

  [[nodiscard]] std::deque<JournalEntry> const& calls() const { return calls_; }
  [[nodiscard]] CodeCounts counts_of(std::string const& code_digest) const;
  [[nodiscard]] std::uint64_t total_calls() const { return total_calls_; }
  [[nodiscard]] std::uint64_t total_numbers() const { return total_numbers_; }

  /// {"totalCalls","totalNumbers","callsPerCodeMax","numbersPerCodeMax","withoutContentLength",
  ///  "callsByPath":{…},"calls":[…],"codes":[{"codeDigest","calls","numbers"}]}: the last `limit` calls and
  /// codes, oldest first, or only those of `code_digest`.
  [[nodiscard]] std::string as_json(std::string const& code_digest, std::size_t limit) const;

 private:
  std::deque<JournalEntry> calls_;
  BoundedMap<CodeCounts> codes_;
  BoundedMap<std::uint64_t> calls_by_path_;
  std::uint64_t total_calls_ = 0;
  std::uint64_t total_numbers_ = 0;
  std::uint64_t without_content_length_ = 0;
  CodeCounts worst_;  // the highest count of any code
};

}  // namespace onetap::app

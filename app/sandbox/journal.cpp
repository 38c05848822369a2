#include "app/sandbox/journal.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace onetap::app {

namespace json = boost::json;

namespace {

constexpr std::size_t calls_max = 10'000;
constexpr std::size_t codes_max = 200'000;
constexpr std::size_t paths_max = 32;

json::object as_object(JournalEntry const& entry) {
  json::object object;
  object["at"] = core::unix_ms(entry.at);
  object["method"] = entry.method;
  object["path"] = entry.path;
  object["contentLength"] = entry.has_content_length;
  object["status"] = entry.status;
  if (entry.errcode) object["errcode"] = *entry.errcode;
  if (!entry.test_code.empty()) object["testCode"] = entry.test_code;
  if (!entry.code_digest.empty()) object["codeDigest"] = entry.code_digest;
  object["producedNumber"] = entry.produced_number;
  return object;
}

json::object as_object(std::string const& code_digest, CodeCounts const& counts) {
  json::object object;
  object["codeDigest"] = code_digest;
  object["calls"] = counts.calls;
  object["numbers"] = counts.numbers;
  return object;
}

}  // namespace

Journal::Journal() : codes_(codes_max), calls_by_path_(paths_max) {}

void Journal::add(JournalEntry entry, bool asked_for_number) {
  ++total_calls_;
  ++calls_by_path_.at(entry.path);
  if (!entry.has_content_length) ++without_content_length_;
  if (entry.produced_number) ++total_numbers_;
  if (asked_for_number && !entry.code_digest.empty()) {
    CodeCounts& counts = codes_.at(entry.code_digest);
    ++counts.calls;
    if (entry.produced_number) ++counts.numbers;
    worst_.calls = std::max(worst_.calls, counts.calls);
    worst_.numbers = std::max(worst_.numbers, counts.numbers);
  }
  calls_.push_back(std::move(entry));
  if (calls_.size() > calls_max) calls_.pop_front();
}

void Journal::clear() { *this = Journal(); }

CodeCounts Journal::counts_of(std::string const& code_digest) const {
  CodeCounts const* const counts = codes_.find(code_digest);
  return counts == nullptr ? CodeCounts{} : *counts;
}

std::string Journal::as_json(std::string const& code_digest, std::size_t limit) const {
  json::array calls;
  for (auto entry = calls_.rbegin(); entry != calls_.rend() && calls.size() < limit; ++entry) {
    if (code_digest.empty() || entry->code_digest == code_digest) calls.push_back(as_object(*entry));
  }
  std::ranges::reverse(calls);

  json::array codes;
  if (code_digest.empty()) {
    auto const& keys = codes_.keys();
    std::size_t const shown = std::min(limit, keys.size());
    for (std::size_t i = keys.size() - shown; i < keys.size(); ++i) {
      codes.push_back(as_object(keys[i], counts_of(keys[i])));
    }
  } else {
    codes.push_back(as_object(code_digest, counts_of(code_digest)));
  }

  json::object paths;
  for (std::string const& path : calls_by_path_.keys()) paths[path] = *calls_by_path_.find(path);

  json::object object;
  object["totalCalls"] = total_calls_;
  object["totalNumbers"] = total_numbers_;
  object["callsPerCodeMax"] = worst_.calls;
  object["numbersPerCodeMax"] = worst_.numbers;
  object["withoutContentLength"] = without_content_length_;
  object["callsByPath"] = std::move(paths);
  object["calls"] = std::move(calls);
  object["codes"] = std::move(codes);
  return json::serialize(object);
}

}  // namespace onetap::app

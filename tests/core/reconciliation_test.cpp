#include "core/billing/reconciliation.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

namespace onetap::core::reconciliation {
namespace {

/// A pack of 1,000 units that WeChat counts as used, and that we have booked.
Figures pack(std::int64_t wx_used, std::int64_t used, std::int64_t doubt = 0, std::int64_t young = 0) {
  Figures figures;
  figures.pack = 1;
  figures.units = 1000;
  figures.wx_all = 1000;
  figures.wx_used = wx_used;
  figures.used = used;
  figures.doubt = doubt;
  figures.young = young;
  return figures;
}

/// "VERDICT cause+units … ?unexplained; …"
std::string told(Books const& books) {
  std::string text;
  for (Finding const& finding : explain(books)) {
    text += text.empty() ? "" : "; ";
    text += to_string(finding.verdict);
    for (Line const& line : finding.lines) {
      text += " " + std::string(to_string(line.cause)) + (line.units > 0 ? "+" : "");
      text += std::to_string(line.units);
    }
    if (finding.unexplained != 0) text += " ?" + std::to_string(finding.unexplained);
  }
  return text;
}
std::string told(std::vector<Figures> packs) { return told(Books{.packs = std::move(packs)}); }

}  // namespace

TEST_CASE("equal counts agree; what was used before the ledger, and what is lost, counts") {
  CHECK(told({pack(7, 7)}) == "AGREES");
  Figures figures = pack(17, 10);
  figures.used_before = 4;
  figures.lost = 3;
  CHECK(told({figures}) == "AGREES");
}

TEST_CASE("doubt explains as much as there is of it, and is told where it explains nothing yet") {
  CHECK(told({pack(7, 7, 2)}) == "EXPLAINED_BY_DOUBT");
  CHECK(told({pack(8, 7, 2)}) == "EXPLAINED_BY_DOUBT doubt+1");
  CHECK(told({pack(9, 7, 2)}) == "EXPLAINED_BY_DOUBT doubt+2");
  CHECK(told({pack(10, 7, 2)}) == "WECHAT_COUNTS_MORE doubt+2 ?1");
}

TEST_CASE("codes of the last minutes may be in WeChat's figures later, no others") {
  CHECK(told({pack(4, 7, 0, 3)}) == "EXPLAINED_BY_LAG lag-3");
  CHECK(told({pack(5, 7, 0, 3)}) == "EXPLAINED_BY_LAG lag-2");
  CHECK(told({pack(3, 7, 0, 3)}) == "WE_COUNT_MORE lag-3 ?-1");
}

TEST_CASE("of a day, codes of just before it may be counted in it") {
  Figures figures = pack(9, 7);
  figures.young_at_start = 2;
  CHECK(told({figures}) == "EXPLAINED_BY_LAG lag+2");
}

TEST_CASE("units that WeChat burnt from one pack and we booked on another are a shift, and no error") {
  CHECK(told({pack(10, 9), pack(3, 4)}) == "EXPLAINED_BY_SHIFT shift+1; EXPLAINED_BY_SHIFT shift-1");
  CHECK(told({pack(10, 9), pack(6, 6), pack(3, 4)}) ==
        "EXPLAINED_BY_SHIFT shift+1; AGREES; EXPLAINED_BY_SHIFT shift-1");
  // What is left stays with the pack that burnt last.
  CHECK(told({pack(10, 9), pack(6, 4), pack(3, 4)}) ==
        "EXPLAINED_BY_SHIFT shift+1; WECHAT_COUNTS_MORE ?2; EXPLAINED_BY_SHIFT shift-1");
  CHECK(told({pack(10, 9), pack(3, 6)}) == "EXPLAINED_BY_SHIFT shift+1; WE_COUNT_MORE shift-1 ?-2");
}

TEST_CASE("a code in doubt that was booked on one pack may have been burnt from its neighbour") {
  CHECK(told({pack(10, 9), pack(3, 3, 1)}) ==
        "EXPLAINED_BY_SHIFT shift+1; EXPLAINED_BY_SHIFT doubt+1 shift-1");
}

TEST_CASE("a young code that WeChat does not count yet may be another pack's") {
  CHECK(told({pack(8, 9), pack(3, 3, 0, 1)}) ==
        "EXPLAINED_BY_SHIFT shift-1; EXPLAINED_BY_SHIFT lag-1 shift+1");
}

TEST_CASE("a young code is a shift, and not in no figure yet, where WeChat counts it of another pack") {
  CHECK(told({pack(4, 5, 0, 1), pack(1, 0)}) == "EXPLAINED_BY_SHIFT shift-1; EXPLAINED_BY_SHIFT shift+1");
}

TEST_CASE("units of packs that WeChat does not name were burnt from those that it does") {
  CHECK(told(Books{.packs = {pack(10, 8)}, .elsewhere = 2}) == "EXPLAINED_BY_SHIFT shift+2");
  CHECK(told(Books{.packs = {pack(10, 8)}, .elsewhere = 1}) == "WECHAT_COUNTS_MORE shift+1 ?1");
  CHECK(told(Books{.packs = {pack(10, 10)}, .elsewhere = 5}) == "AGREES");
}

TEST_CASE("what WeChat charged for nothing is told with what is known of it, once each") {
  Figures first = pack(20, 10, 1);
  first.in_gaps = 2;
  first.leaked_since = 1;
  Books const books{.packs = {first, pack(6, 5)}, .never_presented = 4, .rejected = 2};
  CHECK(told(books) ==
        "WECHAT_COUNTS_MORE doubt+1 leak+1 gap+2 never_presented+4 rejected+2; WECHAT_COUNTS_MORE ?1");
  CHECK(told(Books{.packs = {pack(6, 5)}, .never_presented = 9}) == "WECHAT_COUNTS_MORE never_presented+1");
}

TEST_CASE("a pack of another size comes first, and is never settled") {
  Figures figures = pack(7, 7);
  figures.wx_all = 999;
  std::vector<Finding> const findings = explain({.packs = {figures}});
  CHECK(findings.front().verdict == Verdict::size_mismatch);
  CHECK_FALSE(findings.front().is_settled());
}

TEST_CASE(
    "lines and what is left are the whole difference, and shifts are other packs', whatever the figures") {
  std::mt19937 random(4711);
  auto const up_to = [&](int most) { return std::uniform_int_distribution<std::int64_t>(0, most)(random); };
  for (int round = 0; round < 20'000; ++round) {
    CAPTURE(round);
    Books books{.elsewhere = up_to(2), .never_presented = up_to(3), .rejected = up_to(3)};
    for (std::int64_t packs = 1 + up_to(3); packs > 0; --packs) {
      books.packs.push_back(pack(up_to(12), up_to(12), up_to(3), up_to(3)));
      books.packs.back().young_at_start = up_to(2);
      books.packs.back().in_gaps = up_to(2);
    }
    std::int64_t shifted = 0;
    std::int64_t drift = 0;
    std::int64_t doubt = 0;
    std::int64_t young = 0;
    bool has_more = false;
    bool has_less = false;
    for (Finding const& finding : explain(books)) {
      std::int64_t sum = finding.unexplained;
      for (Line const& line : finding.lines) {
        sum += line.units;
        if (line.cause == Cause::shift) shifted += line.units;
        if (line.cause == Cause::doubt) CHECK(line.units <= finding.figures.doubt);
        if (line.cause == Cause::lag) CHECK(-line.units <= finding.figures.young);
        if (line.cause == Cause::lag) CHECK(line.units <= finding.figures.young_at_start);
      }
      CHECK(sum == finding.figures.drift());
      drift += finding.figures.drift();
      doubt += finding.figures.doubt + finding.figures.young_at_start;
      young += finding.figures.young;
      has_more = has_more || finding.unexplained > 0;
      has_less = has_less || finding.unexplained < 0;
    }
    CHECK(shifted >= 0);
    CHECK(shifted <= books.elsewhere);
    CHECK_FALSE((has_more && has_less));
    if (drift >= -young && drift <= doubt) CHECK_FALSE((has_more || has_less));
  }
}

}  // namespace onetap::core::reconciliation

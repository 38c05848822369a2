#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "app/commands/report_output.hpp"
#include "app/doctor/ledger_checks.hpp"
#include "app/doctor/listener_checks.hpp"
#include "app/doctor/machine_checks.hpp"
#include "app/doctor/report.hpp"
#include "app/doctor/wechat_judgement.hpp"
#include "core/limits.hpp"
#include "storage/migrate.hpp"

using namespace onetap;
using namespace onetap::app;
using namespace std::chrono_literals;

namespace {

core::WallTime const now(1'795'334'400s);

core::WeChatReply said(std::string body) {
  return {.delivery = core::Delivery::answered, .http_status = 200, .body = std::move(body)};
}

core::WeChatReply lost() {
  return {.delivery = core::Delivery::maybe_sent,
          .failure = core::TransportFailure::timeout,
          .failure_detail = "too slow"};
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Of several, the one of this check.
Finding of_check(Findings const& findings, std::string_view check) {
  auto const found = std::ranges::find(findings, check, &Finding::check);
  REQUIRE(found != findings.end());
  return *found;
}

Finding permission_after(std::string const& body) {
  return judge_permission(core::judge_phone_answer(said(body), "wx1111111111111111", now));
}

LineSeen good_line(core::seconds left) {
  return {.host = "api.weixin.qq.com",
          .tls_version = "TLSv1.3",
          .certificate =
              net::CertificateFacts{.names = {"api.weixin.qq.com"}, .from = now - 24h, .until = now + left}};
}

LineSeen failed_line(core::TransportFailure failure, std::string detail) {
  return {.host = "api.weixin.qq.com", .failure = failure, .failure_detail = std::move(detail)};
}

}  // namespace

TEST_CASE("the exit status is that of the worst finding, and what was left out does not count") {
  Findings findings{left_out("a", "why")};
  CHECK(exit_status_of(findings) == 0);
  findings.push_back(found_well("b", "good"));
  CHECK(exit_status_of(findings) == 0);
  findings.push_back(found_odd("c", "odd", "do this"));
  CHECK(exit_status_of(findings) == 1);
  findings.push_back(found_wrong("d", "wrong", "do that"));
  CHECK(exit_status_of(findings) == 2);
  findings.push_back(found_odd("e", "odd", "do this"));
  CHECK(exit_status_of(findings) == 2);
}

TEST_CASE("as JSON each finding is an object, and names an app where it is about one") {
  Finding about_app = found_wrong("secret", "is \"wrong\"", "copy it");
  about_app.app = "wx1";
  Findings const findings{found_well("disk-space", "room"), about_app};
  boost::json::value const parsed = boost::json::parse(findings_as_json(findings));
  REQUIRE(parsed.as_array().size() == 2);
  CHECK(parsed.at(0).at("check").as_string() == "disk-space");
  CHECK(parsed.at(0).at("status").as_string() == "ok");
  CHECK_FALSE(parsed.at(0).as_object().contains("app"));
  CHECK(parsed.at(1).at("app").as_string() == "wx1");
  CHECK(parsed.at(1).at("status").as_string() == "failed");
  CHECK(parsed.at(1).at("what").as_string() == "is \"wrong\"");
  CHECK(parsed.at(1).at("advice").as_string() == "copy it");
  CHECK(boost::json::parse(findings_as_json({})).as_array().empty());
}

TEST_CASE("for people no line is wider than 100 columns, what to do stands below, and a summary ends it") {
  std::string sentence = "它";
  while (sentence.size() < 400) sentence += " words 和字";
  Findings const findings{found_well("short", "good"), found_wrong("a-long-name", sentence, sentence)};
  std::string const text = render_findings(findings, Painter(false));
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t const end = text.find('\n', begin);
    CHECK(display_width(text.substr(begin, end - begin)) <= 100);
    begin = end + 1;
  }
  CHECK(text.starts_with("ok       short        good\nfailed   a-long-name  它 words"));
  CHECK(contains(text, "\n                      → 它 words"));
  CHECK(text.ends_with("\n1 ok, 1 failed\n"));
  CHECK_FALSE(contains(text, "\033"));
  CHECK(contains(render_findings(findings, Painter(true)), "\033[31mfailed"));
}

TEST_CASE("what a terminal must not be told does not reach it") {
  CHECK_FALSE(
      contains(render_findings(Findings{found_odd("a", "x\033[2Jy", "z\a")}, Painter(false)), "\033"));
}

TEST_CASE("nor do controls of eight bits, of the direction of text, or bytes that are no character") {
  CHECK(printable("a\x1b[0m\x7f\t") == "a?[0m??");
  CHECK(printable("\xC2\x80\xC2\x9F\xC2\xA0") == "??\xC2\xA0");
  CHECK(printable("\xE2\x80\xAA\xE2\x80\xAE\xE2\x81\xA6\xE2\x81\xA9") == "????");
  CHECK(printable("\xE2\x80\xA9 \xE2\x80\xAF \xE2\x81\xA5") == "\xE2\x80\xA9 \xE2\x80\xAF \xE2\x81\xA5");
  CHECK(printable("\x9b[2J") == "\xEF\xBF\xBD[2J");
  CHECK(printable("微信 → \xF0\x9F\x98\x80") == "微信 → \xF0\x9F\x98\x80");
}

TEST_CASE("bytes that are no character: too long, a surrogate, beyond the last, cut off") {
  constexpr std::string_view replaced = "\xEF\xBF\xBD";
  auto const count = [replaced](std::string const& text) {
    std::string const valid = valid_utf8(text);
    CHECK(valid.size() % replaced.size() == 0);
    return valid.size() / replaced.size();
  };
  CHECK(count("\xC0\xAF") == 2);
  CHECK(count("\xE0\x80\x80") == 3);
  CHECK(count("\xED\xA0\x80") == 3);
  CHECK(count("\xF4\x90\x80\x80") == 4);
  CHECK(count("\xF0\x9F\x98") == 3);
  CHECK(valid_utf8("ok \xED\x9F\xBF") == "ok \xED\x9F\xBF");
}

TEST_CASE("what is no UTF-8 does not break the JSON") {
  Findings const findings{found_odd("a", "path \xff\xfe", "chmod \xe4\xb8")};
  std::string const text = findings_as_json(findings);
  CHECK(contains(text, "path \xEF\xBF\xBD\xEF\xBF\xBD\""));
  CHECK(boost::json::parse(text).at(0).at("advice").as_string() == "chmod \xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("with several mini programs each line names its own") {
  Finding one = found_well("secret", "good");
  one.app = "wx1";
  Finding two = one;
  CHECK_FALSE(contains(render_findings(Findings{one, two}, Painter(false)), "wx1"));
  two.app = "wx2";
  std::string const text = render_findings(Findings{one, two, found_well("disk", "good")}, Painter(false));
  CHECK(text == "ok       secret wx1  good\nok       secret wx2  good\nok       disk        good\n3 ok\n");
}

TEST_CASE("a connection: host, version of TLS, and the days that its certificate is good for") {
  Finding const good = judge_line(good_line(30 * 24h + 1h), now);
  CHECK(good.status == FindingStatus::ok);
  CHECK(good.what == "api.weixin.qq.com: TLSv1.3, its certificate is good for 30 days");
  CHECK(judge_line(good_line(24h), now).status == FindingStatus::ok);  // WeChat's to renew
}

TEST_CASE("no connection: what to do is by cause, and a fallback that fails is a warning only") {
  using core::TransportFailure;
  Finding const unknown_ca =
      judge_line(failed_line(TransportFailure::tls, "x: unable to get local issuer certificate"), now);
  CHECK(unknown_ca.status == FindingStatus::failed);
  CHECK(contains(unknown_ca.advice, "ONETAP_WECHAT_CA"));
  CHECK(contains(judge_line(failed_line(TransportFailure::tls, "certificate has expired"), now).advice,
                 "clock"));
  CHECK(contains(judge_line(failed_line(TransportFailure::tls, "hostname mismatch"), now).advice,
                 "ONETAP_WECHAT_URL"));
  CHECK(contains(judge_line(failed_line(TransportFailure::resolve, "no such host"), now).advice,
                 "resolv.conf"));
  CHECK(contains(judge_line(failed_line(TransportFailure::connect, "refused"), now).advice,
                 "ONETAP_WECHAT_PROXY"));
  LineSeen by_proxy = failed_line(TransportFailure::connect, "407");
  by_proxy.by_proxy = true;
  CHECK(contains(judge_line(by_proxy, now).advice, "the proxy runs"));
  LineSeen fallback = failed_line(TransportFailure::timeout, "silent");
  fallback.is_first = false;
  CHECK(judge_line(fallback, now).status == FindingStatus::warning);
}

TEST_CASE("the clock alarms at two minutes and fails at five, whichever way it is off") {
  CHECK(judge_clock(std::nullopt).status == FindingStatus::skipped);
  CHECK(judge_clock(0s).status == FindingStatus::ok);
  CHECK(judge_clock(119s).status == FindingStatus::ok);
  CHECK(judge_clock(120s).status == FindingStatus::warning);
  CHECK(judge_clock(-299s).status == FindingStatus::warning);
  CHECK(judge_clock(300s).status == FindingStatus::failed);
  CHECK(contains(judge_clock(300s).what, "300 s behind"));
  CHECK(judge_clock(-300s).status == FindingStatus::failed);
  CHECK(contains(judge_clock(-300s).what, "300 s ahead of"));
}

TEST_CASE("a token says that appid, secret and address are right") {
  Findings const findings =
      judge_token_of_wechat(core::judge_token_answer(said(R"({"access_token":"T","expires_in":7200})")));
  CHECK(of_check(findings, "secret").status == FindingStatus::ok);
  CHECK(of_check(findings, "white-list").status == FindingStatus::ok);
}

TEST_CASE("40164 names the address as WeChat sees it, and leaves the secret open") {
  Findings const findings = judge_token_of_wechat(core::judge_token_answer(
      said(R"({"errcode":40164,"errmsg":"invalid ip 47.102.104.75 ipv6 ::ffff:47.102.104.75, not in )"
           R"(whitelist rid: 62831769-71ffe766-3e1d7c49"})")));
  Finding const address = of_check(findings, "white-list");
  CHECK(address.status == FindingStatus::failed);
  CHECK(contains(address.what, std::string(core::rule_for(40164)->hint)));
  CHECK(address.advice.starts_with("put 47.102.104.75 on the IP white list"));
  CHECK(of_check(findings, "secret").status == FindingStatus::skipped);
}

TEST_CASE(
    "a wrong secret fails, with the words of the errcode's own rule; what passes by itself is a warning") {
  Findings const wrong = judge_token_of_wechat(
      core::judge_token_answer(said(R"({"errcode":40125,"errmsg":"invalid appsecret, rid: 66b5fb8f-1-1"})")));
  CHECK(of_check(wrong, "secret").status == FindingStatus::failed);
  CHECK(of_check(wrong, "secret").what == std::string(core::rule_for(40125)->hint) + " (errcode 40125)");
  CHECK(contains(of_check(wrong, "secret").advice, "mp.weixin.qq.com"));
  CHECK(of_check(wrong, "white-list").status == FindingStatus::skipped);
  Findings const busy =
      judge_token_of_wechat(core::judge_token_answer(said(R"({"errcode":-1,"errmsg":"system error"})")));
  CHECK(of_check(busy, "secret").status == FindingStatus::warning);
  CHECK(of_check(busy, "secret").what == "WeChat is busy (errcode -1)");
  CHECK(of_check(judge_token_of_wechat(core::judge_token_answer(lost())), "secret").status ==
        FindingStatus::failed);
}

TEST_CASE("every errcode that means a misconfiguration has advice of its own") {
  for (core::ErrcodeRule const& rule : core::errcode_rules()) {
    if (rule.verdict != core::Verdict::misconfigured) continue;
    CAPTURE(rule.errcode);
    core::Answer answer{.verdict = rule.verdict, .errcode = rule.errcode, .hint = std::string(rule.hint)};
    Finding const finding = judge_permission(answer);
    CHECK(finding.status == FindingStatus::failed);
    CHECK(contains(finding.what, rule.hint));
    CHECK_FALSE(contains(finding.advice, "documentation"));
  }
}

TEST_CASE("whether codes may be exchanged is seen from how WeChat refuses one that nobody has") {
  CHECK(permission_after(R"({"errcode":40029,"errmsg":"invalid code"})").status == FindingStatus::ok);
  Finding const unauthorized = permission_after(R"({"errcode":48001,"errmsg":"api unauthorized"})");
  CHECK(unauthorized.status == FindingStatus::failed);
  CHECK(contains(unauthorized.advice, "permission set 18"));
  CHECK(permission_after(R"({"errcode":45011,"errmsg":"slower"})").status == FindingStatus::warning);
  CHECK(permission_after(R"({"errcode":42001,"errmsg":"expired"})").status == FindingStatus::failed);
  CHECK(permission_after(R"({"errcode":99999,"errmsg":"?"})").status == FindingStatus::warning);
  CHECK_FALSE(contains(permission_after(R"({"errcode":99999,"errmsg":"?"})").what, "in doubt"));
  Finding const used_up = permission_after(R"({"errcode":1400001,"errmsg":"?"})");
  CHECK(used_up.status == FindingStatus::failed);
  CHECK(contains(used_up.what, "the button fails now"));
  CHECK(contains(used_up.advice, "resource pack"));
}

TEST_CASE("an answer without an errcode, or of somebody else, does not send to a check that was well") {
  for (char const* const body :
       {"<html>please log in</html>", "{}", R"({"errcode":0,"phone_info":{"watermark":{"appid":"wx2"}}})"}) {
    Finding const finding = permission_after(body);
    CAPTURE(finding.what);
    CHECK(finding.status == FindingStatus::warning);
    CHECK_FALSE(finding.what.empty());
    CHECK_FALSE(contains(finding.advice, "wechat-tls"));
    CHECK(contains(finding.advice, "captive portal"));
  }
  CHECK_FALSE(contains(judge_call_quota(lost()).advice, "wechat-tls"));
}

TEST_CASE("a token that was good and is refused is not the secret's fault") {
  Finding const quota = judge_call_quota(said(R"({"errcode":40001,"errmsg":"invalid credential"})"));
  CHECK(quota.status == FindingStatus::warning);
  CHECK_FALSE(contains(quota.advice, "AppSecret"));
  CHECK(contains(quota.advice, "ask again"));
  CHECK(contains(judge_usage(said(R"({"errcode":42001})"), core::Kind::quick, 10'000'077).advice,
                 "who else fetches"));
}

TEST_CASE("the call quota: no limit named, much left, little left, none") {
  auto const with = [](std::string const& quota) {
    return judge_call_quota(said(R"({"errcode":0,"errmsg":"ok","quota":)" + quota + "}"));
  };
  CHECK(with(R"({"daily_limit":0,"used":0,"remain":0})").status == FindingStatus::ok);
  Finding const much = with(R"({"daily_limit":1000000,"used":12,"remain":999988})");
  CHECK(much.status == FindingStatus::ok);
  CHECK(much.what == "getuserphonenumber: 12 of 1000000 calls of the day used, 999988 left");
  CHECK(with(R"({"daily_limit":100,"used":90,"remain":10})").status == FindingStatus::ok);
  CHECK(with(R"({"daily_limit":100,"used":91,"remain":9})").status == FindingStatus::warning);
  CHECK(with(R"({"daily_limit":100,"used":100,"remain":0})").status == FindingStatus::failed);
  Finding const refused = judge_call_quota(said(R"({"errcode":76022,"errmsg":"no permission"})"));
  CHECK(refused.status == FindingStatus::warning);
  CHECK(contains(refused.what, "76022"));
  CHECK(contains(judge_call_quota(lost()).what, "no answer in time: too slow"));
  for (char const* const quota : {"{}", R"({"daily_limit":-1,"used":0,"remain":0})",
                                  R"({"daily_limit":9,"used":0,"remain":-9})", R"({"daily_limit":9})"}) {
    CHECK(with(quota).status == FindingStatus::warning);
    CHECK(contains(with(quota).what, "figures"));
  }
  CHECK(contains(judge_call_quota(said(R"({"errcode":0})")).what, "without its figures"));
}

TEST_CASE("the usage counts packs in effect, whose figures are texts") {
  constexpr char two_packs[] =
      R"({"errcode":0,"all":"10","effectiveAll":"10","effectiveUse":"3","total":3,"detailList":[)"
      R"({"pkgId":"ZY1","used":"1","all":"4","status":1,"spuId":"10000077"},)"
      R"({"pkgId":"ZY2","used":"2","all":"6","status":1,"spuId":"10000077"},)"
      R"({"pkgId":"ZY3","used":"50","all":"50","status":3,"spuId":"10000077"}]})";
  Finding const finding = judge_usage(said(two_packs), core::Kind::quick, 10'000'077);
  CHECK(finding.check == "usage-quick");
  CHECK(finding.status == FindingStatus::ok);
  CHECK(finding.what == "spuId 10000077: 7 of 10 units left in 2 packs");
}

TEST_CASE("little or nothing left is a warning, and so is what WeChat refuses to say") {
  auto const with_used = [](std::string const& used) {
    return judge_usage(
        said(R"({"errcode":0,"total":1,"detailList":[{"pkgId":"","all":"1000","status":1,"used":")" + used +
             R"("}]})"),
        core::Kind::realtime, 10'000'086);
  };
  CHECK(with_used("900").status == FindingStatus::ok);
  CHECK(with_used("901").status == FindingStatus::warning);
  CHECK(with_used("1000").status == FindingStatus::failed);
  CHECK(contains(with_used("1000").what, "the button fails now"));
  CHECK(contains(with_used("1000").advice, "付费管理"));
  Finding const unknown_spu =
      judge_usage(said(R"({"errcode":10120700,"errmsg":"x"})"), core::Kind::realtime, 10'000'086);
  CHECK(unknown_spu.check == "usage-realtime");
  CHECK(unknown_spu.status == FindingStatus::warning);
  CHECK(contains(unknown_spu.advice, "spuId"));
  CHECK(judge_usage(said(R"({"errcode":48001,"errmsg":"api unauthorized"})"), core::Kind::quick, 10'000'077)
            .status == FindingStatus::warning);
  CHECK(judge_usage(said("<html>"), core::Kind::quick, 10'000'077).status == FindingStatus::warning);
}

TEST_CASE("who is exempt from fees has no packs, and nothing to worry about") {
  CHECK(judge_usage(said(R"({"errcode":0,"total":0})"), core::Kind::quick, 10'000'077).status ==
        FindingStatus::ok);
  CHECK(judge_usage(said(R"({"errcode":0,"all":"1000","total":1,"detailList":[{"all":"1000","used":"0",)"
                         R"("source":1,"pkgId":"","endTime":4294967295,"status":2}]})"),
                    core::Kind::quick, 10'000'077)
            .status == FindingStatus::ok);
}

TEST_CASE("the listener's certificate: its time, its names") {
  auto const judged = [](core::milliseconds from, core::milliseconds until, std::vector<std::string> names) {
    return judge_certificate({.names = std::move(names), .from = now + from, .until = now + until}, now);
  };
  Finding const good = judged(-24h, 90 * 24h, {"api.example.com"});
  CHECK(good.status == FindingStatus::ok);
  CHECK(contains(good.what, "for api.example.com, good for another 90 days"));
  CHECK(judged(-24h, 13 * 24h, {"a"}).status == FindingStatus::warning);
  CHECK(judged(-24h, 0s, {"a"}).status == FindingStatus::failed);
  CHECK(judged(1s, 90 * 24h, {"a"}).status == FindingStatus::failed);
  CHECK(judged(-24h, 90 * 24h, {}).status == FindingStatus::warning);
  CHECK(contains(judged(-24h, 90 * 24h, {"a", "b", "c", "d", "e"}).what, "a, b, c, d, …, good"));
}

TEST_CASE("disks: room, kind, and whether what is synced is written") {
  constexpr std::uint64_t mib = 1024ULL * 1024;
  CHECK(judge_free_space(1024 * mib).status == FindingStatus::ok);
  CHECK(judge_free_space(1024 * mib - 1).status == FindingStatus::warning);
  CHECK(judge_free_space(64 * mib - 1).status == FindingStatus::failed);
  CHECK(judge_file_system(0xEF53).status == FindingStatus::ok);
  CHECK(judge_file_system(0x6969).status == FindingStatus::failed);
  CHECK(contains(judge_file_system(0x6969).what, "NFS"));
  CHECK(judge_file_system(0x01021994).status == FindingStatus::warning);
  CHECK(judge_file_system(0x12345678).status == FindingStatus::ok);
  CHECK(judge_sync(3ms, std::nullopt).status == FindingStatus::ok);
  CHECK(judge_sync(200ms, std::nullopt).status == FindingStatus::warning);
  CHECK(judge_sync(3ms, "no").status == FindingStatus::failed);
  CHECK(shown_bytes(1023) == "1023 bytes");
  CHECK(shown_bytes(1024) == "1.0 KiB");
  CHECK(shown_bytes(172UL * 1024) == "172.0 KiB");
  CHECK(shown_bytes(mib - 1) == "1023.9 KiB");
  CHECK(shown_bytes(16 * mib) == "16.0 MiB");
  CHECK(shown_bytes(1536 * mib) == "1.5 GiB");
}

TEST_CASE("too few descriptors are a warning that says how many connections are left") {
  CHECK(judge_descriptors(10'448, 10'448, 10'000).status == FindingStatus::ok);
  Finding const few = judge_descriptors(1024, 10'448, 576);
  CHECK(few.status == FindingStatus::warning);
  CHECK(contains(few.what, "576 connections"));
}

TEST_CASE("a ledger that cannot be read: what to do is by cause") {
  using Kind = storage::LedgerFault::Kind;
  auto const advice = [](Kind kind) { return judge_ledger_fault({.kind = kind, .sentence = "x"}).advice; };
  CHECK(judge_ledger_fault({.kind = Kind::newer, .sentence = "x"}).status == FindingStatus::failed);
  CHECK(contains(advice(Kind::no_access), "the server's user"));
  CHECK_FALSE(contains(advice(Kind::no_access), "backup"));
  CHECK_FALSE(contains(advice(Kind::newer), "backup"));
  CHECK(contains(advice(Kind::unreadable), "onetap restore"));
}

TEST_CASE("WeChat's push: off, unencrypted, and as it should be") {
  core::PushSecrets push;
  CHECK(judge_push(push, "/wechat/push").status == FindingStatus::skipped);
  push.token = core::PushToken("abc");
  CHECK(judge_push(push, "/wechat/push").status == FindingStatus::warning);
  push.aes_key = core::PushAesKey(std::string(43, 'a'));
  CHECK(judge_push(push, "/wechat/push").status == FindingStatus::ok);
  Settings settings;
  settings.public_path = "/onetap";
  settings.mini_programs.push_back({.appid = "wx1", .push = push});
  CHECK(contains(examine_push(settings).at(0).what, " /onetap/wechat/push "));
  settings.mini_programs.push_back({.appid = "wx2"});
  Findings const findings = examine_push(settings);
  REQUIRE(findings.size() == 2);
  CHECK(contains(findings.at(0).what, " /onetap/wechat/push/wx1 "));
  CHECK(findings.at(1).status == FindingStatus::skipped);
  CHECK(findings.at(1).app == "wx2");
}

TEST_CASE("a path in a command is quoted where a shell would take it apart") {
  CHECK(quoted_for_shell("/etc/onetap/secret") == "/etc/onetap/secret");
  CHECK(quoted_for_shell("/a b;c") == "'/a b;c'");
  CHECK(quoted_for_shell("it's") == "'it'\\''s'");
  CHECK(quoted_for_shell("-R") == "./-R");
}

TEST_CASE("a ledger of the other WeChat is refused, one of an older onetap is upgraded with a warning") {
  storage::LedgerFacts const ours{
      .schema_version = storage::ledger_schema_version, .journal_mode = "wal", .mode = "real"};
  CHECK_FALSE(judge_ledger(ours, false).has_value());
  CHECK(judge_ledger(ours, true)->status == FindingStatus::failed);
  storage::LedgerFacts older = ours;
  older.schema_version = 1;
  CHECK(judge_ledger(older, false)->status == FindingStatus::warning);
  CHECK(judge_log_size(1024).status == FindingStatus::ok);
  CHECK(judge_log_size(1024ULL * 1024 * 1024).status == FindingStatus::warning);
}

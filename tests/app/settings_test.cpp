#include "app/settings.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <initializer_list>
#include <sstream>
#include <utility>

#include "app/options.hpp"
#include "tests/support/temp_folder.hpp"

namespace onetap::app {
namespace {

using Arguments = std::vector<std::string>;
using Files = std::map<std::string, std::string, std::less<>>;
using Lines = std::vector<std::string>;

// 32 bytes of "k".
constexpr std::string_view data_key_base64 = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

Files const usual_files{{"cert.pem", "certificate"}, {"key.pem", "key"}, {"ca.pem", "authority"}};

FileReader reader_of(Files files) {
  return [files = std::move(files)](std::string const& path) -> core::Result<std::string, std::string> {
    auto const found = files.find(path);
    if (found == files.end()) return {boost::system::in_place_error, "No such file or directory"};
    return {boost::system::in_place_value, found->second};
  };
}

Environment complete(std::initializer_list<Environment::value_type> further = {}) {
  Environment environment{{"APPID", "wx0123456789abcdef"},
                          {"SECRET", "0123456789abcdef0123456789abcdef"},
                          {"ONETAP_TLS_CERT", "cert.pem"},
                          {"ONETAP_TLS_KEY", "key.pem"}};
  for (auto const& [name, text] : further) environment[name] = text;
  return environment;
}

ParsedSettings accept(Arguments const& arguments, Environment const& environment,
                      Files const& files = usual_files) {
  auto const parsed = parse_settings(arguments, environment, reader_of(files));
  if (!parsed) {
    std::string told;
    for (std::string const& line : parsed.error()) told += line + "\n";
    FAIL(told);
  }
  return *parsed;
}

Lines refuse(Arguments const& arguments, Environment const& environment, Files const& files = usual_files) {
  auto const parsed = parse_settings(arguments, environment, reader_of(files));
  REQUIRE_FALSE(parsed.has_value());
  return parsed.error();
}

std::string only_problem(Arguments const& arguments, Environment const& environment,
                         Files const& files = usual_files) {
  Lines const lines = refuse(arguments, environment, files);
  std::string told;
  for (std::string const& line : lines) told += line + "\n";
  CHECK_MESSAGE(lines.size() == 1, told);
  return lines.front();
}

bool names(Lines const& lines, std::string const& name) {
  return std::ranges::any_of(lines, [&](std::string const& line) {
    return line.starts_with(name + ":") || line.starts_with(name + " (");
  });
}

std::string text_of_source_file(std::string const& name) {
  auto const text = read_text_file(ONETAP_SOURCE "/" + name);
  REQUIRE(text.has_value());
  return *text;
}

}  // namespace

TEST_CASE("appid, secret and certificate are all that must be given") {
  Settings const settings = accept({}, complete()).settings;
  CHECK(settings.appid == "wx0123456789abcdef");
  CHECK(settings.secret.reveal() == "0123456789abcdef0123456789abcdef");
  CHECK_FALSE(settings.sandbox);
  CHECK_FALSE(settings.any_appid);
  CHECK(settings.listen == ListenAddress{.address = "0.0.0.0", .port = 8443});
  CHECK(settings.tls);
  CHECK(settings.tls_certificate_path == "cert.pem");
  CHECK(settings.tls_key_path == "key.pem");
  CHECK(settings.connections_max == 10000);
  CHECK(settings.admin_listen == ListenAddress{.address = "127.0.0.1", .port = 8444});
  CHECK_FALSE(settings.admin_token.has_value());
  CHECK_FALSE(settings.admin_tls);
  CHECK(settings.database_path == "onetap.db");
  CHECK_FALSE(settings.data_key.has_value());
  CHECK(settings.replay_window == std::chrono::seconds(600));
  CHECK(settings.wechat_url == HttpsUrl{.host = "api.weixin.qq.com", .port = 443, .base_path = ""});
  CHECK(settings.wechat_ca_path.empty());
  CHECK(settings.wechat_timeout == std::chrono::milliseconds(3000));
  CHECK(settings.verify == core::VerifyLevel::signature);
  CHECK(settings.allow_devtools);
  CHECK(settings.price_quick_micro_yuan == 30'000);
  CHECK(settings.price_realtime_micro_yuan == 40'000);
  CHECK(settings.log_level == core::LogLevel::info);
}

TEST_CASE("without anything given, one line names each setting that is missing") {
  Lines const lines = refuse({}, {});
  CHECK(lines.size() == 4);
  for (char const* const name : {"APPID", "SECRET", "ONETAP_TLS_CERT", "ONETAP_TLS_KEY"}) {
    CHECK_MESSAGE(names(lines, name), name);
  }
}

TEST_CASE("the sandbox needs nothing and keeps a ledger of its own") {
  Settings const settings = accept({"--sandbox"}, {}).settings;
  CHECK(settings.sandbox);
  CHECK(settings.appid == sandbox_appid);
  CHECK(settings.any_appid);
  CHECK_FALSE(settings.secret.empty());
  CHECK(settings.database_path == "onetap-sandbox.db");
  CHECK(settings.tls);
  CHECK(settings.tls_certificate_path.empty());
}

TEST_CASE("the sandbox with an appid is for that appid only") {
  Settings const settings = accept({"--sandbox", "--appid", "wx0123456789abcdef"}, {}).settings;
  CHECK(settings.appid == "wx0123456789abcdef");
  CHECK_FALSE(settings.any_appid);
}

TEST_CASE("the sandbox brings its own WeChat and takes no other") {
  CHECK(names(refuse({"--sandbox"}, {{"ONETAP_WECHAT_URL", "https://example.com"}}), "ONETAP_WECHAT_URL"));
  CHECK(names(refuse({"--sandbox", "--wechat-ca", "ca.pem"}, {}), "ONETAP_WECHAT_CA"));
  CHECK(names(refuse({"--sandbox", "--wechat-fallback-urls", "https://example.com"}, {}),
              "ONETAP_WECHAT_FALLBACK_URLS"));
  CHECK(names(refuse({"--sandbox"}, {{"ONETAP_WECHAT_PROXY", "http://proxy:3128"}}), "ONETAP_WECHAT_PROXY"));
  Files files = usual_files;
  files["proxy"] = "http://proxy:3128";
  CHECK(names(refuse({"--sandbox", "--wechat-proxy-file", "proxy"}, {}, files), "ONETAP_WECHAT_PROXY_FILE"));
}

TEST_CASE("a flag beats its variable, and the last flag beats those before it") {
  Environment const environment = complete({{"ONETAP_LISTEN", "127.0.0.1:1"}});
  CHECK(accept({}, environment).settings.listen.port == 1);
  CHECK(accept({"--listen", "127.0.0.1:2"}, environment).settings.listen.port == 2);
  CHECK(accept({"--listen=127.0.0.1:2", "--listen=127.0.0.1:3"}, environment).settings.listen.port == 3);
}

TEST_CASE("an empty variable is unset") {
  CHECK(accept({}, complete({{"ONETAP_LISTEN", ""}, {"ONETAP_RATE_IP", ""}})).settings.listen.port == 8443);
  CHECK(names(refuse({}, complete({{"APPID", ""}})), "APPID"));
}

TEST_CASE("a flag's bad value is told under its variable and the flag") {
  std::string const line = only_problem({"--log-level", "loud"}, complete());
  CHECK(line.starts_with("ONETAP_LOG_LEVEL (--log-level): \"loud\""));
}

TEST_CASE("every problem is told at once, also what stands between settings") {
  Lines const lines = refuse({"--db", ""}, complete({{"ONETAP_LOG_LEVEL", "loud"},
                                                     {"ONETAP_PRICE_QUICK", "free"},
                                                     {"ONETAP_VERIFY", "none"},
                                                     {"ONETAP_TLS_CERT", "lost.pem"},
                                                     {"ONETAP_ADMIN_LISTEN", "0.0.0.0:8444"}}));
  for (char const* const name : {"ONETAP_DB", "ONETAP_LOG_LEVEL", "ONETAP_PRICE_QUICK", "ONETAP_VERIFY",
                                 "ONETAP_TLS_CERT", "ONETAP_ADMIN_TOKEN"}) {
    CHECK_MESSAGE(names(lines, name), name);
  }
  CHECK(lines.size() == 6);
}

TEST_CASE("values that cannot be used name their variable") {
  std::vector<std::pair<std::string, std::vector<std::string>>> const bad_values{
      {"APPID", {"\"wx0123456789abcdef\"", "wx 1", std::string(65, 'a')}},
      {"SECRET", {"two words", "tab\t", std::string(129, 'a')}},
      {"ONETAP_LISTEN",
       {"8443", ":8443", "0.0.0.0", "0.0.0.0:", "0.0.0.0:65536", "0.0.0.0:-1", "0.0.0.0:x", "::1:8443",
        "[127.0.0.1]:1", "[::1]", "example.com:8443", "0.0.0.0:8443 "}},
      {"ONETAP_TLS", {"yes", "true", "ON"}},
      {"ONETAP_MAX_CONNECTIONS", {"0", "-1", "1000001", "many", "10k", "99999999999999999999"}},
      {"ONETAP_MAX_CONNECTIONS_PER_IP", {"-1", "1000001", "few"}},
      {"ONETAP_TRUSTED_PROXIES",
       {"10.0.0.0/33", "proxy.example.com", "10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/8;10.0.0.1", "*"}},
      {"ONETAP_PROXY_PROTOCOL", {"v1", "on", "V2"}},
      {"ONETAP_PUBLIC_URL", {"http://a/b", "/onetap", "https://a?b", "https://a/b#c", "https://u@a/b"}},
      {"ONETAP_ADMIN_LISTEN", {"off", "localhost"}},
      {"ONETAP_ADMIN_TOKEN", {"short", "sixteen characters and a blank"}},
      {"ONETAP_DATA_KEY", {"secret", "a2tr", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s"}},
      {"ONETAP_REPLAY_WINDOW", {"0", "3601", "600s", "1.5", ""}},
      {"ONETAP_WECHAT_URL",
       {"http://api.weixin.qq.com", "api.weixin.qq.com", "https://", "https://user@host", "https://host?x",
        "https://host#x", "https://host:0", "https://host:65536", "https://ho st", "https://[::1",
        "https://[]", "https://::1"}},
      {"ONETAP_WECHAT_TIMEOUT_MS", {"9", "30001", "3s"}},
      {"ONETAP_VERIFY", {"all", "Signature"}},
      {"ONETAP_ALLOW_DEVTOOLS", {"yes", "1"}},
      {"ONETAP_TOKEN_MODE", {"file:", "other", ""}},
      {"ONETAP_PUSH_TOKEN", {"ab", std::string(33, 'a'), "with blank", "under_score"}},
      {"ONETAP_PUSH_AES_KEY", {std::string(42, 'a'), std::string(44, 'a'), std::string(42, 'a') + "="}},
      {"ONETAP_PRICE_QUICK", {"-0.03", "0,03", "¥0.03", ".03", "0.", "1000.000001", "0.0000001", "1e3"}},
      {"ONETAP_PRICE_REALTIME", {"free"}},
      {"ONETAP_LOG_LEVEL", {"trace", "INFO"}},
  };
  for (auto const& [name, texts] : bad_values) {
    for (std::string const& text : texts) {
      if (text.empty()) continue;
      CAPTURE(name);
      CAPTURE(text);
      CHECK(only_problem({}, complete({{name, text}})).starts_with(name + ": "));
    }
  }
}

TEST_CASE("several mini programs come from a file, and then from nowhere else") {
  Files files = usual_files;
  files["apps"] = R"({"apps":[{"appid":"wx1","secretFile":"s"},{"appid":"wx2","secretFile":"s"}]})";
  files["s"] = "0123456789abcdef0123456789abcdef";
  Environment apps = complete({{"ONETAP_APPS", "apps"}, {"APPID", ""}, {"SECRET", ""}});
  Settings const settings = accept({}, apps, files).settings;
  REQUIRE(settings.mini_programs.size() == 2);
  CHECK(settings.mini_programs.back().appid == "wx2");
  Lines const warnings = accept({}, apps, files).warnings;
  REQUIRE(warnings.size() == 2);
  CHECK(warnings.back().starts_with("ONETAP_APPS: wx2 does not look like"));
  CHECK(accept({}, complete({})).settings.mini_programs.size() == 1);
  apps["APPID"] = "wx0123456789abcdef";
  CHECK(names(refuse({}, apps, files), "APPID"));
  apps["APPID"] = "";
  apps["ONETAP_VERIFY"] = "none";
  apps["ONETAP_LISTEN"] = "127.0.0.1:1";
  CHECK(names(refuse({}, apps, files), "ONETAP_VERIFY"));
}

TEST_CASE("the access_token comes from WeChat's stable endpoint, from the plain one, or from a file") {
  CHECK(accept({}, complete({})).settings.token_endpoint == core::TokenEndpoint::stable);
  CHECK(accept({}, complete({{"ONETAP_TOKEN_MODE", "token"}})).settings.token_endpoint ==
        core::TokenEndpoint::plain);
  Settings const by_file = accept({}, complete({{"ONETAP_TOKEN_MODE", "file:/run/token"}})).settings;
  CHECK(by_file.token_file_path == "/run/token");
}

TEST_CASE("single events are kept for thirty days, or as long as is said, but no less than eight") {
  CHECK(accept({}, complete()).settings.events_keep == std::chrono::days(30));
  CHECK(accept({"--events-days=8"}, complete()).settings.events_keep == std::chrono::days(8));
  for (std::string const wrong : {"7", "0", "3651", "month"})
    CHECK(names(refuse({}, complete({{"ONETAP_EVENTS_DAYS", wrong}})), "ONETAP_EVENTS_DAYS"));
}

TEST_CASE("alarms go to an https URL, or to loopback, whose path stays secret") {
  auto const target_of = [](std::string const& text) {
    return *accept({}, complete({{"ONETAP_ALERT_URL", text}})).settings.alert;
  };
  CHECK_FALSE(accept({}, complete()).settings.alert);
  net::AlertTarget const robot = target_of("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abc");
  CHECK(robot.tls);
  CHECK(robot.host == "qyapi.weixin.qq.com");
  CHECK(robot.port == 443);
  CHECK(robot.path.reveal() == "/cgi-bin/webhook/send?key=abc");
  CHECK(robot.format == net::AlertFormat::json);
  net::AlertTarget const local = target_of("http://[::1]:9000");
  CHECK_FALSE(local.tls);
  CHECK(local.host == "::1");
  CHECK(local.port == 9000);
  CHECK(local.path.reveal() == "/");
  CHECK(target_of("http://localhost:9?x=1").path.reveal() == "/?x=1");
  for (std::string const wrong :
       {"http://alerts.example.com/very-secret", "ftp://localhost/very-secret", "https://",
        "https://user@host/very-secret", "https://host/#very-secret", "https://host:0/"}) {
    std::string const line = only_problem({}, complete({{"ONETAP_ALERT_URL", wrong}}));
    CHECK(line.starts_with("ONETAP_ALERT_URL: is not the URL of a receiver"));
    CHECK(line.find("very-secret") == std::string::npos);
  }
}

TEST_CASE("what is posted as JSON is signed with a secret, and a robot takes none") {
  Environment environment =
      complete({{"ONETAP_ALERT_URL", "https://a.example/"}, {"ONETAP_ALERT_SECRET", "sixteen-letters-"}});
  ParsedSettings const parsed = accept({}, environment);
  CHECK(parsed.settings.alert->secret.reveal() == "sixteen-letters-");
  CHECK_FALSE(names(parsed.warnings, "ONETAP_ALERT_SECRET"));
  CHECK(names(accept({}, complete({{"ONETAP_ALERT_URL", "https://a.example/"}})).warnings,
              "ONETAP_ALERT_SECRET"));
  environment["ONETAP_ALERT_FORMAT"] = "wecom";
  CHECK(names(refuse({}, environment), "ONETAP_ALERT_SECRET"));
  environment.erase("ONETAP_ALERT_SECRET");
  CHECK(accept({}, environment).settings.alert->format == net::AlertFormat::wecom);
  CHECK(names(refuse({}, complete({{"ONETAP_ALERT_SECRET", "sixteen-letters-"}})), "ONETAP_ALERT_SECRET"));
  CHECK(names(refuse({}, complete({{"ONETAP_ALERT_FORMAT", "slack"}})), "ONETAP_ALERT_FORMAT"));
}

TEST_CASE("an unknown variable of ours is warned of, anybody else's is not") {
  ParsedSettings const parsed = accept({}, complete({{"ONETAP_LISTN", "x"}, {"HOME", "/root"}}));
  REQUIRE(parsed.warnings.size() == 1);
  CHECK(parsed.warnings.front().starts_with("ONETAP_LISTN: "));
}

TEST_CASE("what works but is probably a mistake is warned of") {
  CHECK(names(accept({}, complete({{"APPID", "gh_0123456789ab"}})).warnings, "APPID"));
  CHECK(names(accept({"--wechat-timeout-ms", "3501"}, complete()).warnings, "ONETAP_WECHAT_TIMEOUT_MS"));
  CHECK(names(accept({"--sandbox", "--verify", "none"}, {}).warnings, "ONETAP_VERIFY"));
  CHECK(accept({}, complete()).warnings.empty());
}

TEST_CASE("unknown flags are refused, and what may be a secret is not repeated") {
  Lines const lines = refuse({"--lisen=hush", "--secert", "hush", "hush"}, complete());
  CHECK(names(lines, "--lisen"));
  CHECK(names(lines, "--secert"));
  for (std::string const& line : lines) CHECK(line.find("hush") == std::string::npos);
}

TEST_CASE("a flag without its value is refused by name") {
  CHECK(only_problem({"--listen"}, complete()).starts_with("--listen: "));
}

TEST_CASE("a secret comes from a file, which loses one newline at its end") {
  Files files = usual_files;
  files["secret"] = "from-the-file\n";
  files["other"] = "from-the-other-file";
  Environment environment = complete({{"SECRET", ""}, {"SECRET_FILE", "secret"}});
  CHECK(accept({}, environment, files).settings.secret.reveal() == "from-the-file");
  CHECK(accept({"--secret-file", "other"}, environment, files).settings.secret.reveal() ==
        "from-the-other-file");

  files["secret"] = "two-newlines\n\n";
  CHECK(only_problem({}, environment, files).starts_with("SECRET_FILE: "));
  files["secret"] = "";
  CHECK(only_problem({}, environment, files).starts_with("SECRET_FILE: "));
  files.erase("secret");
  CHECK(only_problem({}, environment, files).find("No such file or directory") != std::string::npos);
}

TEST_CASE("a secret given twice in the environment is refused, a file's flag beats both") {
  Files files = usual_files;
  files["secret"] = "from-the-file";
  Environment const environment = complete({{"SECRET_FILE", "secret"}});
  CHECK(only_problem({}, environment, files).starts_with("SECRET: "));
  CHECK(accept({"--secret-file", "secret"}, environment, files).settings.secret.reveal() == "from-the-file");
}

TEST_CASE("a secret as a flag is refused and not repeated") {
  for (Option const& option : options()) {
    if (!option.secret) continue;
    std::string const line = only_problem({option.flag(), "hush"}, complete());
    CHECK(line.starts_with(std::string(option.variable) + " (" + option.flag() + "): "));
    CHECK(line.find("hush") == std::string::npos);
  }
}

TEST_CASE("an unusable secret is never repeated") {
  for (Option const& option : options()) {
    if (!option.secret) continue;
    std::string const line = only_problem({}, complete({{std::string(option.variable), "hush hush"}}));
    CHECK(line.find("hush") == std::string::npos);
  }
}

TEST_CASE("an unusable value is repeated without control characters, and shortened") {
  std::string const line = only_problem({}, complete({{"ONETAP_TLS", "\x1b[2J" + std::string(500, 'a')}}));
  CHECK(line.find('\x1b') == std::string::npos);
  CHECK(line.size() < 200);
}

TEST_CASE("the data key is base64 of 32 bytes") {
  Settings const settings =
      accept({}, complete({{"ONETAP_DATA_KEY", std::string(data_key_base64)}})).settings;
  REQUIRE(settings.data_key.has_value());
  CHECK(settings.data_key->reveal() == std::string(32, 'k'));
}

TEST_CASE("addresses to listen on are IPv4, IPv6 in brackets, or localhost") {
  auto const listen = [](std::string const& text) {
    return accept({"--listen", text}, complete()).settings.listen;
  };
  CHECK(listen("[::]:0") == ListenAddress{.address = "::", .port = 0});
  CHECK(listen("[::1]:65535") == ListenAddress{.address = "::1", .port = 65535});
  CHECK(listen("localhost:8443") == ListenAddress{.address = "127.0.0.1", .port = 8443});
  CHECK(listen("[::1]:1").is_loopback());
  CHECK(listen("127.9.9.9:1").is_loopback());
  CHECK_FALSE(listen("[::]:1").is_loopback());
  CHECK_FALSE(listen("192.168.0.1:1").is_loopback());
}

TEST_CASE("WeChat's URL is taken apart") {
  auto const url = [](std::string const& text) {
    return accept({"--wechat-url", text}, complete()).settings.wechat_url;
  };
  CHECK(url("https://api2.weixin.qq.com/") ==
        HttpsUrl{.host = "api2.weixin.qq.com", .port = 443, .base_path = ""});
  CHECK(url("https://127.0.0.1:9443/a/b/") ==
        HttpsUrl{.host = "127.0.0.1", .port = 9443, .base_path = "/a/b"});
  CHECK(url("https://[::1]:9443") == HttpsUrl{.host = "::1", .port = 9443, .base_path = ""});
  CHECK(url("https://[::1]/x:y") == HttpsUrl{.host = "::1", .port = 443, .base_path = "/x:y"});
  for (char const* const with_password : {"https://user:hush@host", "https://user:hush@host:x/?y"}) {
    std::string const problem = only_problem({}, complete({{"ONETAP_WECHAT_URL", with_password}}));
    CHECK(problem.find("hush") == std::string::npos);
    CHECK(problem.find("@host") != std::string::npos);
  }
}

TEST_CASE("fallback URLs are WeChat's, too, with commas between, in order") {
  auto const urls = [](std::string const& text) {
    return accept({}, complete({{"ONETAP_WECHAT_FALLBACK_URLS", text}})).settings.wechat_fallback_urls;
  };
  CHECK(urls("").empty());
  CHECK(urls("https://api2.weixin.qq.com") == std::vector{HttpsUrl{.host = "api2.weixin.qq.com"}});
  CHECK(urls("https://b.example:444/c/, https://[2001:db8::1]") ==
        std::vector{HttpsUrl{.host = "b.example", .port = 444, .base_path = "/c"},
                    HttpsUrl{.host = "2001:db8::1"}});
  std::string most = "https://1.example";
  for (int i = 2; i <= 8; ++i) most += ",https://" + std::to_string(i) + ".example";
  CHECK(urls(most).size() == 8);

  auto const problem = [](std::string const& text) {
    return only_problem({}, complete({{"ONETAP_WECHAT_FALLBACK_URLS", text}}));
  };
  CHECK(problem(most + ",https://9.example").find("are 9 URLs; name at most 8") != std::string::npos);
  CHECK(problem("https://a.example,").find("\"\" is not an https URL") != std::string::npos);
  std::string const both = problem("http://one,https://a.example,https://two?q");
  CHECK(both.find("\"http://one\"") != std::string::npos);
  CHECK(both.find("\"https://two?q\"") != std::string::npos);
  CHECK(both.find("a.example") == std::string::npos);
}

TEST_CASE("the proxy to WeChat is host and port, with a name and password where it wants them") {
  auto const proxy = [](std::string const& text) {
    return *accept({}, complete({{"ONETAP_WECHAT_PROXY", text}})).settings.wechat_proxy;
  };
  CHECK_FALSE(accept({}, complete()).settings.wechat_proxy.has_value());
  CHECK(proxy("http://proxy.example:3128").host == "proxy.example");
  CHECK(proxy("http://proxy.example:3128/").port == 3128);
  CHECK(proxy("http://proxy.example:3128").credentials.empty());
  CHECK(proxy("http://[2001:db8::1]:80").host == "2001:db8::1");
  CHECK(proxy("http://us%65r:p%40ss:w%3Ard@10.0.0.1:80").credentials.reveal() == "user:p@ss:w:rd");
  CHECK(proxy("http://user:@10.0.0.1:80").credentials.reveal() == "user:");
  Files files = usual_files;
  files["proxy"] = "http://a:b@proxy.example:3128\n";
  Settings const by_file = accept({"--wechat-proxy-file", "proxy"}, complete(), files).settings;
  CHECK(by_file.wechat_proxy->credentials.reveal() == "a:b");

  for (std::string const& text :
       {"proxy.example:3128", "https://hush@proxy.example:3128", "http://proxy.example",
        "http://proxy.example:0", "http://proxy.example:65536", "http://proxy.example:3128/path",
        "http://proxy.example:3128?q", "http://hush@proxy.example:3128", "http://:hush@proxy.example:3128",
        "http://a:hush%0d@proxy.example:3128", "http://a:hush%4@proxy.example:3128",
        "http://a:hush%x0@proxy.example:3128", "http://a%3Ab:hush@proxy:1", "http://pro xy:3128",
        "http://2001:db8::1:80", "http://"}) {
    CAPTURE(text);
    std::string const line = only_problem({}, complete({{"ONETAP_WECHAT_PROXY", text}}));
    CHECK(line.starts_with("ONETAP_WECHAT_PROXY: is not the URL of an HTTP proxy; write e.g. http://"));
    CHECK(line.find("hush") == std::string::npos);
  }
}

TEST_CASE("a push is signed by its token and encrypted with its key, which is of no use alone") {
  std::string const key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
  CHECK(accept({}, complete()).settings.mini_programs.front().push.token.empty());
  ParsedSettings const both =
      accept({}, complete({{"ONETAP_PUSH_TOKEN", "Token"}, {"ONETAP_PUSH_AES_KEY", key}}));
  CHECK(both.settings.mini_programs.front().push.token.reveal() == "Token");
  CHECK(both.settings.mini_programs.front().push.aes_key.reveal() == key);
  CHECK(both.warnings.empty());
  CHECK(names(accept({}, complete({{"ONETAP_PUSH_TOKEN", "Token"}})).warnings, "ONETAP_PUSH_TOKEN"));
  CHECK(only_problem({}, complete({{"ONETAP_PUSH_AES_KEY", key}})).starts_with("ONETAP_PUSH_AES_KEY: "));
}

TEST_CASE("prices are exact to the millionth of a yuan") {
  auto const price = [](std::string const& text) {
    return accept({"--price-quick", text}, complete()).settings.price_quick_micro_yuan;
  };
  CHECK(price("0") == 0);
  CHECK(price("0.000001") == 1);
  CHECK(price("0.03") == 30'000);
  CHECK(price("0.3") == 300'000);
  CHECK(price("12") == 12'000'000);
  CHECK(price("1000") == 1'000'000'000);
}

TEST_CASE("TLS may be off on loopback only, and then needs no certificate") {
  Environment const environment =
      complete({{"ONETAP_TLS", "off"}, {"ONETAP_TLS_CERT", ""}, {"ONETAP_TLS_KEY", ""}});
  CHECK_FALSE(accept({"--listen", "127.0.0.1:8080"}, environment).settings.tls);
  CHECK(only_problem({}, environment).starts_with("ONETAP_TLS: "));
  CHECK(only_problem({"--sandbox"}, environment).starts_with("ONETAP_TLS: "));
}

TEST_CASE("TLS may be off behind proxies that are named") {
  Environment const environment =
      complete({{"ONETAP_TLS", "off"}, {"ONETAP_TLS_CERT", ""}, {"ONETAP_TLS_KEY", ""}});
  CHECK_FALSE(accept({"--trusted-proxies", "10.0.0.0/8"}, environment).settings.tls);
}

TEST_CASE("trusted proxies are addresses and ranges, with commas between") {
  auto const proxies =
      accept({"--trusted-proxies", "10.0.0.0/8, fd00::/8,192.0.2.7"}, complete()).settings.trusted_proxies;
  CHECK(proxies == std::vector{*net::AddressRange::parse("10.0.0.0/8"), *net::AddressRange::parse("fd00::/8"),
                               *net::AddressRange::parse("192.0.2.7")});
  CHECK(accept({}, complete()).settings.trusted_proxies.empty());
}

TEST_CASE("the PROXY protocol is for trusted proxies") {
  CHECK_FALSE(accept({}, complete()).settings.proxy_protocol);
  CHECK(accept({"--proxy-protocol", "v2", "--trusted-proxies", "10.0.0.1"}, complete())
            .settings.proxy_protocol);
  CHECK(only_problem({"--proxy-protocol", "v2"}, complete()).starts_with("ONETAP_PROXY_PROTOCOL: "));
}

TEST_CASE("of the public URL the path is what matters") {
  auto const path = [](std::string const& text) {
    return accept({"--public-url", text}, complete()).settings.public_path;
  };
  CHECK(path("https://api.example.com/onetap") == "/onetap");
  CHECK(path("https://api.example.com:8443/a/b/") == "/a/b");
  CHECK(path("https://api.example.com").empty());
  CHECK(path("https://api.example.com/").empty());
}

TEST_CASE("verify level none is for loopback or the sandbox") {
  CHECK(accept({"--verify", "none", "--listen", "127.0.0.1:0"}, complete()).settings.verify ==
        core::VerifyLevel::none);
  CHECK(accept({"--verify", "none", "--sandbox"}, {}).settings.verify == core::VerifyLevel::none);
  CHECK(only_problem({"--verify", "none"}, complete()).starts_with("ONETAP_VERIFY: "));
}

TEST_CASE("certificate and key come together and can be read") {
  CHECK(only_problem({"--sandbox", "--tls-cert", "cert.pem"}, {}).starts_with("ONETAP_TLS_KEY: "));
  CHECK(only_problem({"--sandbox", "--tls-key", "key.pem"}, {}).starts_with("ONETAP_TLS_CERT: "));
  CHECK(only_problem({"--tls-key", "lost.pem"}, complete())
            .starts_with("ONETAP_TLS_KEY: cannot read lost.pem"));
  CHECK(only_problem({"--wechat-ca", "lost.pem"}, complete()).starts_with("ONETAP_WECHAT_CA: cannot read"));
}

TEST_CASE("the operators' listener off loopback needs TLS and a token") {
  std::string const token = "0123456789abcdef";
  Environment const with_token = complete({{"ONETAP_ADMIN_TOKEN", token}});
  Arguments const off_loopback{"--admin-listen", "0.0.0.0:8444"};
  Settings const settings = accept(off_loopback, with_token).settings;
  CHECK(settings.admin_tls);
  REQUIRE(settings.admin_token.has_value());
  CHECK(settings.admin_token->reveal() == token);

  CHECK(only_problem(off_loopback, complete()).starts_with("ONETAP_ADMIN_TOKEN: "));
  Arguments without_tls = off_loopback;
  without_tls.insert(without_tls.end(), {"--tls", "off", "--listen", "127.0.0.1:8443"});
  CHECK(only_problem(without_tls, with_token).starts_with("ONETAP_ADMIN_LISTEN: "));
}

TEST_CASE("the two listeners cannot share a port, unless any will do") {
  CHECK(only_problem({"--listen", "127.0.0.1:1", "--admin-listen", "127.0.0.1:1"}, complete())
            .starts_with("ONETAP_ADMIN_LISTEN: "));
  CHECK(accept({"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, complete())
            .settings.admin_listen.port == 0);
}

TEST_CASE("a flag is the variable without its prefix in kebab case") {
  CHECK(flag_of("APPID") == "--appid");
  CHECK(flag_of("ONETAP_WECHAT_TIMEOUT_MS") == "--wechat-timeout-ms");
}

TEST_CASE("the help names every option with flag, variable and default, within 100 columns") {
  std::string const help = serve_help();
  for (Option const& option : options()) {
    CAPTURE(option.variable);
    CHECK(help.find(std::string(option.variable)) != std::string::npos);
    CHECK(help.find("  " + (option.secret ? option.file_flag() : option.flag()) + " ") != std::string::npos);
    CHECK(help.find(std::string(option.default_text)) != std::string::npos);
  }
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);)
    CHECK_MESSAGE(line.size() <= 102, line);  // "–" has 3 bytes
}

TEST_CASE("help is asked for by --help or -h") {
  CHECK(asks_for_help(Arguments{"--sandbox", "--help"}));
  CHECK(asks_for_help(Arguments{"-h"}));
  CHECK_FALSE(asks_for_help(Arguments{"--sandbox"}));
}

TEST_CASE("onetap.env.example names every option with its default, as a comment") {
  std::string const example = "\n" + text_of_source_file("onetap.env.example");
  for (Option const& option : options()) {
    CAPTURE(option.variable);
    std::string const line =
        "\n#" + std::string(option.variable) + "=" + std::string(option.default_text) + "\n";
    CHECK(example.find(line) != std::string::npos);
    if (option.secret) CHECK(example.find("\n#" + option.file_variable() + "=\n") != std::string::npos);
  }
}

TEST_CASE("onetap.env.example names nothing that does not exist") {
  std::istringstream lines(text_of_source_file("onetap.env.example"));
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    if (line.empty() || line.starts_with("# ") || line == "#") continue;
    REQUIRE(line.starts_with("#"));  // a commented variable: the file as it stands changes nothing
    std::string const name = line.substr(1, line.find('=') - 1);
    CHECK(std::ranges::any_of(options(), [&](Option const& option) {
      return name == option.variable || (option.secret && name == option.file_variable());
    }));
  }
}

TEST_CASE("the environment is read from name=value entries; values may have equals signs") {
  char const* const entries[] = {"A=1", "B=x=y", "C=", "strange", nullptr};  // NOLINT(*-avoid-c-arrays)
  Environment const expected{{"A", "1"}, {"B", "x=y"}, {"C", ""}};
  CHECK(environment_from(entries) == expected);
}

TEST_CASE("a file that cannot be read is told why") {
  CHECK(read_text_file("/nonexistent").error() == "No such file or directory");
  CHECK(read_text_file("/").error() == "Is a directory");
  CHECK(read_text_file("/dev/zero").error() == "it has more than 1 MiB");
  CHECK(read_text_file("/dev/null")->empty());
  tests::TempFolder const folder;
  std::string const pipe = (folder / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(read_text_file(pipe).error().starts_with("it is a pipe"));
}

}  // namespace onetap::app

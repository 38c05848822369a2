#include "app/commands/demo_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "app/console.hpp"
#include "app/demo/stage.hpp"
#include "app/demo/story.hpp"

namespace onetap::app {
namespace {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_interrupted = 130;

using SteadyClock = std::chrono::steady_clock;

struct DemoArguments {
  bool keep = false;
  core::Language language = core::Language::english;
};

/// The voice of the demo: lines on standard output, each as it happens.
class Narrator {
 public:
  explicit Narrator(core::Language language) : language_(language), paint_(Painter::for_standard_output()) {}

  [[nodiscard]] std::string say(std::string_view english, std::string_view chinese) const {
    return std::string(language_ == core::Language::chinese ? chinese : english);
  }

  void line(Ink ink, std::string_view text) const { std::cout << paint_(ink, text) << std::endl; }
  void line(std::string_view text) const { line(Ink::plain, text); }

  void scene(int number, Scene const& scene) const {
    bool const passed = scene.mismatches.empty();
    std::cout << padded(std::to_string(number), 2, Align::right) << " "
              << (passed ? paint_(Ink::green, "✓") : paint_(Ink::red, "✗")) << " "
              << paint_(Ink::bold, padded(scene.title, title_width)) << " " << scene.told << "\n";
    std::string const evidence = say("page: ", "页面：") + padded(scene.page, page_width) +
                                 say(" | WeChat: ", " | 微信：") + padded(scene.wechat, wechat_width) +
                                 say(" | ledger: ", " | 账本：") + scene.ledger;
    std::cout << "     " << paint_(Ink::dim, evidence) << "\n";
    for (Mismatch const& each : scene.mismatches) {
      std::cout << "     "
                << paint_(Ink::red, "✗ " + each.what + say(": expected ", "：应为 ") + each.expected +
                                        say(", came ", "，实为 ") + each.actual)
                << "\n";
    }
    std::cout << std::flush;
  }

  /// The day's bill, from v_daily.
  void bill(storage::Table const& daily) const {
    struct Column {
      std::string_view name;
      std::string_view chinese;
    };
    constexpr std::array columns{
        Column{"day", "日期"},
        Column{"kind", "组件"},
        Column{"codes", "code 数"},
        Column{"ok", "成功"},
        Column{"rejected", "无效"},
        Column{"in_doubt", "存疑"},
        Column{"lost", "已损失"},
        Column{"wechat_calls", "调用微信"},
        Column{"amount_yuan", "金额（元）"},
    };
    std::vector<std::vector<std::string>> rows(1);
    for (Column const& column : columns) rows.front().push_back(say(column.name, column.chinese));
    for (std::size_t row = 0; row < daily.rows.size(); ++row) {
      rows.emplace_back();
      for (Column const& column : columns)
        rows.back().push_back(storage::to_text(daily.at(row, column.name)));
    }
    line("");
    line(Ink::bold, say("the day's bill (v_daily)", "当日账单（v_daily）"));
    std::cout << render_table(rows, 5) << std::flush;
  }

 private:
  static constexpr std::size_t title_width = 28;
  static constexpr std::size_t page_width = 22;
  static constexpr std::size_t wechat_width = 22;

  core::Language language_;
  Painter paint_;
};

std::string seconds_between(SteadyClock::time_point begin, SteadyClock::time_point end) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", std::chrono::duration<double>(end - begin).count());
  return text.data();
}

bool is_started_by_script() {
  char const* const mark = std::getenv("ONETAP_DEMO_SCRIPT");
  return mark != nullptr && *mark != '\0';
}

// v_verify, and SQLite's own checks; true when there is nothing to say.
bool verify(Stage const& stage, Narrator const& narrator) {
  auto const found = stage.ledger().verify();
  if (!found) {
    narrator.line(Ink::red, "verify: " + found.error());
    return false;
  }
  std::size_t const violations = found->violations.rows.size() + found->damaged_pages.size();
  narrator.line(found->is_clean() ? Ink::plain : Ink::red,
                "     verify: " + std::to_string(violations) +
                    narrator.say(violations == 1 ? " violation" : " violations", " 处违规"));
  for (auto const& row : found->violations.rows) {
    std::string text = "     ";
    for (storage::Value const& value : row) text.append(" ").append(storage::to_text(value));
    narrator.line(Ink::red, text);
  }
  return found->is_clean();
}

void keep_up(Stage& stage, Narrator const& narrator) {
  auto const tell = [&narrator](std::string_view english, std::string_view chinese, std::string const& text) {
    constexpr std::size_t label_width = 8;
    narrator.line(padded(narrator.say(english, chinese), label_width) + text);
  };
  narrator.line("");
  tell("server", "服务", stage.server_url());
  tell("CA", "CA", stage.ca_path().string());
  tell("ledger", "账本",
       "sqlite3 -readonly " + stage.database_path().string() + " 'SELECT * FROM v_consumptions'");
  tell("try", "试试",
       "curl --cacert " + stage.ca_path().string() + " -H 'Referer: " + Stage::referer() +
           "' -H 'Content-Type: application/json' -d '{\"code\":\"sandbox-abroad\"}' " + stage.server_url() +
           "/phone/consume");
  tell("codes", "测试码", "onetap sandbox --codes");
  tell("end", "结束",
       narrator.say("Ctrl-C; the folder stays: ", "Ctrl-C；目录会保留：") + stage.folder().string());
  stage.caller().wait_for_interrupt();
}

int perform(DemoArguments const& arguments, Caller& caller) {
  auto const begun = SteadyClock::now();
  Narrator const narrator(arguments.language);
  bool const by_script = is_started_by_script();
  if (!by_script) {
    narrator.line(Ink::bold, narrator.say("onetap demo – no money, nothing leaves this machine",
                                          "onetap 演示 – 不花钱，数据不出本机"));
  }
  auto const folder = Stage::make_folder();
  if (!folder) {
    narrator.line(Ink::red, folder.error());
    return exit_failed;
  }
  Stage stage(caller, *folder, arguments.keep);
  auto const problem = stage.start();
  if (caller.is_interrupted()) return exit_interrupted;
  if (problem) {
    narrator.line(Ink::red, *problem);
    return exit_failed;
  }
  narrator.line(narrator.say("server and sandbox WeChat up in ", "服务与沙箱微信已启动，用时 ") +
                seconds_between(begun, SteadyClock::now()));
  narrator.line("");

  Story story(stage, arguments.language);
  int passed = 0;
  for (int number = 1; number <= Story::scenes; ++number) {
    Scene const scene = story.play(number);
    if (caller.is_interrupted()) return exit_interrupted;
    narrator.scene(number, scene);
    if (scene.mismatches.empty()) ++passed;
  }
  if (auto const daily = stage.ledger().daily()) narrator.bill(*daily);
  bool const is_clean = verify(stage, narrator);
  bool const all_well = passed == Story::scenes && is_clean;
  std::string sum = std::to_string(passed) + narrator.say(" of ", " / ") + std::to_string(Story::scenes) +
                    " · " + seconds_between(begun, SteadyClock::now());
  if (!arguments.keep) {
    sum +=
        narrator.say(" · try: ", " · 试试：") + (by_script ? "./scripts/demo --keep" : "onetap demo --keep");
  }
  narrator.line("");
  narrator.line(all_well ? Ink::green : Ink::red, sum);
  if (arguments.keep) keep_up(stage, narrator);
  return all_well ? exit_done : exit_failed;
}

}  // namespace

int run_demo_command(std::vector<std::string> arguments) {
  DemoArguments parsed{.language = console_language()};
  std::string language;
  CLI::App options(
      "ten short scenes with a server and a WeChat of its own: no money, nothing leaves this machine",
      "onetap demo");
  options.add_flag("--keep", parsed.keep,
                   "leave the server up at the end, until Ctrl-C, and keep its folder");
  options.add_option("--lang", language, "zh or en; without it, as LC_ALL, LC_MESSAGES or LANG say")
      ->check(CLI::IsMember({"zh", "en"}));
  std::ranges::reverse(arguments);  // CLI11 takes them from the back
  try {
    options.parse(std::move(arguments));
  } catch (CLI::ParseError const& refused) {
    return options.exit(refused) == 0 ? exit_done : exit_usage;
  }
  if (!language.empty())
    parsed.language = language == "zh" ? core::Language::chinese : core::Language::english;

  Caller caller;
  boost::asio::signal_set signals(caller.loop(), SIGINT, SIGTERM, SIGHUP);
  signals.async_wait([&caller](boost::system::error_code failure, int /*signal*/) {
    if (!failure) caller.interrupt();
  });
  int const status = perform(parsed, caller);
  signals.cancel();
  return status;
}

}  // namespace onetap::app

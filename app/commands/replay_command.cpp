#include "app/commands/replay_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <optional>

#include "app/console.hpp"
#include "app/scenario/runner.hpp"
#include "app/settings.hpp"

namespace onetap::app {
namespace {

namespace json = boost::json;

constexpr int exit_passed = 0;
constexpr int exit_failed = 1;
constexpr int exit_unusable = 2;

/// A mini program's page, for servers that take any appid's.
constexpr std::string_view default_appid = "wx0123456789abcdef";

struct ReplayArguments {
  std::vector<std::string> files;
  std::string target;
  std::string ca_path;
  std::string database_path;
  std::string sandbox_url;
  std::string sandbox_ca_path;
  std::string appid{default_appid};
  bool as_json = false;
};

struct LoadedScenario {
  std::string file;
  Scenario scenario;
};

int refuse(std::string const& sentence) {
  std::cerr << "onetap replay: " << sentence << "\n";
  return exit_unusable;
}

// Every problem with a file at once, one line each; empty where all are good.
std::vector<std::string> load(std::vector<std::string> const& files, std::vector<LoadedScenario>& scenarios) {
  std::vector<std::string> problems;
  auto const take = [&](std::string const& file, std::string_view text) {
    auto parsed = parse_scenario(text);
    if (parsed) return scenarios.push_back({.file = file, .scenario = std::move(*parsed)});
    problems.push_back(file + ": " + parsed.error());
  };
  for (std::string const& file : files) {
    auto const text = read_text_file(file);
    if (text) take(file, *text);
    if (!text) problems.push_back(file + ": cannot be read: " + text.error());
  }
  if (files.empty()) {
    for (core::EmbeddedFile const& file : embedded_scenarios()) take(std::string(file.path), file.text);
  }
  return problems;
}

core::Result<Target, std::string> make_target(std::string const& url, std::string const& ca_path) {
  std::string ca_pem;
  if (!ca_path.empty()) {
    auto text = read_text_file(ca_path);
    if (!text) return {boost::system::in_place_error, ca_path + ": cannot be read: " + text.error()};
    ca_pem = std::move(*text);
  }
  return Target::make(url, ca_pem);
}

/// Tells what happens as it happens: lines for a person, or one JSON object at the end.
class Teller {
 public:
  Teller(bool as_json, core::Language language)
      : as_json_(as_json), language_(language), paint_(Painter::for_standard_output()) {}

  void begin(LoadedScenario const& loaded) {
    if (!as_json_)
      std::cout << paint_(Ink::bold, loaded.scenario.title(language_)) << paint_(Ink::dim, "  " + loaded.file)
                << std::endl;
  }

  void step(StepReport const& report) {
    ++steps_;
    bool const passed = report.mismatches.empty();
    if (!passed) ++failed_steps_;
    if (as_json_) return;
    std::cout << "  " << (passed ? paint_(Ink::green, "✓") : paint_(Ink::red, "✗")) << " "
              << padded(report.name, name_width) << " " << with_masked_numbers(report.outcome) << std::endl;
    constexpr std::size_t shown_max = 8;
    for (std::size_t i = 0; i < std::min(report.mismatches.size(), shown_max); ++i) {
      Mismatch const& each = report.mismatches[i];
      std::cout << "      " << each.what << ": " << say("expected ", "应为 ") << each.expected
                << say(", came ", "，实为 ") << each.actual << std::endl;
    }
    if (report.mismatches.size() > shown_max)
      std::cout << "      … " << report.mismatches.size() - shown_max << say(" more", " 处略") << std::endl;
  }

  void end(LoadedScenario const& loaded, ScenarioReport const& report) {
    if (!report.skipped_because.empty()) {
      ++skipped_;
      if (!as_json_) std::cout << "  – " << say("skipped: ", "跳过：") << report.skipped_because << std::endl;
    } else if (!report.passed()) {
      ++failed_;
    }
    ++scenarios_;
    if (as_json_) remember(loaded, report);
  }

  /// The whole ledger's own rules, after all scenarios.
  void verification(core::Result<storage::Verification, std::string> const& found) {
    verify_clean_ = found && found->is_clean();
    violations_ = found ? found->violations.rows.size() + found->damaged_pages.size() : 0;
    if (as_json_) return;
    if (!found) {
      std::cout << "verify: " << paint_(Ink::red, found.error()) << std::endl;
    } else {
      std::string const count = std::to_string(violations_) + say(" violations", " 处违规");
      std::cout << "verify: " << (verify_clean_ ? count : paint_(Ink::red, count)) << std::endl;
    }
  }

  int finish(Runner const& runner) {
    bool const passed = failed_ == 0 && verify_clean_;
    if (as_json_) {
      json::object whole{{"passed", passed},          {"scenarios", scenarios_},
                         {"failed", failed_},         {"skipped", skipped_},
                         {"steps", steps_},           {"failedSteps", failed_steps_},
                         {"violations", violations_}, {"results", results_}};
      json::array unchecked;
      if (runner.left_out_ledger()) unchecked.emplace_back("ledger");
      if (runner.left_out_wechat()) unchecked.emplace_back("wechat");
      whole["unchecked"] = std::move(unchecked);
      std::cout << json::serialize(whole) << std::endl;
      return passed ? exit_passed : exit_failed;
    }
    if (runner.left_out_ledger())
      std::cout << say("not looked at: the ledger (--db)", "未核对：账本（--db）") << std::endl;
    if (runner.left_out_wechat()) {
      std::cout << say("not looked at: WeChat's journal (--sandbox-url)",
                       "未核对：沙箱微信的日志（--sandbox-url）")
                << std::endl;
    }
    int const good = scenarios_ - failed_ - skipped_;
    std::string const sum = std::to_string(good) + say(" of ", " / ") + std::to_string(scenarios_) +
                            say(" scenarios passed, ", " 个场景通过，") + std::to_string(steps_) +
                            say(" steps", " 个步骤");
    std::string const left_out =
        skipped_ == 0 ? std::string()
                      : say(", ", "，") + std::to_string(skipped_) + say(" skipped", " 个跳过");
    std::cout << paint_(passed ? Ink::green : Ink::red, sum + left_out) << std::endl;
    return passed ? exit_passed : exit_failed;
  }

 private:
  static constexpr std::size_t name_width = 26;

  [[nodiscard]] std::string say(std::string_view english, std::string_view chinese) const {
    return std::string(language_ == core::Language::chinese ? chinese : english);
  }

  void remember(LoadedScenario const& loaded, ScenarioReport const& report) {
    json::array steps;
    for (StepReport const& step : report.steps) {
      json::array mismatches;
      for (Mismatch const& each : step.mismatches) {
        mismatches.push_back(
            json::object{{"what", each.what}, {"expected", each.expected}, {"actual", each.actual}});
      }
      steps.push_back(json::object{{"name", step.name},
                                   {"outcome", with_masked_numbers(step.outcome)},
                                   {"passed", step.mismatches.empty()},
                                   {"mismatches", std::move(mismatches)}});
    }
    json::object result{{"file", loaded.file},
                        {"title", loaded.scenario.title(language_)},
                        {"passed", report.passed()},
                        {"steps", std::move(steps)}};
    if (!report.skipped_because.empty()) result["skippedBecause"] = report.skipped_because;
    results_.push_back(std::move(result));
  }

  bool as_json_;
  core::Language language_;
  Painter paint_;
  json::array results_;
  int scenarios_ = 0;
  int failed_ = 0;
  int skipped_ = 0;
  int steps_ = 0;
  int failed_steps_ = 0;
  std::size_t violations_ = 0;
  bool verify_clean_ = true;
};

int play(ReplayArguments const& arguments, std::vector<LoadedScenario> const& scenarios) {
  auto const server = make_target(arguments.target, arguments.ca_path);
  if (!server) return refuse("--target " + server.error());
  Caller caller;
  std::optional<WechatWitness> wechat;
  if (!arguments.sandbox_url.empty()) {
    auto sandbox = make_target(arguments.sandbox_url, arguments.sandbox_ca_path);
    if (!sandbox) return refuse("--sandbox-url " + sandbox.error());
    wechat.emplace(caller, std::move(*sandbox));
    auto const totals = wechat->totals();
    if (!totals) return refuse("--sandbox-url " + arguments.sandbox_url + ": " + totals.error());
  }
  std::optional<LedgerWitness> ledger;
  if (!arguments.database_path.empty()) {
    ledger.emplace(arguments.database_path);
    auto const totals = ledger->totals();
    if (!totals) return refuse("--db " + totals.error());
  }
  Runner runner({.caller = caller,
                 .server = *server,
                 .wechat = wechat ? &*wechat : nullptr,
                 .ledger = ledger ? &*ledger : nullptr,
                 .appid = arguments.appid});
  Teller teller(arguments.as_json, console_language());
  for (LoadedScenario const& loaded : scenarios) {
    teller.begin(loaded);
    ScenarioReport const report =
        runner.run(loaded.scenario, [&teller](StepReport const& step) { teller.step(step); });
    teller.end(loaded, report);
  }
  if (ledger) teller.verification(ledger->verify());
  return teller.finish(runner);
}

}  // namespace

int run_replay_command(std::vector<std::string> arguments) {
  ReplayArguments parsed;
  CLI::App options("plays JSON scenarios against a server and compares what comes with what is expected",
                   "onetap replay");
  options.add_option("FILE", parsed.files, "scenarios; without one, those that come with onetap");
  options.add_option("--target", parsed.target, "the server, e.g. https://127.0.0.1:8443")->required();
  options.add_option("--ca", parsed.ca_path,
                     "certificates (PEM) to trust for it; serve --sandbox writes <database>.ca.pem");
  options.add_option("--db", parsed.database_path, "the server's ledger, for the rows a step expects");
  CLI::Option* const sandbox =
      options.add_option("--sandbox-url", parsed.sandbox_url, "onetap sandbox, to ask what WeChat saw");
  options.add_option("--sandbox-ca", parsed.sandbox_ca_path, "certificates (PEM) to trust for the sandbox")
      ->needs(sandbox);
  options.add_option("--appid", parsed.appid, "the mini program whose page the Referer names")
      ->capture_default_str();
  options.add_flag("--json", parsed.as_json, "one JSON object instead of lines");
  std::ranges::reverse(arguments);  // CLI11 takes them from the back
  try {
    options.parse(std::move(arguments));
  } catch (CLI::ParseError const& refused) {
    return options.exit(refused) == 0 ? exit_passed : exit_unusable;
  }
  std::vector<LoadedScenario> scenarios;
  std::vector<std::string> const problems = load(parsed.files, scenarios);
  for (std::string const& problem : problems) refuse(problem);
  if (!problems.empty()) return exit_unusable;
  return play(parsed, scenarios);
}

}  // namespace onetap::app

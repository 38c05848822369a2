// What an exchange costs with a history behind it, and with an hour's codes alive.
//   growth [--folder F] [--history N] [--exchanges N] [--rounds N] [--rate N] [--live 0]
// First the same fresh exchanges on ledgers with no, N/10 and N codes of history, in turns, so that what else
// the machine does hits all of them; then on one that has come to rest at different rates, where as many
// codes leave live_code as come. CPU is this thread's, which does all of the ledger's work.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/ledger_file.hpp"
#include "storage/reports.hpp"
#include "tests/bench/bench_exchange.hpp"

namespace onetap::tests {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t batch_size = 64;

/// What this thread and process have used so far.
struct Usage {
  double user_us = 0;
  double system_us = 0;
  double written_bytes = 0;
  double read_bytes = 0;

  [[nodiscard]] double cpu_us() const { return user_us + system_us; }

  static Usage now() {
    rusage used{};
    if (::getrusage(RUSAGE_THREAD, &used) != 0) throw std::runtime_error("getrusage failed");
    auto const microseconds = [](timeval const& time) {
      return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
    };
    Usage usage{.user_us = microseconds(used.ru_utime), .system_us = microseconds(used.ru_stime)};
    std::ifstream counters("/proc/self/io");
    std::string name;
    double value = 0;
    while (counters >> name >> value) {
      if (name == "wchar:") usage.written_bytes = value;
      if (name == "rchar:") usage.read_bytes = value;
    }
    return usage;
  }

  [[nodiscard]] Usage operator+(Usage const& more) const {
    return {.user_us = user_us + more.user_us,
            .system_us = system_us + more.system_us,
            .written_bytes = written_bytes + more.written_bytes,
            .read_bytes = read_bytes + more.read_bytes};
  }
  [[nodiscard]] Usage operator-(Usage const& before) const {
    return {.user_us = user_us - before.user_us,
            .system_us = system_us - before.system_us,
            .written_bytes = written_bytes - before.written_bytes,
            .read_bytes = read_bytes - before.read_bytes};
  }
  [[nodiscard]] Usage per(std::uint64_t count) const {
    auto const divisor = static_cast<double>(count);
    return {.user_us = user_us / divisor,
            .system_us = system_us / divisor,
            .written_bytes = written_bytes / divisor,
            .read_bytes = read_bytes / divisor};
  }
};

/// A ledger whose time runs as fast as its codes come, maintained every five seconds of it, as by the server.
class BusyLedger {
 public:
  BusyLedger(std::filesystem::path path, std::uint64_t codes_a_second)
      : path_(std::move(path)), codes_a_second_(codes_a_second) {
    open();
  }

  void exchange(std::uint64_t count) {
    for (std::uint64_t done = 0; done < count; done += batch_size)
      exchange_batch(std::min<std::uint64_t>(batch_size, count - done));
  }

  [[nodiscard]] Usage measure(std::uint64_t count) {
    Usage const before = Usage::now();
    exchange(count);
    return Usage::now() - before;
  }

  void close() {
    if (!file_) return;
    file_->ledger->end(now_.wall);
    file_.reset();
  }
  void open() {
    storage::LedgerOptions options;
    options.path = path_;
    options.key_fingerprint = digest_of(0);
    options.sealed_pepper = {1};
    options.settings.replay_window = std::chrono::minutes(10);
    options.now = now_;
    options.ballast_bytes = 0;
    auto const before = SteadyClock::now();
    auto file = storage::open_ledger(options);
    if (!file) throw std::runtime_error(file.error().sentence);
    open_ms_ = Seconds(SteadyClock::now() - before).count() * 1e3;
    file_ = std::make_unique<storage::LedgerFile>(std::move(*file));
  }

  [[nodiscard]] std::int64_t live_codes() const {
    storage::Connection reader(path_, storage::Access::read_only);
    return reader.integer("SELECT count(*) FROM live_code");
  }
  [[nodiscard]] double megabytes() const {
    return static_cast<double>(std::filesystem::file_size(path_)) / 1e6;
  }
  [[nodiscard]] double open_ms() const { return open_ms_; }
  [[nodiscard]] std::filesystem::path const& path() const { return path_; }

 private:
  void exchange_batch(std::uint64_t size) {
    std::vector<storage::Command> begins;
    begins.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
      begins.push_back(
          {.action = storage::BeginCommand{intent_of(codes_ + i, now_.wall)}, .steady = now_.steady});
    }
    std::vector<storage::CommandResult> const begun = file_->ledger->apply(begins);
    std::vector<storage::Command> outcomes;
    outcomes.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
      auto const& started = std::get<core::ledger::Started>(std::get<core::ledger::BeginResult>(begun[i]));
      outcomes.push_back(
          {.action = outcome_of(started.attempt, codes_ + i, now_.wall), .steady = now_.steady});
    }
    static_cast<void>(file_->ledger->apply(outcomes));
    codes_ += size;
    core::milliseconds const passed(1000 * size / codes_a_second_);
    now_.wall += passed;
    now_.steady += passed;
    if (now_.steady < maintained_ + std::chrono::seconds(5)) return;
    maintained_ = now_.steady;
    while (file_->ledger->maintain(now_).more) {
    }
  }

  std::filesystem::path path_;
  std::uint64_t codes_a_second_;
  storage::Now now_{.wall = std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now()),
                    .steady = SteadyClock::now()};
  core::SteadyTime maintained_ = now_.steady;
  std::unique_ptr<storage::LedgerFile> file_;
  std::uint64_t codes_ = 0;
  double open_ms_ = 0;
};

/// The columns of a table, each by what `values` has for it, else as row 1 has it.
std::string columns_of(storage::Connection& connection, std::string const& table,
                       std::map<std::string, std::string> const& values) {
  std::string list;
  storage::Statement columns(connection, "SELECT name FROM pragma_table_info(?1)");
  storage::Rows rows = columns.query({table});
  while (rows.next()) {
    std::string const name = rows.text(0);
    auto const found = values.find(name);
    list += (list.empty() ? "" : ", ") + (found == values.end() ? "first." + name : found->second);
  }
  return list;
}

/// Repeats a ledger's first exchange, a use of the overdraft pack, `count` times in the past: one each three
/// seconds until two hours ago, long out of live_code. Without the state machine, since the rows come as they
/// end, and without care for the power.
void write_history(std::filesystem::path const& path, std::uint64_t count) {
  storage::Connection connection(path, storage::Access::read_write);
  std::string const machine =
      connection.text("SELECT sql FROM sqlite_schema WHERE name = 'consumption_begins'");
  static_cast<void>(connection.text("PRAGMA journal_mode = MEMORY"));
  connection.run("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; DROP TRIGGER consumption_begins");
  std::int64_t const latest =
      connection.integer("SELECT created_at FROM consumption WHERE id = 1") - 7'200'000;
  constexpr std::uint64_t at_once = 1'000'000;
  for (std::uint64_t written = 0; written < count; written += at_once) {
    std::string const from = std::to_string(written + 2);
    std::string const until = std::to_string(std::min(written + at_once, count) + 1);
    std::string const at =
        "(" + std::to_string(latest) + " - (" + std::to_string(count + 1) + " - i) * 3000)";
    std::string const series = "WITH RECURSIVE series (i) AS (SELECT " + from +
                               " UNION ALL SELECT i + 1 FROM series WHERE i < " + until + ") ";
    std::string const consumptions = columns_of(connection, "consumption",
                                                {{"id", "i"},
                                                 {"request_id", "'01J' || (1000000000000000 + i)"},
                                                 {"code_key", "randomblob(32)"},
                                                 {"phone_key", "randomblob(32)"},
                                                 {"attempt_opened_at", at},
                                                 {"created_at", at},
                                                 {"finished_at", at + " + 60"}});
    std::string const entries =
        columns_of(connection, "entry", {{"id", "i"}, {"consumption", "i"}, {"at", at + " + 60"}});
    connection.run("BEGIN");
    connection.run("INSERT INTO consumption " + series + "SELECT " + consumptions +
                   " FROM series, consumption AS first WHERE first.id = 1");
    connection.run("INSERT INTO entry " + series + "SELECT " + entries +
                   " FROM series, entry AS first WHERE first.id = 1");
    connection.run("COMMIT");
  }
  connection.run("UPDATE pack_balance SET units = units * " + std::to_string(count + 1) +
                 ", micro_yuan = micro_yuan * " + std::to_string(count + 1));
  connection.run(machine);
}

/// A ledger with `count` codes behind it, open.
std::unique_ptr<BusyLedger> with_history(std::filesystem::path const& path, std::uint64_t count,
                                         std::uint64_t codes_a_second) {
  auto ledger = std::make_unique<BusyLedger>(path, codes_a_second);
  ledger->exchange(1);
  ledger->close();
  if (count > 0) write_history(path, count);
  ledger->open();
  return ledger;
}

/// Whether a history as it is written here is one that a ledger could have.
void check_history(std::filesystem::path const& folder) {
  auto const ledger = with_history(folder / "small.db", 1000, 100);
  ledger->exchange(1000);
  ledger->close();
  auto reports = storage::Reports::open(ledger->path());
  if (!reports) throw std::runtime_error(reports.error());
  storage::Verification const found = reports->verify(false);
  if (!found.is_clean()) throw std::runtime_error("the history is none that a ledger could have");
  std::int64_t const codes =
      std::get<std::int64_t>(reports->query("SELECT count(*) AS codes FROM consumption", {}).at(0, "codes"));
  std::printf("a history of 1,000 and 1,000 exchanges verify clean: %lld codes\n",
              static_cast<long long>(codes));
}

double median(std::vector<double> figures) {
  auto const middle = figures.begin() + static_cast<std::ptrdiff_t>(figures.size() / 2);
  std::ranges::nth_element(figures, middle);
  return *middle;
}

struct Plan {
  std::filesystem::path folder;
  std::uint64_t history = 10'000'000;
  std::uint64_t exchanges = 20'480;
  std::uint64_t rounds = 5;
  std::uint64_t rate = 100;  // codes a second of the ledger's time
  bool live = true;          // also with an hour's codes alive
};

void print_usage(Usage const& used) {
  std::printf("%8.1f %8.1f %8.1f %10.1f %8.1f", used.cpu_us(), used.user_us, used.system_us,
              used.written_bytes / 1e3, used.read_bytes / 1e3);
}

void measure_history(Plan const& plan) {
  struct Measured {
    std::uint64_t codes = 0;
    std::unique_ptr<BusyLedger> ledger;
    Usage used{};
    std::vector<double> ratios{};
  };
  std::vector<Measured> measured;
  double empty_megabytes = 0;
  for (std::uint64_t const codes : {std::uint64_t{0}, plan.history / 10, plan.history}) {
    std::filesystem::path const path = plan.folder / ("history-" + std::to_string(codes) + ".db");
    measured.push_back({.codes = codes, .ledger = with_history(path, codes, plan.rate)});
    BusyLedger const& ledger = *measured.back().ledger;
    std::printf("%llu codes behind: %.1f MB", static_cast<unsigned long long>(codes), ledger.megabytes());
    if (codes == 0) empty_megabytes = ledger.megabytes();
    if (codes > 0) {
      double const grown = ledger.megabytes() - empty_megabytes;
      std::printf(", %.0f bytes a code", grown * 1e6 / static_cast<double>(codes));
    }
    std::printf(", opened in %.1f ms\n", ledger.open_ms());
    std::fflush(stdout);
  }
  std::printf("%6s %10s %10s %8s %8s %8s %10s %8s %8s\n", "round", "behind", "live", "CPU us", "user",
              "system", "KB written", "KB read", "ratio");
  for (std::uint64_t round = 1; round <= plan.rounds; ++round) {
    for (Measured& one : measured) one.used = {};
    // In slices, so that what disturbs one of them disturbs the others, too.
    constexpr std::uint64_t slice = 1024;
    for (std::uint64_t done = 0; done < plan.exchanges; done += slice) {
      for (Measured& one : measured)
        one.used = one.used + one.ledger->measure(std::min(slice, plan.exchanges - done));
    }
    double const empty_us = measured.front().used.cpu_us();
    for (Measured& one : measured) {
      one.ratios.push_back(one.used.cpu_us() / empty_us);
      std::printf("%6llu %10llu %10lld ", static_cast<unsigned long long>(round),
                  static_cast<unsigned long long>(one.codes),
                  static_cast<long long>(one.ledger->live_codes()));
      print_usage(one.used.per(plan.exchanges));
      std::printf(" %8.3f\n", one.ratios.back());
    }
    std::fflush(stdout);
  }
  for (Measured const& one : measured) {
    std::printf("%llu codes behind: %.3f of the empty ledger's CPU an exchange (median of the rounds)\n",
                static_cast<unsigned long long>(one.codes), median(one.ratios));
  }
}

// An hour and some minutes of one rate, and only then the measurement.
void measure_live_codes(Plan const& plan) {
  std::printf("%10s %10s %8s %8s %8s %10s %8s\n", "codes/s", "live", "CPU us", "user", "system", "KB written",
              "KB read");
  for (std::uint64_t const rate : {std::uint64_t{1}, plan.rate / 10, plan.rate / 3, plan.rate}) {
    if (rate == 0) continue;
    std::filesystem::path const path = plan.folder / ("rate-" + std::to_string(rate) + ".db");
    BusyLedger ledger(path, rate);
    constexpr std::uint64_t filling_s = 3900;
    ledger.exchange(filling_s * rate);
    Usage const used = ledger.measure(plan.exchanges);
    std::printf("%10llu %10lld ", static_cast<unsigned long long>(rate),
                static_cast<long long>(ledger.live_codes()));
    print_usage(used.per(plan.exchanges));
    std::printf("\n");
    std::fflush(stdout);
    ledger.close();
    std::filesystem::remove(path);
  }
}

int run(int argc, char** argv) {
  std::string const own = "onetap-growth-" + std::to_string(::getpid());
  Plan plan{.folder = std::filesystem::temp_directory_path() / own};
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view const name = argv[i];
    std::uint64_t const figure = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--folder") plan.folder = std::filesystem::path(argv[i + 1]) / own;
    if (name == "--history") plan.history = figure;
    if (name == "--exchanges") plan.exchanges = figure;
    if (name == "--rounds") plan.rounds = figure;
    if (name == "--rate") plan.rate = std::max<std::uint64_t>(figure, 1);
    if (name == "--live") plan.live = figure != 0;
  }
  std::filesystem::create_directories(plan.folder);
  check_history(plan.folder);
  if (plan.rounds > 0) measure_history(plan);
  if (plan.live) measure_live_codes(plan);
  std::filesystem::remove_all(plan.folder);
  return 0;
}

}  // namespace
}  // namespace onetap::tests

int main(int argc, char** argv) {
  try {
    return onetap::tests::run(argc, argv);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "growth: %s\n", error.what());
    return 1;
  }
}

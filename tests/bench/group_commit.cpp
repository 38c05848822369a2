// Group commit and growth, measured on the disk of one folder.
//   group_commit [--folder F] [--seconds S] [--codes N]
// Prints commits and exchanges a second at 1, 8, 64 and 256 concurrent exchanges beside the disk's own
// fdatasync rate, then what an exchange costs with no and with N codes behind it (0: leaves that out).

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "storage/ledger_file.hpp"
#include "storage/ledger_thread.hpp"
#include "tests/bench/bench_exchange.hpp"

namespace onetap::tests {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

class SystemClock final : public core::Clock {
 public:
  [[nodiscard]] core::WallTime wall() const override {
    return std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] core::SteadyTime steady() const override { return SteadyClock::now(); }
  [[nodiscard]] core::Task<bool> wait(core::Signal& /*signal*/, core::SteadyTime /*deadline*/) override {
    throw std::logic_error("nobody waits here");
  }
  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime /*deadline*/) override {
    throw std::logic_error("nobody sleeps here");
  }
};

storage::LedgerOptions options_for(std::filesystem::path const& path, storage::Now now) {
  storage::LedgerOptions options;
  options.path = path;
  options.key_fingerprint = digest_of(0);
  options.sealed_pepper = {1};
  options.settings.replay_window = std::chrono::minutes(10);
  options.now = now;
  return options;
}

storage::LedgerFile open(storage::LedgerOptions const& options) {
  auto file = storage::open_ledger(options);
  if (!file) throw std::runtime_error(file.error().sentence);
  return std::move(*file);
}

double fdatasync_rate(std::filesystem::path const& folder, double seconds) {
  std::string const path = (folder / "fdatasync.bin").string();
  constexpr ::mode_t owner_only = 0600;
  int const file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, owner_only);
  if (file < 0) throw std::runtime_error("cannot write " + path);
  std::array<char, 4096> page{};
  int count = 0;
  auto const begin = SteadyClock::now();
  // In place behind the first round, as in a WAL that starts over.
  while (Seconds(SteadyClock::now() - begin).count() < seconds) {
    auto const offset = static_cast<off_t>(count % 256) * static_cast<off_t>(page.size());
    if (::pwrite(file, page.data(), page.size(), offset) < 0 || ::fdatasync(file) != 0)
      throw std::runtime_error("cannot sync " + path);
    ++count;
  }
  ::close(file);
  std::filesystem::remove(path);
  return count / Seconds(SteadyClock::now() - begin).count();
}

struct Meter {
  storage::LedgerThread& ledger;
  SystemClock const& clock;
  SteadyClock::time_point end;
  std::uint64_t next = 1;
  std::uint64_t exchanges = 0;
};

core::Task<> exchange_until_the_end(Meter& meter) {
  while (SteadyClock::now() < meter.end) {
    std::uint64_t const number = meter.next++;
    core::Intent intent = intent_of(number, meter.clock.wall());
    core::ledger::BeginResult const begun = co_await meter.ledger.begin(std::move(intent));
    auto const attempt = std::get<core::ledger::Started>(begun).attempt;
    core::Settlement outcome = outcome_of(attempt, number, meter.clock.wall());
    co_await meter.ledger.settle(std::move(outcome));
    ++meter.exchanges;
  }
}

void measure_group_commit(std::filesystem::path const& folder, double seconds) {
  std::printf("%-12s %12s %12s %14s %14s\n", "concurrent", "exchanges/s", "commits/s", "commands/commit",
              "fdatasyncs/s");
  for (int const concurrent : {1, 8, 64, 256}) {
    double const raw = fdatasync_rate(folder, seconds / 2);
    SystemClock clock;
    std::filesystem::path const path = folder / ("group-" + std::to_string(concurrent) + ".db");
    storage::LedgerThread ledger(open(options_for(path, {.wall = clock.wall(), .steady = clock.steady()})),
                                 clock, [](std::string const& reason) { throw std::runtime_error(reason); });
    asio::io_context loop{1};
    auto const begin = SteadyClock::now();
    Meter meter{.ledger = ledger,
                .clock = clock,
                .end = begin + std::chrono::duration_cast<SteadyClock::duration>(Seconds(seconds))};
    for (int i = 0; i < concurrent; ++i) {
      asio::co_spawn(loop, exchange_until_the_end(meter), [](std::exception_ptr const& broken) {
        if (broken) std::rethrow_exception(broken);
      });
    }
    loop.run();
    double const took = Seconds(SteadyClock::now() - begin).count();
    storage::LedgerStatistics const counted = ledger.statistics();
    std::printf("%-12d %12.0f %12.0f %14.1f %14.0f\n", concurrent,
                static_cast<double>(meter.exchanges) / took, static_cast<double>(counted.transactions) / took,
                static_cast<double>(counted.commands) / static_cast<double>(counted.transactions), raw);
    std::fflush(stdout);
    ledger.close();
  }
}

/// A ledger whose time runs as fast as its codes come: a hundred a second.
class Growing {
 public:
  explicit Growing(std::filesystem::path path)
      : path_(std::move(path)), file_(open(options_for(path_, now_))) {}

  void exchange(std::uint64_t count, std::size_t batch_size) {
    for (std::uint64_t done = 0; done < count; done += batch_size) {
      std::vector<storage::Command> begins;
      begins.reserve(batch_size);
      for (std::size_t i = 0; i < batch_size; ++i) {
        begins.push_back(
            {.action = storage::BeginCommand{intent_of(codes_ + i, now_.wall)}, .steady = now_.steady});
      }
      std::vector<storage::CommandResult> const begun = file_.ledger->apply(begins);
      std::vector<storage::Command> outcomes;
      for (std::size_t i = 0; i < batch_size; ++i) {
        auto const& started = std::get<core::ledger::Started>(std::get<core::ledger::BeginResult>(begun[i]));
        outcomes.push_back(
            {.action = outcome_of(started.attempt, codes_ + i, now_.wall), .steady = now_.steady});
      }
      static_cast<void>(file_.ledger->apply(outcomes));
      codes_ += batch_size;
      core::milliseconds const passed(10 * batch_size);
      now_.wall += passed;
      now_.steady += passed;
      since_maintenance_ += batch_size;
      if (since_maintenance_ < maintained_each) continue;
      since_maintenance_ = 0;
      while (file_.ledger->maintain(now_).more) {
      }
    }
  }

  /// Thread time and wall time of one exchange, in microseconds, at sixteen in a batch.
  void measure() {
    constexpr std::uint64_t measured = 8192;
    std::clock_t const cpu_before = std::clock();
    auto const before = SteadyClock::now();
    std::uint64_t const codes_before = codes_;
    exchange(measured, 16);
    double const cpu_s = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;
    double const wall_s = Seconds(SteadyClock::now() - before).count();
    double const per_exchange = 1e6 / static_cast<double>(measured);
    std::printf("%12llu codes behind: %6.1f us CPU, %6.1f us elapsed an exchange; %6.1f MB\n",
                static_cast<unsigned long long>(codes_before), cpu_s * per_exchange, wall_s * per_exchange,
                static_cast<double>(size()) / 1e6);
    std::fflush(stdout);
  }

  [[nodiscard]] std::uintmax_t size() const { return std::filesystem::file_size(path_); }
  [[nodiscard]] std::uint64_t codes() const { return codes_; }
  void close() const { file_.ledger->end(now_.wall); }

 private:
  static constexpr std::uint64_t maintained_each = 256;

  std::filesystem::path path_;
  storage::Now now_{.wall = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1),
                    .steady = SteadyClock::now()};
  storage::LedgerFile file_;
  std::uint64_t codes_ = 0;
  std::uint64_t since_maintenance_ = 0;
};

void measure_growth(std::filesystem::path const& folder, std::uint64_t codes) {
  Growing ledger(folder / "growth.db");
  ledger.measure();
  std::uintmax_t const size_before = ledger.size();
  std::uint64_t const codes_before = ledger.codes();
  for (std::uint64_t reached = 10'000; reached <= codes; reached *= 10) {
    ledger.exchange(reached - std::min(reached, ledger.codes()), 128);
    ledger.measure();
  }
  ledger.close();
  std::printf("%.0f bytes a code\n", static_cast<double>(ledger.size() - size_before) /
                                         static_cast<double>(ledger.codes() - codes_before));
}

int run(int argc, char** argv) {
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("onetap-bench-" + std::to_string(::getpid()));
  double seconds = 3;
  std::uint64_t codes = 1'000'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view const name = argv[i];
    if (name == "--folder")
      folder = std::filesystem::path(argv[i + 1]) / ("onetap-bench-" + std::to_string(::getpid()));
    if (name == "--seconds") seconds = std::atof(argv[i + 1]);
    if (name == "--codes") codes = std::strtoull(argv[i + 1], nullptr, 10);
  }
  std::filesystem::create_directories(folder);
  measure_group_commit(folder, seconds);
  if (codes > 0) measure_growth(folder, codes);
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace onetap::tests

int main(int argc, char** argv) {
  try {
    return onetap::tests::run(argc, argv);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "group_commit: %s\n", error.what());
    return 1;
  }
}

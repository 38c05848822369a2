#include "app/metrics/metrics.hpp"

#include <prometheus/text_serializer.h>

#include <utility>

#include "app/metrics/samples.hpp"
#include "app/worker.hpp"
#include "core/limits.hpp"

namespace onetap::app {
namespace {

namespace limits = core::limits;

struct Read {
  std::optional<ProcessFigures> process;
  std::optional<core::Result<LedgerFigures, std::string>> ledger;  // none: it was not asked for
};

}  // namespace

core::Task<> Metrics::run() {
  co_await core::shield_from_cancellation();
  while (!stopping_) {
    if (!wanted_) {
      [[maybe_unused]] bool const told = co_await services_.clock.wait(wake_, core::SteadyTime::max());
      continue;
    }
    wanted_ = false;
    co_await read_files();
    read_.notify_all();
  }
}

void Metrics::stop() {
  stopping_ = true;
  wake_.notify_all();
  read_.notify_all();
}

core::Task<std::string> Metrics::text() {
  wanted_ = true;
  wake_.notify_all();
  core::SteadyTime const patience = services_.clock.steady() + limits::metrics_patience;
  if (!stopping_) [[maybe_unused]]
    bool const was_read = co_await services_.clock.wait(read_, patience);
  auto serialize = [read = sample_all(), &instruments = services_.instruments] {
    std::vector<prometheus::MetricFamily> families = instruments.collect();
    families.insert(families.end(), read.begin(), read.end());
    return prometheus::TextSerializer().Serialize(families);
  };
  std::string text = co_await run_on(workers_, std::move(serialize));
  co_return text;
}

core::Task<> Metrics::read_files() {
  core::SteadyTime const now = services_.clock.steady();
  bool const is_old = !ledger_read_at_ || now - *ledger_read_at_ >= limits::ledger_figures_age;
  auto read = [is_old, database = services_.database, at = services_.clock.wall()] {
    Read made{.process = read_process_figures(), .ledger = std::nullopt};
    if (is_old) made.ledger = read_ledger_figures(database, at);
    return made;
  };
  Read made = co_await run_on(workers_, std::move(read));
  process_ = made.process;
  if (!made.ledger) co_return;
  ledger_read_at_ = now;
  if (*made.ledger) {
    ledger_ = std::move(**made.ledger);
  } else {
    services_.log.warn("ledger_not_read", {{"what", made.ledger->error()}});
  }
}

std::vector<prometheus::MetricFamily> Metrics::sample_all() const {
  Samples samples;
  sample(services_.state(), samples);
  if (ledger_) sample(*ledger_, samples);
  if (process_) sample(*process_, samples);
  return samples.take();
}

}  // namespace onetap::app

#include "app/metrics/samples.hpp"

#include <utility>

namespace onetap::app {

void Samples::begin(prometheus::MetricType type, std::string_view name, std::string_view help) {
  families_.push_back({.name = std::string(name), .help = std::string(help), .type = type, .metric = {}});
}

void Samples::add(double value, std::initializer_list<Label> labels) {
  prometheus::MetricFamily& family = families_.back();
  prometheus::ClientMetric metric;
  for (Label const& label : labels)
    metric.label.push_back({.name = std::string(label.name), .value = std::string(label.value)});
  if (family.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family.metric.push_back(std::move(metric));
}

std::vector<prometheus::MetricFamily> Samples::take() {
  std::erase_if(families_, [](prometheus::MetricFamily const& family) { return family.metric.empty(); });
  return std::exchange(families_, {});
}

}  // namespace onetap::app

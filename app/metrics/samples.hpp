#pragma once

#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace onetap::app {

/// What is read only when somebody asks for it, in families; those without a sample are left out.
class Samples {
 public:
  struct Label {
    std::string_view name;
    std::string_view value;
  };

  /// Begins a family; the samples that follow are its own.
  void counter(std::string_view name, std::string_view help) {
    begin(prometheus::MetricType::Counter, name, help);
  }
  void gauge(std::string_view name, std::string_view help) {
    begin(prometheus::MetricType::Gauge, name, help);
  }

  void add(double value, std::initializer_list<Label> labels = {});

  [[nodiscard]] std::vector<prometheus::MetricFamily> take();

 private:
  void begin(prometheus::MetricType type, std::string_view name, std::string_view help);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace onetap::app

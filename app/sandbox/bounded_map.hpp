#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>

namespace onetap::app {

/// A map that forgets its oldest keys: what comes from outside never grows without end.
template <class Value>
class BoundedMap {
 public:
  explicit BoundedMap(std::size_t size_max) : size_max_(size_max) {}

  /// The value of `key`, made new when there is none. Good until `size_max` other keys have come.
  [[nodiscard]] Value& at(std::string const& key) {
    auto const [place, is_new] = values_.try_emplace(key);
    if (!is_new) return place->second;
    Value& value = place->second;
    order_.push_back(key);
    if (order_.size() > size_max_) {
      values_.erase(order_.front());
      order_.pop_front();
    }
    return value;
  }

  [[nodiscard]] Value const* find(std::string const& key) const {
    auto const place = values_.find(key);
    return place == values_.end() ? nullptr : &place->second;
  }

  /// Oldest first.
  [[nodiscard]] std::deque<std::string> const& keys() const { return order_; }

  void clear() {
    values_.clear();
    order_.clear();
  }

 private:
  std::size_t size_max_;
  std::unordered_map<std::string, Value> values_;
  std::deque<std::string> order_;
};

}  // namespace onetap::app

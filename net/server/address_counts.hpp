#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <utility>

namespace onetap::net {

/// How many connections each address holds. Lives as long as every Place of it.
class AddressCounts {
 public:
  /// One connection of an address; none where its address holds too many already.
  class Place {
   public:
    Place() = default;
    Place(AddressCounts& counts, std::string key) : counts_(&counts), key_(std::move(key)) {}
    Place(Place&& other) noexcept
        : counts_(std::exchange(other.counts_, nullptr)), key_(std::move(other.key_)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(counts_, other.counts_);
      std::swap(key_, other.key_);
      return *this;
    }
    ~Place() {
      if (counts_ != nullptr) counts_->leave(key_);
    }
    [[nodiscard]] explicit operator bool() const { return counts_ != nullptr; }

   private:
    AddressCounts* counts_ = nullptr;
    std::string key_;
  };

  [[nodiscard]] Place enter(std::string const& key, std::size_t most) {
    std::size_t& count = counts_[key];
    if (count >= most) return {};
    ++count;
    return {*this, key};
  }

  [[nodiscard]] std::size_t addresses() const { return counts_.size(); }

 private:
  void leave(std::string const& key) {
    auto const found = counts_.find(key);
    if (--found->second == 0) counts_.erase(found);
  }

  std::unordered_map<std::string, std::size_t> counts_;
};

}  // namespace onetap::net

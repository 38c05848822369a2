#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "core/clock.hpp"
#include "core/secret.hpp"

namespace onetap::core {

/// Ordered: a log at level `info` writes `error`, `warn` and `info`.
enum class LogLevel { error, warn, info, debug };

[[nodiscard]] std::string_view to_string(LogLevel level);
[[nodiscard]] std::optional<LogLevel> log_level_from(std::string_view text);

/// One member of a log line. Holds views: it lives no longer than the call it is made for. There is none
/// for a secret, a code, a token or a phone number; a number that isn't finite becomes null.
class Field {
 public:
  using Value = std::variant<std::string_view, bool, std::int64_t, std::uint64_t, double>;

  template <std::convertible_to<std::string_view> Text>
  Field(std::string_view name, Text const& text) : name_(name), value_(std::string_view(text)) {}
  template <std::same_as<bool> Bool>
  Field(std::string_view name, Bool flag) : name_(name), value_(flag) {}
  template <std::signed_integral Integer>
    requires(!std::same_as<Integer, char>)
  Field(std::string_view name, Integer number) : name_(name), value_(std::int64_t{number}) {}
  template <std::unsigned_integral Integer>
    requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>)
  Field(std::string_view name, Integer number) : name_(name), value_(std::uint64_t{number}) {}
  template <std::floating_point Number>
  Field(std::string_view name, Number number) : name_(name), value_(static_cast<double>(number)) {}

  template <class Tag>
  Field(std::string_view name, Confidential<Tag> const& what_is_confidential_is_never_logged) = delete;
  Field(std::string_view name, PhoneNumber const& what_is_confidential_is_never_logged) = delete;

  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] Value const& value() const { return value_; }

 private:
  std::string_view name_;
  Value value_;
};

/// Writes one JSON object per line: ts (ISO 8601, UTC, milliseconds), level, msg, then the fields in the
/// order given. Strings are escaped; bytes that are no UTF-8 become U+FFFD. The calls may come from any
/// thread if sink and clock bear it.
class Log {
 public:
  /// Gets a line without its line end, and writes it whatever its level is; must not throw.
  using Sink = std::function<void(LogLevel, std::string_view line)>;
  using WallClock = std::function<WallTime()>;

  Log(Sink sink, LogLevel level, WallClock wall_clock);
  Log(Log const&) = delete;
  Log& operator=(Log const&) = delete;
  ~Log() = default;

  void error(std::string_view msg, std::initializer_list<Field> fields = {}) const;
  void warn(std::string_view msg, std::initializer_list<Field> fields = {}) const;
  void info(std::string_view msg, std::initializer_list<Field> fields = {}) const;
  void debug(std::string_view msg, std::initializer_list<Field> fields = {}) const;

  /// Written at every level, as `info`: for the lines that scripts wait for ("listening").
  void always(std::string_view msg, std::initializer_list<Field> fields = {}) const;

  /// For lines whose fields are gathered at run time.
  void write(LogLevel level, std::string_view msg, std::span<Field const> fields) const;

  [[nodiscard]] bool writes(LogLevel level) const { return level <= level_.load(std::memory_order_relaxed); }
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

 private:
  void emit(LogLevel level, std::string_view msg, std::span<Field const> fields) const;

  Sink sink_;
  std::atomic<LogLevel> level_;
  WallClock wall_clock_;
};

}  // namespace onetap::core

#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "app/option_values.hpp"
#include "app/settings.hpp"

namespace onetap::app {

/// One setting: the only home of its name, default and explanation.
struct Option {
  std::string_view group;
  std::string_view variable;
  std::string_view value_name;
  // NOLINTBEGIN(readability-redundant-member-init): without them a row must name both (-Wextra)
  std::string_view default_text{};          // empty: none
  std::string_view sandbox_default_text{};  // empty: as default_text
  // NOLINTEND(readability-redundant-member-init)
  bool secret = false;  // taken from the variable or a file, never from a flag
  std::string_view help;
  Problem (*apply)(std::string_view text, Settings& settings);

  /// The variable without its prefix in kebab case: "--wechat-url". Of a secret, "--admin-token".
  [[nodiscard]] std::string flag() const;
  /// Of a secret: "ONETAP_ADMIN_TOKEN_FILE" and "--admin-token-file".
  [[nodiscard]] std::string file_variable() const;
  [[nodiscard]] std::string file_flag() const;
};

/// In the order of the help text, groups together.
[[nodiscard]] std::span<Option const> options();

/// "ONETAP_WECHAT_URL" → "--wechat-url", "APPID" → "--appid".
[[nodiscard]] std::string flag_of(std::string_view variable);

/// What `onetap serve --help` prints; no line is longer than 100 columns.
[[nodiscard]] std::string serve_help();

}  // namespace onetap::app

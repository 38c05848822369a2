#pragma once

#include <string>

#include "core/secret.hpp"

namespace onetap::core {

/// A mini program, and the AppSecret that WeChat knows it by. One home for all that ask WeChat in its name, so
/// that a secret reset in the console takes effect everywhere at once.
struct AppAccount {
  std::string appid;
  AppSecret secret;
};

}  // namespace onetap::core

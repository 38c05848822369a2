#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/secret.hpp"

namespace onetap::core {

/// A mini program, and the AppSecret that WeChat knows it by. One home for all that ask WeChat in its name,
/// so that a secret reset in the console takes effect everywhere at once.
struct AppAccount {
  std::string appid;
  AppSecret secret;
};

/// Who acts for a mini program; asked only for those that are served.
template <class Service>
using ByApp = std::function<Service&(std::string_view appid)>;

}  // namespace onetap::core

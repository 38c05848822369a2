#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/task.hpp"

namespace onetap::core {

/// A user by whom many codes came.
struct TopUser {
  std::string appid;
  std::string user;  // the first 16 hex digits of the ledger's user_key: a keyed digest
  std::int64_t codes = 0;
};

/// Of the last hours, the most first, at most limits::top_rows_max; a sentence where the ledger cannot be
/// read.
using ReadTopUsers = std::function<Task<Result<std::vector<TopUser>, std::string>>(int hours)>;

}  // namespace onetap::core

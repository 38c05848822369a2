#pragma once

#include <boost/system/result.hpp>

namespace onetap::core {

/// A value, or the reason why there is none. For what can be expected to happen; exceptions are for
/// broken promises only.
template <class Value, class Reason>
using Result = boost::system::result<Value, Reason>;

}  // namespace onetap::core

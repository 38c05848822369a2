#pragma once

namespace onetap::core {

/// How much a caller must prove (contract, "Who the caller is"); each level includes those before it.
enum class VerifyLevel { none, origin, session, signature };

}  // namespace onetap::core

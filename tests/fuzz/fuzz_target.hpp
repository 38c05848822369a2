#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// What a fuzz target defines: looks at any bytes at all, and ends the process when a promise is broken.
/// libFuzzer calls it with bytes of its own making (preset fuzz); everywhere else replay_main.cpp calls it
/// with the corpus.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace onetap::tests {

inline std::string_view text_of(std::uint8_t const* data, std::size_t size) {
  return {reinterpret_cast<char const*>(data), size};
}

/// A promise of the code under test.
inline void promise(bool kept) {
  if (!kept) __builtin_trap();
}

}  // namespace onetap::tests

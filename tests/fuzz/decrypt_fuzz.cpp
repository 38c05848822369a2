// encryptedData, iv and session_key, a line each: whatever they are, an answer and no more.
#include <array>
#include <string>

#include "core/crypto/user_data.hpp"
#include "core/limits.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace core = onetap::core;
using onetap::tests::promise;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text = onetap::tests::text_of(data, size);
  std::array<std::string_view, 3> parts;
  for (std::string_view& part : parts) {
    part = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
  }
  auto const opened =
      core::crypto::open_user_data(parts[0], parts[1], core::SessionKey(std::string(parts[2])));
  promise(!opened || opened->reveal().size() < core::limits::encrypted_data_bytes_max);
  return 0;
}

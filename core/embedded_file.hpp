#pragma once

#include <span>
#include <string_view>

namespace onetap::core {

/// A text file that CMake's embed_files() put into the binary; lives as long as the program.
struct EmbeddedFile {
  std::string_view path;
  std::string_view text;
};

}  // namespace onetap::core

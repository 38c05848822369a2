// Configuration, NAME=VALUE a line, lines that begin with "--" are arguments: either settings or sentences.
#include <string>
#include <vector>

#include "app/settings.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace app = onetap::app;
using onetap::tests::promise;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text = onetap::tests::text_of(data, size);
  std::vector<std::string> arguments;
  app::Environment environment;
  while (!text.empty()) {
    std::string_view const line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::size_t const equals = line.find('=');
    if (line.starts_with("--")) {
      arguments.emplace_back(line);
    } else if (equals != std::string_view::npos) {
      environment[std::string(line.substr(0, equals))] = line.substr(equals + 1);
    }
  }
  auto const no_files = [](std::string const&) {
    return onetap::core::Result<std::string, std::string>(boost::system::in_place_error, "no files here");
  };
  auto const parsed = app::parse_settings(arguments, environment, no_files);
  if (!parsed) {
    promise(!parsed.error().empty());
    for (std::string const& line : parsed.error()) promise(!line.empty());
    return 0;
  }
  promise(!parsed->settings.appid.empty() && !parsed->settings.secret.empty());
  promise(parsed->settings.replay_window.count() > 0);
  return 0;
}

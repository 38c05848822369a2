#include "net/server/request_target.hpp"

namespace onetap::net {

RequestTarget read_target(std::string_view target, std::string_view prefix, Router const& router) {
  auto const question = target.find('?');
  std::string_view const path = target.substr(0, question);
  std::string_view const query =
      question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  if (prefix.empty()) return {.path = path, .query = query, .as_sent = std::string(target)};

  std::string_view const rest = path.substr(path.starts_with(prefix) ? prefix.size() : 0);
  bool const has_prefix =
      path.starts_with(prefix) && (rest.empty() || rest.front() == '/') && !router.knows(path);
  if (!has_prefix) return {.path = path, .query = query, .as_sent = std::string(prefix).append(target)};
  constexpr std::string_view root = "/";
  return {.path = rest.empty() ? root : rest, .query = query, .as_sent = std::string(target)};
}

}  // namespace onetap::net

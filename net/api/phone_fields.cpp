#include "net/api/phone_fields.hpp"

#include "core/limits.hpp"

namespace onetap::net {
namespace {

bool is_scene(std::string_view text) {
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !text.empty() && text.size() <= core::limits::scene_bytes_max &&
         text.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

core::Kind read_kind(BodyReader& body) {
  std::string_view const kind = body.optional("kind");
  if (body.has("kind") && kind != "quick" && kind != "realtime") body.fault("kind must be quick or realtime");
  return kind == "realtime" ? core::Kind::realtime : core::Kind::quick;
}

std::string_view read_scene(BodyReader& body) {
  std::string_view const scene = body.optional("scene");
  if (body.has("scene") && !is_scene(scene)) body.fault("scene must be 1 to 32 of A-Z a-z 0-9 _ . -");
  return scene;
}

}  // namespace onetap::net

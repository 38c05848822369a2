#include "app/mini_programs_file.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "app/option_values.hpp"
#include "core/json.hpp"

namespace onetap::app {
namespace {

namespace json = boost::json;

constexpr std::size_t apps_max = 64;

/// Reads one app's object; each fault becomes a line that names its place.
class AppReader {
 public:
  AppReader(json::object const& object, std::string place, FileReader const& read_file,
            std::vector<std::string>& problems)
      : object_(object), place_(std::move(place)), read_file_(read_file), problems_(problems) {}

  MiniProgramSettings read(MiniProgramSettings const& usual) {
    MiniProgramSettings app = usual;
    take("appid", true, [&](std::string_view text) { return read_appid(text, app.appid); });
    take("secretFile", true, [&](std::string_view path) {
      app.secret_file_path = path;
      return read_secret(path, [&](std::string_view text) { return read_app_secret(text, app.secret); });
    });
    take("priceQuick", false,
         [&](std::string_view text) { return read_price(text, app.price_quick_micro_yuan); });
    take("priceRealtime", false,
         [&](std::string_view text) { return read_price(text, app.price_realtime_micro_yuan); });
    take("spuQuick", false, [&](std::string_view text) { return read_spu_id(text, app.spu_ids.quick); });
    take("spuRealtime", false,
         [&](std::string_view text) { return read_spu_id(text, app.spu_ids.realtime); });
    take("tokenFile", false, [&](std::string_view path) {
      app.token_file_path = path;
      return Problem();
    });
    read_push(app);
    for (auto const& member : object_) refuse_unknown(member.key());
    return app;
  }

 private:
  static constexpr std::array<std::string_view, 9> known{"appid",         "secretFile",    "priceQuick",
                                                         "priceRealtime", "tokenFile",     "spuQuick",
                                                         "spuRealtime",   "pushTokenFile", "pushAesKeyFile"};

  template <class Apply>
  void take(std::string_view name, bool required, Apply apply) {
    auto const text = core::string_member(object_, name);
    bool const is_there = object_.contains(name);
    if (!is_there && !required) return;
    Problem const problem = text ? apply(*text) : Problem(is_there ? "must be a text" : "is missing");
    if (problem) problems_.push_back(place_ + std::string(name) + ": " + *problem);
  }

  // An app with a token of its own has a key of its own, or none.
  void read_push(MiniProgramSettings& app) {
    core::PushSecrets& push = app.push;
    if (object_.contains("pushTokenFile")) push = {};
    take("pushTokenFile", false, [&](std::string_view path) {
      app.push_token_file_path = path;
      return read_secret(path, [&](std::string_view text) { return read_push_token(text, push.token); });
    });
    take("pushAesKeyFile", false, [&](std::string_view path) {
      app.push_aes_key_file_path = path;
      return read_secret(path, [&](std::string_view text) { return read_push_aes_key(text, push.aes_key); });
    });
    if (!push.aes_key.empty() && push.token.empty() && !object_.contains("pushTokenFile"))
      problems_.push_back(place_ + "pushAesKeyFile: is of no use without pushTokenFile");
  }

  template <class Read>
  Problem read_secret(std::string_view path, Read read) const {
    auto text = read_file_(std::string(path));
    if (!text) return "cannot read " + std::string(path) + ": " + text.error();
    if (text->ends_with('\n')) text->pop_back();
    return read(*text);
  }

  void refuse_unknown(std::string_view name) {
    if (std::ranges::find(known, name) == known.end())
      problems_.push_back(place_ + std::string(name) + ": there is no such member in this version");
  }

  json::object const& object_;
  std::string place_;
  FileReader const& read_file_;
  std::vector<std::string>& problems_;
};

}  // namespace

core::Result<std::vector<MiniProgramSettings>, std::vector<std::string>> read_mini_programs(
    std::string_view text, MiniProgramSettings const& usual, FileReader const& read_file) {
  std::vector<std::string> problems;
  std::vector<MiniProgramSettings> apps;
  auto const file = core::parse_client_json(text);
  json::value const* const listed = file ? file->if_contains("apps") : nullptr;
  json::array const* const array = listed != nullptr ? listed->if_array() : nullptr;
  if (array == nullptr || array->empty() || array->size() > apps_max)
    return std::vector<std::string>{
        R"(ONETAP_APPS: must be JSON, {"apps": [{"appid": …, "secretFile": …}, …]}, of 1 to 64)"};
  for (std::size_t i = 0; i < array->size(); ++i) {
    std::string const place = "ONETAP_APPS: apps[" + std::to_string(i) + "].";
    json::object const* const object = (*array)[i].if_object();
    if (object == nullptr) {
      problems.push_back(place + " must be an object");
      continue;
    }
    apps.push_back(AppReader(*object, place, read_file, problems).read(usual));
    bool const is_twice = std::ranges::count(apps, apps.back().appid, &MiniProgramSettings::appid) > 1;
    if (is_twice && !apps.back().appid.empty())
      problems.push_back(place + "appid: " + apps.back().appid + " comes twice");
  }
  if (!problems.empty()) return problems;
  return apps;
}

}  // namespace onetap::app

#include "app/scenario/page.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace onetap::app {

namespace json = boost::json;

std::optional<std::string> words_without_call(TapEvent const& tap) {
  constexpr int no_quota = 1400001;
  if (tap.error_number == no_quota) return std::string(page_says_no_quota);
  if (tap.error_message == "getPhoneNumber:ok" && !tap.code.empty()) return std::nullopt;
  return std::string(page_says_not_authorised);
}

std::string words_for_answer(int status, std::string_view body) {
  constexpr int http_ok = 200;
  if (status == http_ok) return std::string(page_says_success);
  boost::system::error_code failure;
  json::value const value = json::parse(body, failure);
  json::object const* const object = failure ? nullptr : value.if_object();
  json::value const* const detail = object == nullptr ? nullptr : object->if_contains("detail");
  if (detail != nullptr && detail->is_string()) return std::string(detail->get_string());
  return std::string(page_says_server_fault);
}

}  // namespace onetap::app

// A client's JSON body: what is accepted is one object; written out it is accepted again, with the same
// names. (Not the same doubles: Boost 1.81 reads those to within one unit in the last place.)
#include <boost/json/serialize.hpp>
#include <tuple>

#include "core/json.hpp"
#include "net/api/body_reader.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using onetap::tests::promise;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text = onetap::tests::text_of(data, size);
  auto const body = onetap::core::parse_client_json(text);
  onetap::net::BodyReader reader(text);
  std::string_view const code = reader.required("code");
  for (onetap::net::BodyReader& part : reader.required_objects("events")) {
    std::ignore = part.required("id");
    std::ignore = part.required_integer("at");
    reader.fault_of(part);
  }
  promise(body || !reader.is_faultless());
  promise(reader.is_faultless() || code.empty() || body->contains("code"));
  if (!body) return 0;
  auto const again = onetap::core::parse_client_json(boost::json::serialize(*body));
  promise(again && again->size() == body->size());
  for (auto const& member : *again) promise(body->contains(member.key()));
  return 0;
}

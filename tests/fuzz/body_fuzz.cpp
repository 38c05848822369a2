// A client's JSON body: what is accepted is one object, written out it reads the same.
#include <boost/json/serialize.hpp>

#include "core/json.hpp"
#include "net/api/body_reader.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using onetap::tests::promise;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text = onetap::tests::text_of(data, size);
  auto const body = onetap::core::parse_client_json(text);
  onetap::net::BodyReader reader(text);
  std::string_view const code = reader.required("code");
  promise(body || !reader.is_faultless());
  promise(reader.is_faultless() || code.empty() || body->contains("code"));
  if (!body) return 0;
  auto const again = onetap::core::parse_client_json(boost::json::serialize(*body));
  promise(again && *again == *body);
  return 0;
}

// A request's head: whatever the policy layer lets pass, Beast must read as the policy did.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "core/limits.hpp"
#include "net/server/http_policy.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace http = boost::beast::http;
namespace limits = onetap::core::limits;
using onetap::tests::promise;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const bytes = onetap::tests::text_of(data, size);
  std::size_t const end = onetap::net::end_of_head(bytes);
  promise(end <= size);
  if (end == 0) {
    bool const refused = onetap::net::judge_partial_head(bytes).has_value();
    promise(refused || size <= limits::request_line_bytes_max + limits::header_bytes_max + 4);
    return 0;
  }
  std::string_view const head = bytes.substr(0, end);
  onetap::net::RequestHead const parsed = onetap::net::parse_head(head);
  if (parsed.refusal) return 0;

  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits::header_bytes_max + limits::request_line_bytes_max));
  parser.body_limit(boost::none);
  boost::system::error_code error;
  parser.put(boost::asio::buffer(head), error);
  bool const is_read = parser.is_header_done() && (!error || error == http::error::need_more);
  if (!is_read) return 0;
  auto const& fields = parser.get();
  promise(!parser.chunked());
  promise(fields.count(http::field::transfer_encoding) == 0);
  promise(fields.count(http::field::upgrade) == 0);
  promise(fields.count(http::field::host) <= 1);
  promise(fields.version() != 11 || fields.count(http::field::host) == 1);
  promise(fields.count(http::field::content_length) <= 1);
  promise(parser.content_length().value_or(0) == parsed.content_length);
  promise(fields.method() != http::verb::connect && fields.method() != http::verb::trace);
  promise(fields.method_string() == parsed.method && fields.target() == parsed.target);
  for (onetap::net::Header const& field : parsed.headers) {
    auto const [first, last] = fields.equal_range(field.name);
    promise(std::any_of(first, last, [&](auto const& theirs) { return theirs.value() == field.value; }));
  }
  return 0;
}

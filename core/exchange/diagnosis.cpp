#include "core/exchange/diagnosis.hpp"

#include "core/limits.hpp"

namespace onetap::core {
namespace {

bool looks_like_login_code(Code const& code) {
  constexpr std::size_t login_code_bytes = 32;  // as seen; codes of the button have had 64, all hex digits
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string_view const text = code.reveal();
  return text.size() == login_code_bytes && text.find_first_not_of(alphabet) == std::string_view::npos;
}

}  // namespace

Reason diagnose(Code const& code, ledger::Trace const& trace, WallTime now) {
  if (trace.used) return Reason::consumed_here;
  if (trace.issued) return now - *trace.issued >= limits::code_life ? Reason::expired : Reason::unknown;
  return looks_like_login_code(code) ? Reason::login_code : Reason::unknown;
}

}  // namespace onetap::core

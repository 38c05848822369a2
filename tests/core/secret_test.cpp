#include "core/secret.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <concepts>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

namespace onetap::core {
namespace {

template <class T>
concept Printable = requires(std::ostream& out, T const& value) { out << value; };
template <class T>
concept Comparable = requires(T const& left, T const& right) { left == right; };
template <class T>
concept Ordered = requires(T const& left, T const& right) { left < right; };

static_assert(Printable<std::string> && Comparable<std::string> && Ordered<std::string>);

template <class Secret>
constexpr bool is_kept =
    !Printable<Secret> && !Comparable<Secret> && !Ordered<Secret> &&
    !std::is_convertible_v<Secret, std::string> && !std::is_convertible_v<Secret, std::string_view> &&
    !std::is_convertible_v<Secret, char const*> && !std::is_convertible_v<Secret, bool> &&
    !std::is_constructible_v<std::string, Secret> && !std::is_convertible_v<std::string, Secret> &&
    !std::is_convertible_v<char const*, Secret>;

static_assert(is_kept<AppSecret>);
static_assert(is_kept<AccessToken>);
static_assert(is_kept<Code>);
static_assert(is_kept<IdempotencyKey>);
static_assert(is_kept<JsCode>);
static_assert(is_kept<OpenId>);
static_assert(is_kept<SessionKey>);
static_assert(is_kept<ServiceToken>);
static_assert(is_kept<OperatorToken>);
static_assert(is_kept<Confidential<PhoneNumberTag>>);
static_assert(!Printable<PhoneNumber> && !Comparable<PhoneNumber>);

static_assert(!std::is_constructible_v<Code, IdempotencyKey> && !std::is_assignable_v<Code&, IdempotencyKey>);
static_assert(std::is_nothrow_move_constructible_v<Code> && std::is_nothrow_move_assignable_v<Code>);

constexpr std::string_view long_text = "long enough to live on the heap, where strings keep it";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t longest_run_of_digits(std::string_view text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (char const c : text) {
    run = is_digit(c) ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

std::size_t digits_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, is_digit));
}

rc::Gen<std::string> digits() { return rc::gen::container<std::string>(rc::gen::inRange('0', ':')); }

TEST_CASE("a secret shows itself only when asked to") {
  CHECK(Code("abc").reveal() == "abc");
  CHECK(Code().empty());
  CHECK_FALSE(Code("abc").empty());
}

TEST_CASE("a secret that was moved from is empty, however short it was") {
  for (std::string_view const text : {std::string_view("short"), long_text}) {
    Code from{std::string(text)};
    Code const to(std::move(from));
    CHECK(to.reveal() == text);
    CHECK(from.empty());  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move): it is promised

    Code source{std::string(text)};
    Code target("before");
    target = std::move(source);
    CHECK(target.reveal() == text);
    CHECK(source.empty());  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move): it is promised
  }
}

TEST_CASE("a copied secret leaves the first as it was") {
  Code const from{std::string(long_text)};
  Code const copy(from);  // NOLINT(performance-unnecessary-copy-initialization): the copy is the point
  Code assigned("before");
  assigned = from;
  CHECK(from.reveal() == long_text);
  CHECK(copy.reveal() == long_text);
  CHECK(assigned.reveal() == long_text);
}

TEST_CASE("a secret assigned to itself stays") {
  Code code("abc");
  Code& same = code;
  code = same;
  CHECK(code.reveal() == "abc");
  code = std::move(same);
  CHECK(code.reveal() == "abc");
}

TEST_CASE("a Chinese mobile number is masked as people know it") {
  CHECK(mask_phone_number("13800138000") == "138****8000");
  PhoneNumber const number{
      .phone_number = Confidential<PhoneNumberTag>("+8613800138000"),
      .pure_phone_number = Confidential<PurePhoneNumberTag>("13800138000"),
      .country_code = "86",
  };
  CHECK(number.mask() == "138****8000");
}

TEST_CASE("a shorter number shows less") {
  CHECK(mask_phone_number("51234567") == "****67");
  CHECK(mask_phone_number("1234567890") == "****90");
  CHECK(mask_phone_number("12345") == "****5");
  CHECK(mask_phone_number("1234") == "****");
  CHECK(mask_phone_number("").find_first_of("0123456789") == std::string::npos);
}

TEST_CASE("a mask shows at most four digits in a row, and hides at least four") {
  CHECK(rc::check([] {
    std::string const number = *digits();
    std::string const mask = mask_phone_number(number);
    RC_ASSERT(longest_run_of_digits(mask) <= 4U);
    RC_ASSERT(digits_in(mask) <= 7U);
    RC_ASSERT(digits_in(mask) + std::min<std::size_t>(4, number.size()) <= number.size());
  }));
}

TEST_CASE("the digits in the middle leave no trace in a mask") {
  CHECK(rc::check([] {
    std::string const front = *rc::gen::container<std::string>(3, rc::gen::inRange('0', ':'));
    std::string const back = *rc::gen::container<std::string>(4, rc::gen::inRange('0', ':'));
    std::string const middle =
        *rc::gen::suchThat(digits(), [](std::string const& text) { return text.size() >= 4; });
    RC_ASSERT(mask_phone_number(front + middle + back) == front + "****" + back);
  }));
}

}  // namespace
}  // namespace onetap::core

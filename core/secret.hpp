#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

namespace onetap::core {

/// Text that must not be printed, logged or compared by accident: there is no conversion, no operator<<
/// and no operator==. The only way in is reveal(), which is easy to search for. The memory is wiped when
/// the value goes. `Tag` keeps one kind of secret from standing in for another.
template <class Tag>
class Confidential {
 public:
  Confidential() = default;
  explicit Confidential(std::string text) : text_(std::move(text)) {}
  Confidential(Confidential const&) = default;
  Confidential(Confidential&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
  Confidential& operator=(Confidential const& other) {
    if (this != &other) {
      wipe();
      text_ = other.text_;
    }
    return *this;
  }
  Confidential& operator=(Confidential&& other) noexcept {
    if (this != &other) {
      wipe();
      text_ = std::move(other.text_);
      other.wipe();
    }
    return *this;
  }
  ~Confidential() { wipe(); }

  [[nodiscard]] std::string_view reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  void wipe() noexcept {
    auto* bytes = static_cast<char volatile*>(text_.data());
    for (std::size_t i = 0; i < text_.size(); ++i) bytes[i] = 0;
    text_.clear();
  }

  std::string text_;
};

using AppSecret = Confidential<struct AppSecretTag>;
using AccessToken = Confidential<struct AccessTokenTag>;
using Code = Confidential<struct CodeTag>;
using IdempotencyKey = Confidential<struct IdempotencyKeyTag>;
using JsCode = Confidential<struct JsCodeTag>;          // wx.login's
using OpenId = Confidential<struct OpenIdTag>;          // a user, as one mini program knows it
using SessionKey = Confidential<struct SessionKeyTag>;  // WeChat's, base64 of 16 bytes as it came
using ServiceToken = Confidential<struct ServiceTokenTag>;
using PushToken = Confidential<struct PushTokenTag>;  // what WeChat signs its pushes with
using PushAesKey =
    Confidential<struct PushAesKeyTag>;  // EncodingAESKey: 43 characters as the console shows them
using OperatorToken = Confidential<struct OperatorTokenTag>;
using AlertPath =
    Confidential<struct AlertPathTag>;  // of the receiver's URL: a WeCom robot's key is in its query
using AlertSecret = Confidential<struct AlertSecretTag>;  // what alarms are signed with

/// What a caller may see of a phone number, and what the ledger and the logs may: at most the first
/// three and the last four digits, never more than four in a row.
[[nodiscard]] std::string mask_phone_number(std::string_view digits);

/// A number as WeChat gave it (facts/wechat-api.md §1.2); country_code is digits without "+".
struct PhoneNumber {
  Confidential<struct PhoneNumberTag> phone_number;
  Confidential<struct PurePhoneNumberTag> pure_phone_number;
  std::string country_code;

  [[nodiscard]] std::string mask() const { return mask_phone_number(pure_phone_number.reveal()); }
};

}  // namespace onetap::core

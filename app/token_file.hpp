#pragma once

#include <boost/asio/thread_pool.hpp>
#include <string>

#include "core/token/source.hpp"

namespace onetap::app {

/// ONETAP_TOKEN_MODE=file:PATH: a central token service writes the file, and WeChat is never asked here. It
/// is read every half a minute, and when WeChat has refused what was in it.
class TokenFile final : public core::TokenSource {
 public:
  /// `clock` outlives it.
  TokenFile(std::string path, core::Clock const& clock) : path_(std::move(path)), clock_(clock) {}
  ~TokenFile() override { worker_.join(); }

  [[nodiscard]] core::Task<core::TokenAnswer> fetch(core::SteadyTime deadline) override;
  [[nodiscard]] bool is_ours() const override { return false; }

 private:
  std::string path_;
  core::Clock const& clock_;
  boost::asio::thread_pool worker_{1};
};

/// What such a file says: the token alone, or a JSON object with access_token and, if it likes, expires_at
/// (unix seconds).
[[nodiscard]] core::TokenAnswer read_token_file(std::string_view text, core::WallTime now);

}  // namespace onetap::app

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/demo/stage.hpp"
#include "app/scenario/page.hpp"
#include "app/scenario/runner.hpp"
#include "core/exchange/problem.hpp"

namespace onetap::app {

/// One scene as it went: what happened, and what page, WeChat and ledger have to say about it.
struct Scene {
  std::string title;  // "Li taps and agrees"
  std::string told;   // "200, the number is hers"
  std::string page;
  std::string wechat;
  std::string ledger;
  std::vector<Mismatch> mismatches;
};

/// The ten scenes, one after the other: each does what its people do, then looks at what the sandbox's
/// journal and the ledger say about it. Every figure is from the run; numbers are masked.
class Story {
 public:
  static constexpr int scenes = 10;

  Story(Stage& stage, core::Language language) : stage_(stage), language_(language) {}

  /// `number` is 1 to scenes, in this order.
  [[nodiscard]] Scene play(int number);

 private:
  struct Presented {
    CallAnswer answer;
    std::string number_mask;  // "138****8000"; empty without a number
    std::string request_id;

    [[nodiscard]] std::string words() const;
  };

  struct Figures {
    WechatTotals wechat;
    LedgerTotals ledger;
  };

  [[nodiscard]] Scene li_agrees();
  [[nodiscard]] Scene reply_lost();
  [[nodiscard]] Scene stranger();
  [[nodiscard]] Scene wang_declines();
  [[nodiscard]] Scene no_quota();
  [[nodiscard]] Scene expired_code();
  [[nodiscard]] Scene token_dies();
  [[nodiscard]] Scene answer_lost();
  [[nodiscard]] Scene killed();
  [[nodiscard]] Scene twenty_phones();

  [[nodiscard]] Scene tap_without_code(TapEvent const& tap, std::string_view expected_words);
  [[nodiscard]] CallRequest request(std::string_view code, std::string_view key) const;
  [[nodiscard]] Presented present(std::string_view code, std::string_view key);
  [[nodiscard]] static Presented understood(CallAnswer answer);

  /// How often WeChat was asked with the code.
  std::int64_t see_wechat(Scene& scene, std::string_view code,
                          std::vector<std::optional<std::int64_t>> const& expected_errcodes);
  void see_row(Scene& scene, std::string_view request_id, std::string_view expected_state,
               std::int64_t expected_attempts);
  void see_nothing_new(Scene& scene, Figures const& before);
  [[nodiscard]] Figures figures(Scene& scene);
  /// `where` chooses among the ledger's entries.
  [[nodiscard]] std::string units(std::string_view account, std::string const& where) const;
  [[nodiscard]] std::string units_and_yuan(std::string const& where) const;
  [[nodiscard]] core::Result<storage::Table, std::string> booked(std::string_view account,
                                                                 std::string const& where) const;

  [[nodiscard]] std::string say(std::string_view english, std::string_view chinese) const {
    return std::string(language_ == core::Language::chinese ? chinese : english);
  }
  [[nodiscard]] std::string count_of(std::int64_t count, std::string_view english_one,
                                     std::string_view english_many, std::string_view chinese) const;

  Stage& stage_;
  core::Language language_;
  std::string li_key_ = new_key();
  std::string li_mask_;

  [[nodiscard]] static std::string new_key();
};

}  // namespace onetap::app

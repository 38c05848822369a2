#include "core/token/source.hpp"

namespace onetap::core {

Task<TokenAnswer> WeChatTokens::fetch(SteadyTime deadline) {
  WeChatReply const reply =
      co_await wechat_.get_access_token(endpoint_, account_.appid, account_.secret, deadline);
  co_return judge_token_answer(reply);
}

}  // namespace onetap::core

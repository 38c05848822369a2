#pragma once

#include <functional>
#include <string>

#include "app/sandbox/wechat_state.hpp"
#include "core/clock.hpp"
#include "core/task.hpp"
#include "net/stream.hpp"

namespace onetap::app {

/// What the pieces of an answer that drips wait by; `stopping` ends it.
struct DripPace {
  core::Clock& clock;
  core::Signal& stopping;
  bool const& is_stopping;
};

/// How an answer breaks on its way: what is written to a connection instead of the answer, and how the
/// connection ends. None for the manners in which an answer arrives, early or late, or not at all.
///
///   reset         nothing; a TCP reset
///   cut_head      the first bytes of the head, and an end in order
///   drip          the whole, a byte at a time
///   huge          10 MiB in chunks
///   length_…      a Content-Length that is too short, too long, or there twice
///   bad_chunk     a chunk, and one longer than any number
///   tls_alert     the head and half of the body, then a fatal alert
///   no_goodbye    no length, the whole body, and an end without close_notify
[[nodiscard]] std::function<core::Task<>(net::Stream&)> broken_delivery(WechatAnswer const& answer,
                                                                        DripPace pace);

}  // namespace onetap::app

#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "core/clock.hpp"
#include "net/server/address_counts.hpp"

namespace onetap::net {

namespace asio = boost::asio;

/// A client that has been accepted and has not said a word yet.
struct Newcomer {
  asio::ip::tcp::socket socket;
  asio::ip::address peer;       // without a disguise
  AddressCounts::Place place;   // among the connections of its address, where these are counted
  core::SteadyTime deadline{};  // of its first byte, and of all that comes before its first request
};

}  // namespace onetap::net

// How many replies there are in the bytes of a connection.
#pragma once

#include <cstddef>
#include <string_view>

namespace redoubt {

// Counts the whole RESP values, of either version, that are no push messages. Attributes belong to
// the value behind them. What is incomplete at the end does not count.
size_t count_replies(std::string_view bytes);

}  // namespace redoubt

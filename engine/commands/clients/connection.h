// What the files of the connection family share.
#pragma once

#include <span>
#include <string_view>

#include "engine/dispatch/context.h"

namespace redoubt {

// The rows of CLIENT's subcommands (connection_client.cc).
inline constexpr size_t kClientSubcommandCount = 19;
extern const Command kClientSubcommands[kClientSubcommandCount];

// Client-side caching (tracking.cc).
void client_tracking(Context& c);
void client_caching(Context& c);
void client_getredir(Context& c);
void client_trackinginfo(Context& c);

// Names of clients and libraries: no blanks, line ends, or what a terminal does not show.
bool is_client_name(std::string_view name);
inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// Gives this user's rights to the session. False, and counted: there is no such user, or the
// password is not his.
bool authenticate(Context& c, std::string_view user, std::string_view password);

}  // namespace redoubt

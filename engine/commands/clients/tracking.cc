// CLIENT TRACKING and its kin: a client's cache, and who keeps it honest.
#include "engine/clients/tracking.h"
#include "engine/clients/clients.h"
#include "engine/clients/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include "engine/commands/arguments.h"
#include "engine/commands/clients/connection.h"

namespace redoubt {

namespace {

// Reads the options behind ON or OFF.
bool read_options(Context& c, TrackingOptions& options) {
  for (size_t i = 3; i < c.args.size(); ++i) {
    const bool more = i + 1 < c.args.size();
    if (c.is(i, "REDIRECT") && more) {
      ++i;
      if (options.redirect != 0) {
        c.error("ERR A client can only redirect to a single other client");
        return false;
      }
      const std::optional<int64_t> id = c.integer(i);
      if (!id) return false;
      if (c.clients().sessions().find(static_cast<uint64_t>(*id)) == nullptr) {
        c.error("ERR The client ID you want redirect to does not exist");
        return false;
      }
      options.redirect = static_cast<uint64_t>(*id);
    } else if (c.is(i, "BCAST")) {
      options.broadcast = true;
    } else if (c.is(i, "OPTIN")) {
      options.opt_in = true;
    } else if (c.is(i, "OPTOUT")) {
      options.opt_out = true;
    } else if (c.is(i, "NOLOOP")) {
      options.no_loop = true;
    } else if (c.is(i, "PREFIX") && more) {
      options.prefixes.emplace_back(c.args[++i]);
    } else {
      c.syntax_error();
      return false;
    }
  }
  return true;
}

// Whether these options go together, and with what is on already.
bool options_fit(Context& c, const TrackingOptions& options) {
  const TrackingState* state = c.session.tracking.get();
  std::string_view why;
  if (!options.prefixes.empty() && !options.broadcast) {
    why = "ERR PREFIX option requires BCAST mode to be enabled";
  } else if (state != nullptr && state->options.broadcast != options.broadcast) {
    why =
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and "
        "then "
        "re-enabling it with a different mode.";
  } else if (options.broadcast && (options.opt_in || options.opt_out)) {
    why = "ERR OPTIN and OPTOUT are not compatible with BCAST";
  } else if (options.opt_in && options.opt_out) {
    why = "ERR You can't specify both OPTIN mode and OPTOUT mode";
  } else if (state != nullptr && ((options.opt_in && state->options.opt_out) ||
                                  (options.opt_out && state->options.opt_in))) {
    why =
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and "
        "then "
        "re-enabling it with a different mode.";
  }
  if (why.empty()) return true;
  c.error(why);
  return false;
}

void overlap_error(Context& c, std::string_view prefix, std::string_view relation,
                   std::string_view other) {
  c.error(
      fmt::format("ERR Prefix '{}' overlaps with {} prefix '{}'. Prefixes for a single client "
                  "must not overlap.",
                  prefix, relation, other));
}

// A prefix among those that a client has of which this one is the beginning, or the other way
// round; none. No two of them are such a pair, except that an empty one may stand in front.
std::optional<std::string_view> overlapping(const std::set<std::string_view>& prefixes,
                                            std::string_view prefix) {
  if (prefixes.empty()) return std::nullopt;
  if (prefixes.begin()->empty()) return *prefixes.begin();
  const auto behind = prefixes.lower_bound(prefix);
  if (behind != prefixes.begin() && prefix.starts_with(*std::prev(behind)))
    return *std::prev(behind);
  if (behind != prefixes.end() && behind->starts_with(prefix)) return *behind;
  return std::nullopt;
}

// No prefix of a client may begin with another one of it, neither among those that it has nor among
// those that it gives now.
bool prefixes_fit(Context& c, const TrackingOptions& options) {
  c.env().count_work(options.prefixes.size());
  const TrackingState* state = c.session.tracking.get();
  for (const std::string& prefix : options.prefixes) {
    if (state == nullptr) break;
    const std::optional<std::string_view> old = overlapping(state->prefixes, prefix);
    if (!old) continue;
    overlap_error(c, prefix, "an existing", *old);
    return false;
  }
  // In order, those that begin with a prefix stand right behind it, so that neighbours tell.
  std::vector<size_t> order(options.prefixes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const int compared = options.prefixes[a].compare(options.prefixes[b]);
    return compared != 0 ? compared < 0 : a < b;
  });
  for (size_t i = 1; i < order.size(); ++i) {
    if (!options.prefixes[order[i]].starts_with(options.prefixes[order[i - 1]])) continue;
    const auto [first, second] = std::minmax(order[i - 1], order[i]);
    overlap_error(c, options.prefixes[first], "another provided", options.prefixes[second]);
    return false;
  }
  return true;
}

}  // namespace

void client_tracking(Context& c) {
  TrackingOptions options;
  if (!read_options(c, options)) return;
  if (c.is(2, "ON")) {
    if (!options_fit(c, options)) return;
    if (options.broadcast && !prefixes_fit(c, options)) return;
    c.clients().tracking().enable(c.session, std::move(options));
  } else if (c.is(2, "OFF")) {
    c.clients().tracking().disable(c.session);
  } else {
    c.syntax_error();
    return;
  }
  c.reply.ok();
}

void client_caching(Context& c) {
  TrackingState* state = c.session.tracking.get();
  if (state == nullptr || (!state->options.opt_in && !state->options.opt_out)) {
    c.error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
        "OPTOUT mode enabled");
    return;
  }
  if (c.is(2, "YES") && !state->options.opt_in) {
    c.error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  } else if (c.is(2, "NO") && !state->options.opt_out) {
    c.error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  } else if (!c.is(2, "YES") && !c.is(2, "NO")) {
    c.syntax_error();
  } else {
    state->caching = true;
    c.reply.ok();
  }
}

void client_getredir(Context& c) {
  const TrackingState* state = c.session.tracking.get();
  c.reply.integer(state == nullptr ? -1 : static_cast<int64_t>(state->options.redirect));
}

void client_trackinginfo(Context& c) {
  const TrackingState off;
  const TrackingState* state = c.session.tracking.get();
  const TrackingOptions& options = (state == nullptr ? off : *state).options;
  const bool caching = state != nullptr && state->caching;
  std::vector<std::string_view> flags = {state == nullptr ? "off" : "on"};
  if (options.broadcast) flags.push_back("bcast");
  if (options.opt_in) flags.push_back("optin");
  if (options.opt_in && caching) flags.push_back("caching-yes");
  if (options.opt_out) flags.push_back("optout");
  if (options.opt_out && caching) flags.push_back("caching-no");
  if (options.no_loop) flags.push_back("noloop");
  if (state != nullptr && state->broken_redirect) flags.push_back("broken_redirect");
  c.reply.map(3);
  c.reply.bulk("flags");
  c.reply.set(flags.size());
  for (const std::string_view flag : flags) c.reply.bulk(flag);
  c.reply.bulk("redirect");
  client_getredir(c);
  c.reply.bulk("prefixes");
  const std::set<std::string_view>& prefixes = (state == nullptr ? off : *state).prefixes;
  c.reply.array(prefixes.size());
  for (const std::string_view prefix : prefixes) c.reply.bulk(prefix);
}

}  // namespace redoubt

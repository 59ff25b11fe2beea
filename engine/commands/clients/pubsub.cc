// Pub/sub: subscribing, publishing, and looking at who listens.
#include "engine/clients/pubsub.h"
#include "engine/clients/clients.h"
#include "engine/clients/session.h"

#include <fmt/format.h>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/dispatch/help.h"
#include "net/text.h"

namespace redoubt {

namespace {

// --- subscribing

// The words of confirmations, and what their count counts: SSUBSCRIBE has its own.
struct Wording {
  ChannelKind kind;
  std::string_view subscribed;
  std::string_view unsubscribed;
};

constexpr Wording kChannels = {ChannelKind::channel, "subscribe", "unsubscribe"};
constexpr Wording kPatterns = {ChannelKind::pattern, "psubscribe", "punsubscribe"};
constexpr Wording kShards = {ChannelKind::shard, "ssubscribe", "sunsubscribe"};

// Confirmations are messages: CLIENT REPLY OFF does not keep them back. In a transaction a command
// is one element of EXEC's array: the first confirmation, which in RESP3 would be a push, where OK
// stands for it. The others are messages behind EXEC's reply.
ReplyWriter confirmation_writer(Context& c, bool first) {
  const bool silent = c.session.has(kSessionReplyOff | kSessionReplySkip);
  const bool element = first && c.session.protocol == Protocol::resp2;
  if (!silent && (!c.dispatcher().transactions().running() || element)) return c.reply;
  return {c.clients().messages().output_of(c.session), c.session.protocol};
}

// One confirmation; without a name when there was nothing to leave.
void confirm(Context& c, bool first, ChannelKind kind, std::string_view what,
             std::optional<std::string_view> name) {
  ReplyWriter out = confirmation_writer(c, first);
  size_t count = subscription_count(c.session, kind);
  if (kind != ChannelKind::shard) {
    count = subscription_count(c.session, ChannelKind::channel) +
            subscription_count(c.session, ChannelKind::pattern);
  }
  out.push(3);
  out.bulk(what);
  if (name) {
    out.bulk(*name);
  } else {
    out.null();
  }
  out.integer(static_cast<int64_t>(count));
}

void subscribe(Context& c, const Wording& wording) {
  c.env().count_work(c.args.size() - 2);
  for (size_t i = 1; i < c.args.size(); ++i) {
    c.clients().pubsub().subscribe(c.session, wording.kind, c.args[i]);
    confirm(c, i == 1, wording.kind, wording.subscribed, c.args[i]);
  }
}

void unsubscribe(Context& c, const Wording& wording) {
  std::vector<std::string> all;
  std::vector<std::string_view> names(c.args.begin() + 1, c.args.end());
  if (names.empty()) {
    all = PubSub::names(c.session, wording.kind);
    names.assign(all.begin(), all.end());
    if (names.empty()) confirm(c, true, wording.kind, wording.unsubscribed, std::nullopt);
  }
  c.env().count_work(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    c.clients().pubsub().unsubscribe(c.session, wording.kind, names[i]);
    confirm(c, i == 0, wording.kind, wording.unsubscribed, names[i]);
  }
}

void subscribe_command(Context& c) {
  subscribe(c, kChannels);
}

void unsubscribe_command(Context& c) {
  unsubscribe(c, kChannels);
}

void psubscribe_command(Context& c) {
  subscribe(c, kPatterns);
}

void punsubscribe_command(Context& c) {
  unsubscribe(c, kPatterns);
}

void ssubscribe_command(Context& c) {
  subscribe(c, kShards);
}

void sunsubscribe_command(Context& c) {
  unsubscribe(c, kShards);
}

// --- publishing

void publish_command(Context& c) {
  c.reply.integer(c.clients().pubsub().publish(c.args[1], c.args[2]));
  c.effects().append_message(c.args);
}

void spublish_command(Context& c) {
  c.reply.integer(c.clients().pubsub().publish_to_shard(c.args[1], c.args[2]));
  c.effects().append_message(c.args);
}

// --- PUBSUB

// [pattern]
void reply_names(Context& c, ChannelKind kind) {
  if (c.args.size() > 3) {
    c.error(
        fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try PUBSUB "
                    "HELP.",
                    c.args[1].substr(0, kShownArgument)));
    return;
  }
  std::vector<std::string_view> names;
  c.env().count_work(c.clients().pubsub().of(kind).size());
  for (const auto& [name, channel] : c.clients().pubsub().of(kind)) {
    if (c.args.size() == 2 || glob_matches(c.args[2], name)) names.push_back(name);
  }
  c.reply.array(names.size());
  for (const std::string_view name : names) c.reply.bulk(name);
}

void reply_counts(Context& c, ChannelKind kind) {
  const auto names = c.args.subspan(2);
  c.reply.array(names.size() * 2);
  for (const std::string_view name : names) {
    c.reply.bulk(name);
    c.reply.integer(static_cast<int64_t>(c.clients().pubsub().subscriber_count(kind, name)));
  }
}

void pubsub_channels_command(Context& c) {
  reply_names(c, ChannelKind::channel);
}

void pubsub_shardchannels_command(Context& c) {
  reply_names(c, ChannelKind::shard);
}

void pubsub_numsub_command(Context& c) {
  reply_counts(c, ChannelKind::channel);
}

void pubsub_shardnumsub_command(Context& c) {
  reply_counts(c, ChannelKind::shard);
}

void pubsub_numpat_command(Context& c) {
  c.reply.integer(static_cast<int64_t>(c.clients().pubsub().of(ChannelKind::pattern).size()));
}

void pubsub_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "CHANNELS [<pattern>]",
      "    Return the channels with subscribers, or those that match a pattern.",
      "NUMPAT",
      "    Return how many patterns have subscribers.",
      "NUMSUB [<channel> ...]",
      "    Return the number of subscribers of each channel; those of patterns do not count.",
      "SHARDCHANNELS [<pattern>]",
      "    Return the shard channels with subscribers, or those that match a pattern.",
      "SHARDNUMSUB [<shardchannel> ...]",
      "    Return the number of subscribers of each shard channel.",
  };
  reply_help(c, lines);
}

constexpr uint32_t kSubscribing = kPubSub | kNoScript | kLoading | kStale | kSubscribedMode;
constexpr uint32_t kLooking = kPubSub | kLoading | kStale;

// What the subcommands of PUBSUB have in common, but HELP.
constexpr Command look_row(Command row) {
  row.flags = kLooking;
  row.group = "pubsub";
  return row;
}

constexpr Command pubsub_subcommands[] = {
    look_row({.name = "channels",
              .arity = -2,
              .since = "2.8.0",
              .complexity =
                  "O(N) where N is the number of active channels, and assuming constant time "
                  "pattern matching (relatively short channels and patterns)",
              .summary = "List active channels",
              .arguments = "[pattern:pattern]",
              .handler = pubsub_channels_command}),
    help_row({.since = "6.2.0", .group = "pubsub", .handler = pubsub_help_command}),
    look_row({.name = "numpat",
              .arity = 2,
              .since = "2.8.0",
              .complexity = "O(1)",
              .summary = "Get the count of unique patterns pattern subscriptions",
              .handler = pubsub_numpat_command}),
    look_row({.name = "numsub",
              .arity = -2,
              .since = "2.8.0",
              .complexity =
                  "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
              .summary = "Get the count of subscribers for channels",
              .arguments = "[channel:string...]",
              .handler = pubsub_numsub_command}),
    look_row({.name = "shardchannels",
              .arity = -2,
              .since = "7.0.0",
              .complexity =
                  "O(N) where N is the number of active shard channels, and assuming constant "
                  "time pattern matching (relatively short shard channels).",
              .summary = "List active shard channels",
              .arguments = "[pattern:pattern]",
              .handler = pubsub_shardchannels_command}),
    look_row({.name = "shardnumsub",
              .arity = -2,
              .since = "7.0.0",
              .complexity = "O(N) for the SHARDNUMSUB subcommand, where N is the number of "
                            "requested shard channels",
              .summary = "Get the count of subscribers for shard channels",
              .arguments = "[shardchannel:string...]",
              .handler = pubsub_shardnumsub_command}),
};

// What the commands that change subscriptions have in common.
constexpr Command subscription_row(Command row) {
  row.flags = kSubscribing;
  row.group = "pubsub";
  return row;
}

constexpr Command pubsub_rows[] = {
    subscription_row(
        {.name = "psubscribe",
         .arity = -2,
         .since = "2.0.0",
         .complexity =
             "O(N) where N is the number of patterns the client is already subscribed to.",
         .summary = "Listen for messages published to channels matching the given patterns",
         .arguments = "pattern:{pattern:pattern}...",
         .handler = psubscribe_command}),
    {.name = "publish",
     .arity = 3,
     .flags = kPubSub | kLoading | kStale | kFast | kMayReplicate,
     .since = "2.0.0",
     .group = "pubsub",
     .complexity =
         "O(N+M) where N is the number of clients subscribed to the receiving channel and M is "
         "the total number of subscribed patterns (by any client).",
     .summary = "Post a message to a channel",
     .arguments = "channel:string message:string",
     .handler = publish_command},
    {.name = "pubsub",
     .arity = -2,
     .since = "2.8.0",
     .group = "pubsub",
     .complexity = "Depends on subcommand.",
     .summary = "A container for Pub/Sub commands",
     .subcommands = pubsub_subcommands},
    subscription_row(
        {.name = "punsubscribe",
         .arity = -1,
         .since = "2.0.0",
         .complexity = "O(N+M) where N is the number of patterns the client is already subscribed "
                       "and M is the "
                       "number of total patterns subscribed in the system (by any client).",
         .summary = "Stop listening for messages posted to channels matching the given patterns",
         .arguments = "[pattern:pattern...]",
         .handler = punsubscribe_command}),
    {.name = "spublish",
     .arity = 3,
     .flags = kPubSub | kLoading | kStale | kFast | kMayReplicate,
     .keys = {keys_at(kKeyNotKey, 1)},
     .since = "7.0.0",
     .group = "pubsub",
     .complexity =
         "O(N) where N is the number of clients subscribed to the receiving shard channel.",
     .summary = "Post a message to a shard channel",
     .arguments = "shardchannel:string message:string",
     .handler = spublish_command},
    subscription_row({.name = "ssubscribe",
                      .arity = -2,
                      .keys = {keys_at(kKeyNotKey, 1, -1)},
                      .since = "7.0.0",
                      .complexity = "O(N) where N is the number of shard channels to subscribe to.",
                      .summary = "Listen for messages published to the given shard channels",
                      .arguments = "shardchannel:string...",
                      .handler = ssubscribe_command}),
    subscription_row({.name = "subscribe",
                      .arity = -2,
                      .since = "2.0.0",
                      .complexity = "O(N) where N is the number of channels to subscribe to.",
                      .summary = "Listen for messages published to the given channels",
                      .arguments = "channel:string...",
                      .handler = subscribe_command}),
    subscription_row(
        {.name = "sunsubscribe",
         .arity = -1,
         .keys = {keys_at(kKeyNotKey, 1, -1)},
         .since = "7.0.0",
         .complexity =
             "O(N) where N is the number of clients already subscribed to a shard channel.",
         .summary = "Stop listening for messages posted to the given shard channels",
         .arguments = "[shardchannel:string...]",
         .handler = sunsubscribe_command}),
    subscription_row(
        {.name = "unsubscribe",
         .arity = -1,
         .since = "2.0.0",
         .complexity = "O(N) where N is the number of clients already subscribed to a channel.",
         .summary = "Stop listening for messages posted to the given channels",
         .arguments = "[channel:string...]",
         .handler = unsubscribe_command}),
};

}  // namespace

std::span<const Command> pubsub_commands() {
  return pubsub_rows;
}

}  // namespace redoubt

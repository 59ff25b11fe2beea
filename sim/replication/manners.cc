#include "sim/replication/manners.h"

#include <algorithm>
#include <array>

#include "net/text.h"
#include "sim/model/resp_value.h"
#include "sim/replication/parts_of.h"

namespace redoubt::sim {

namespace {

using Found = std::optional<std::pair<std::string, std::string>>;

// The node looks ten times a second or less often, and a turn may be late.
constexpr Duration kLate = Duration::seconds(1);

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view each) { return equal_ignoring_case(name, each); });
}

Found served_stale(Replication& replication, std::string_view name) {
  constexpr std::array<std::string_view, 8> kOfData = {"get",  "set",    "rpush",    "lrange",
                                                       "incr", "exists", "smembers", "hgetall"};
  if (!replication.is_replica() || replication.settings().serve_stale_data) return std::nullopt;
  if (replication.primary().connected() || !is_one_of(name, kOfData)) return std::nullopt;
  return std::pair("MASTERDOWN of a replica whose link is down, replica-serve-stale-data is no",
                   std::string(name) + " is answered with ");
}

Found written_alone(Node& node, Replication& replication, std::string_view name) {
  constexpr std::array<std::string_view, 3> kWrites = {"set", "rpush", "incr"};
  const ReplicationSettings& settings = replication.settings();
  if (replication.is_replica() || settings.replicas_to_write == 0) return std::nullopt;
  if (settings.replicas_lag_s == 0 || !is_one_of(name, kWrites)) return std::nullopt;
  const Instant oldest = node.env().now() - Duration::seconds(settings.replicas_lag_s) - kLate;
  const auto& links = replication.replicas().all();
  const auto good = static_cast<uint64_t>(
      std::count_if(links.begin(), links.end(), [&](const std::unique_ptr<ReplicaLink>& link) {
        return link->last_ack() >= oldest;  // it may have ended just now
      }));
  if (good >= settings.replicas_to_write) return std::nullopt;
  return std::pair("NOREPLICAS of a primary that has heard of " + std::to_string(good) +
                       " replicas, min-replicas-to-write is " +
                       std::to_string(settings.replicas_to_write),
                   std::string(name) + " is answered with ");
}

}  // namespace

Found ill_mannered(Node& node, std::span<const std::string_view> args, std::string_view reply) {
  if (args.empty() || reply.empty() || reply.starts_with('-')) return std::nullopt;
  Replication& replication = replication_of(node);
  Found found = served_stale(replication, args[0]);
  if (!found) found = written_alone(node, replication, args[0]);
  if (found) found->second += quote_bytes(reply.substr(0, 40));
  return found;
}

}  // namespace redoubt::sim

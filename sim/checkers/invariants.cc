#include "sim/checkers/invariants.h"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/store/hash_type.h"
#include "engine/store/list_type.h"
#include "engine/store/set_type.h"
#include "engine/store/zset.h"
#include "sim/model/call.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {

namespace {

constexpr int64_t kNoDeadline = std::numeric_limits<int64_t>::max();

std::string too_many(std::string_view what, uint64_t count, uint64_t limit) {
  return std::string(what) + " of " + std::to_string(count) + ", although the limit is " +
         std::to_string(limit);
}

// The longest text of a listpack.
size_t longest_text(const uint8_t* block, size_t step) {
  size_t longest = 0;
  for (const uint8_t* at = Listpack::first(block); at != nullptr; at = Listpack::next(block, at)) {
    longest = std::max(longest, Listpack::text_size(at));
    for (size_t i = 1; i < step && at != nullptr; ++i) at = Listpack::next(block, at);
    if (at == nullptr) break;
  }
  return longest;
}

size_t bytes_of_list_node(int64_t fill) {
  constexpr std::array<size_t, 5> kBytes = {4096, 8192, 16384, 32768, 65536};
  if (fill >= 0) return 8192;
  return kBytes[std::min<size_t>(static_cast<size_t>(-(fill + 1)), kBytes.size() - 1)];
}

}  // namespace

void PackingLimits::allow(const Settings& settings) {
  if (!known_) largest_ = settings;
  known_ = true;
  const auto raise = [&](auto Settings::* field) {
    largest_.*field = std::max(largest_.*field, settings.*field);
  };
  raise(&Settings::zset_max_listpack_entries);
  raise(&Settings::zset_max_listpack_value);
  raise(&Settings::set_max_intset_entries);
  raise(&Settings::set_max_listpack_entries);
  raise(&Settings::set_max_listpack_value);
  raise(&Settings::hash_max_listpack_entries);
  raise(&Settings::hash_max_listpack_value);
  const int fill = settings.list_max_listpack_size;
  list_bytes_ = std::max(list_bytes_, bytes_of_list_node(fill));
  const auto count = fill < 0 ? std::numeric_limits<size_t>::max()
                              : std::max<size_t>(static_cast<size_t>(fill), 1);
  list_count_ = std::max(list_count_, count);
}

void InvariantChecker::node_started(Node& node) {
  SideChecker::node_started(node);
  limits_ = PackingLimits();
  limits_.allow(node.settings());
}

void InvariantChecker::done(const CheckedCommand& command) {
  if (same_word(command.args[0], "CONFIG")) limits_.allow(node_->settings());
}

void InvariantChecker::check(bool deep) {
  for (int db = 0; db < node_->keyspace().count(); ++db) check_database(db, deep);
}

// Counts the bytes anew. While removed values wait to be freed they are unknown.
void InvariantChecker::check_database(int number, bool deep) {
  const Database& database = node_->keyspace().database(number);
  database.dict().check_invariants();
  size_t bytes = 0;
  size_t with_parts = 0;
  database.dict().for_each([&](Entry& entry) {
    const TypeOps& ops = ops_of(entry);
    bytes += counted_size(entry.footprint()) + ops.outside_bytes(entry);
    if (ops.next_expiry != nullptr && ops.next_expiry(entry) != kNoDeadline) {
      ++with_parts;
      bytes += counted_size(sizeof(std::pair<int64_t, std::string>) + 32 + entry.key().size());
    }
    const std::string wrong = packed_wrongly(entry);
    if (!wrong.empty()) {
      report("invariants", "values that are packed as the limits say",
             quote_bytes(entry.key()) + " has " + wrong);
    }
    if (deep) check_parts(entry);
  });
  if (with_parts != database.expiring_parts().count()) {
    report("invariants",
           std::to_string(with_parts) + " keys of database " + std::to_string(number) +
               " in the order of their parts' deadlines",
           std::to_string(database.expiring_parts().count()));
  }
  bytes += database.dict().table_bytes() + database.kept_bytes();
  if (database.remains().count() == 0 && bytes != database.used_bytes()) {
    report("invariants",
           std::to_string(bytes) + " bytes of the keys and the table of database " +
               std::to_string(number),
           std::to_string(database.used_bytes()) + " are counted");
  }
}

std::string InvariantChecker::packed_wrongly(const Entry& entry) const {
  const Settings& limit = limits_.largest();
  const size_t length = ops_of(entry).length(entry);
  const auto* block =
      static_cast<const uint8_t*>(entry.layout() == Layout::outside ? entry.outside() : nullptr);
  switch (entry.type()) {
    case Type::set:
      if (entry.encoding() == Encoding::intset && length > limit.set_max_intset_entries) {
        return too_many("an intset", length, limit.set_max_intset_entries);
      }
      if (entry.encoding() != Encoding::listpack) return {};
      if (length > limit.set_max_listpack_entries) {
        return too_many("a listpack", length, limit.set_max_listpack_entries);
      }
      if (const size_t longest = longest_text(block, 1); longest > limit.set_max_listpack_value) {
        return too_many("a packed member", longest, limit.set_max_listpack_value);
      }
      return {};
    case Type::zset:
      if (entry.encoding() != Encoding::listpack) return {};
      if (length > limit.zset_max_listpack_entries) {
        return too_many("a listpack", length, limit.zset_max_listpack_entries);
      }
      if (const size_t longest = longest_text(block, 2); longest > limit.zset_max_listpack_value) {
        return too_many("a packed member", longest, limit.zset_max_listpack_value);
      }
      return {};
    case Type::hash:
      if (entry.encoding() == Encoding::hashtable || length <= limit.hash_max_listpack_entries) {
        return {};
      }
      return too_many("a listpack", length, limit.hash_max_listpack_entries);
    case Type::list: break;
    default: return {};
  }
  if (entry.encoding() == Encoding::listpack) return {};
  size_t count = 0;
  const auto& list = *static_cast<const Quicklist*>(entry.outside());
  for (const QuicklistNode* node = list.head; node != nullptr; node = node->next) {
    count += node->count;
    if (node->is_plain()) continue;
    if (node->count != Listpack::count(node->block()) ||
        node->bytes != Listpack::bytes(node->block())) {
      return "a node whose counts are not those of its block";
    }
    if (node->count > limits_.list_count()) {
      return too_many("a node", node->count, limits_.list_count());
    }
    if (node->bytes > limits_.list_bytes() && node->count > 1) {
      return too_many("bytes of a node", node->bytes, limits_.list_bytes());
    }
  }
  if (count != list.count) return too_many("elements", list.count, count);
  return {};
}

void InvariantChecker::check_parts(const Entry& entry) {
  if (entry.type() == Type::zset && entry.encoding() == Encoding::skiplist) {
    const ZsetView zset(entry);
    zset.skiplist().members.check_invariants();
    zset.skiplist().tree.check_invariants();
  } else if (entry.type() == Type::set && entry.encoding() == Encoding::hashtable) {
    SetView(entry).whole_table().members.check_invariants();
  } else if (entry.type() == Type::hash && entry.encoding() == Encoding::hashtable) {
    HashView(entry).table().fields.check_invariants();
    HashView(entry).table().by_deadline.check_invariants();
  }
}

void InvariantChecker::check_expired(int64_t since_ms) {
  for (int db = 0; db < node_->keyspace().count(); ++db) {
    const Database& database = node_->keyspace().database(db);
    database.dict().for_each([&](Entry& entry) {
      if (!entry.has_expiry() || entry.expiry_ms() >= since_ms) return;
      report("expiry", "nothing that has expired is held after some quiet",
             "key " + quote_bytes(entry.key()) + " of database " + std::to_string(db) +
                 " expired at " + std::to_string(entry.expiry_ms()) + ", long before " +
                 std::to_string(since_ms));
    });
    database.dict().for_each([&](Entry& entry) {
      const TypeOps& ops = ops_of(entry);
      if (ops.next_expiry == nullptr || ops.next_expiry(entry) >= since_ms) return;
      report("expiry", "no part of a value that has expired is held after some quiet",
             "key " + quote_bytes(entry.key()) + " of database " + std::to_string(db) +
                 " has one that expired at " + std::to_string(ops.next_expiry(entry)));
    });
  }
}

}  // namespace redoubt::sim

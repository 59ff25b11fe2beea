// The model: what every command of the data types, and those about keys, connections and the
// server, must answer, written as plainly as it can be: a sorted map of strings to values, one
// small function a command, no cleverness. It shares no code with the engine, so an error would
// have to be made twice to stay unseen. The simulator compares each reply with it; property tests
// compare the engine's commands with it in one process; tests/differential compares it with a real
// redis-server. Transactions are another file's (transactions.h).
//
// It behaves as Redis 7.2, and for what is newer as docs/newer-commands.md says.
//
// Time: an entry with a deadline is gone when now > deadline (Redis: a key lives through its last
// millisecond); only the EXPIRE family, GETEX and INCREX remove it at once already when the
// deadline that they are to set is <= now. The model drops expired entries when a command meets
// them; until then they can only be noticed in DBSIZE, whose reply is therefore a range. If the
// wall clock jumps back, an entry that is expired but was not met lives again, here as in the
// engine, unless the engine's active expiry was quicker: the checker then says so with forget().
//
// What a reply may depend on besides commands is told by the checker: forget() when the node
// evicted or expired a key on its own, clear() when it lost its memory, and OOM replies, which are
// not passed to apply() (see denied_when_out_of_memory).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/model/reply.h"
#include "sim/model/sorted.h"

namespace redoubt::sim {

struct ModelConfig {
  int databases = 16;
  int64_t bulk_bytes_max = int64_t{512} << 20;  // proto-max-bulk-len
  // maxmemory-policy is an LFU one: OBJECT FREQ answers and OBJECT IDLETIME does not.
  bool lfu = false;
  // How far TTL, PTTL, EXPIRETIME and PEXPIRETIME may be off, for servers with a clock of their
  // own.
  int64_t ttl_tolerance_ms = 0;
  // stream-node-max-entries, not 0. The generator's entries are so small that the limit in bytes is
  // not reached.
  int64_t stream_node_entries_max = 100;
  int64_t hll_sparse_bytes_max = 3000;   // hll-sparse-max-bytes
  int64_t stream_idmp_duration_s = 100;  // stream-idmp-duration
  int64_t stream_idmp_maxsize = 100;     // stream-idmp-maxsize
  // Every key that the node removes because it expired is told with forget(). Then the model leaves
  // expired entries alone until it is told, which makes DBSIZE exact, and a wall clock that jumps
  // back no special case.
  bool expiry_is_reported = false;
  // Answer as the reference 7.0.15 does where 7.2 differs (see "7.0" in the sources).
  bool as_redis_7_0 = false;
};

// A client's state on the server.
struct ModelSession {
  int database = 0;
  int resp = 2;
  bool in_transaction = false;  // its commands are executed within EXEC, where nothing waits
  // What HIMPORT PREPARE named.
  std::map<std::string, std::vector<std::string>, std::less<>> fieldsets{};
};

enum class ModelType : uint8_t { string, list, set, zset, hash, stream };

// A field of a hash.
struct ModelField {
  std::string value;
  int64_t deadline_ms = -1;  // -1: none

  bool operator==(const ModelField&) const = default;
};

struct ModelStream;  // streams.h

struct ModelEntry {
  static constexpr int64_t no_deadline = -1;

  ModelType type = ModelType::string;
  std::string text;  // the value of a string
  // The value of another type: the one that `type` says.
  std::optional<std::deque<std::string>> list{};
  SortedSet set{};
  SortedMap<int64_t> member_deadlines{};  // of a set
  SortedMap<double> zset{};
  SortedMap<ModelField> hash{};
  std::shared_ptr<ModelStream> stream{};
  int64_t deadline_ms = no_deadline;
  bool rewritten = false;  // changed in place, so that OBJECT ENCODING may say raw

  bool expired_at(int64_t now_ms) const {
    return deadline_ms != no_deadline && now_ms > deadline_ms;
  }
  // Whether a member of a set has not expired.
  bool member_lives(std::string_view member, int64_t now_ms) const {
    const auto found = member_deadlines.find(member);
    return found == member_deadlines.end() || now_ms <= found->second;
  }
};

// How arguments come from a client: name first.
using ModelArguments = std::span<const std::string_view>;

class Model {
 public:
  explicit Model(ModelConfig config);

  // Executes the command at wall time `now_ms` and says what the reply has to be.
  // `arguments` has the command's name first and is not empty.
  ModelReply apply(ModelSession& session, ModelArguments arguments, int64_t now_ms);

  // Tells what was replied, after apply() with the same arguments, for commands that choose
  // themselves what they remove (SPOP). `reply` is one that was expected.
  void learn(ModelSession& session, ModelArguments arguments, std::string_view reply,
             int64_t now_ms);

  // The node removed the key on its own (eviction, or active expiry before a clock jumped back).
  void forget(int database, std::string_view key);

  // The node removed a field of a hash, or a member of a set, because it expired; when none are
  // left, the key is gone too.
  void forget_part(int database, std::string_view key, std::string_view name);
  // Whether the field or member exists for a client, at that time.
  bool part_exists(int database, std::string_view key, std::string_view name, int64_t now_ms) const;

  // The node lost everything: a crash without persistence.
  void clear();

  // Whether the key exists for a client, at that time.
  bool exists(int database, std::string_view key, int64_t now_ms) const;

  // Whether the server may answer this command with -OOM instead of executing it; then the checker
  // leaves the model alone.
  static bool denied_when_out_of_memory(ModelArguments arguments);

  // What the command replies to a wrong number of arguments, without being executed; nothing when
  // the number is right. Not for commands with subcommands, which have numbers of their own.
  static std::optional<ModelReply> wrong_number_of_arguments(ModelArguments arguments);

  // Whether the model knows the command (otherwise apply answers with Rule::anything).
  static bool knows(std::string_view name);

  // Keys held in a database, expired ones included; the deadline tells them apart.
  using Database = std::map<std::string, ModelEntry, std::less<>>;
  const Database& database(int index) const { return databases_[static_cast<size_t>(index)]; }
  const ModelConfig& config() const { return config_; }
  // maxmemory-policy has become an LFU one, or another.
  void set_lfu(bool lfu) { config_.lfu = lfu; }

  // What a command replies whose name no server knows, such as begins with "NOSUCH"; nothing for
  // another one.
  static std::optional<ModelReply> unknown_command(ModelArguments arguments);

  // Puts an entry back as it was, or removes it when there was none.
  void restore(int index, std::string_view key, const std::optional<ModelEntry>& entry);

 private:
  friend struct ModelCall;

  ModelConfig config_;
  std::vector<Database> databases_;
};

}  // namespace redoubt::sim

// A history taken apart into the histories of single keys, for the checker of linearizability.
//
// The commands of string_operation.h become operations that are checked. Every other command that
// may write a key becomes an operation behind which the key may be anything; those of a transaction
// when it is executed. FLUSHALL and FLUSHDB remove every key, and whatever else writes and names no
// keys may have done anything to each.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/command/command_table.h"
#include "sim/checkers/string_operation.h"
#include "sim/history/history.h"
#include "sim/linearizability/linearizability.h"
#include "sim/linearizability/string_table.h"

namespace redoubt::sim {

// The operations in the shape that the library wants.
struct KeyOperations final : public linearizability::Specification {
  // Of what the node did on its own.
  static constexpr OperationId kNobody = UINT32_MAX;

  std::vector<linearizability::Operation> intervals;
  std::vector<StringOperation> operations;
  std::vector<StringAnswer> answers;
  std::vector<OperationId> ids;

  bool step(std::string_view state, uint32_t index, std::string& next) const override;
  std::string identity(uint32_t index) const override;
};

class KeyHistories {
 public:
  // `losses`: the moments, in order, at which everything was lost.
  KeyHistories(const History& history, const std::vector<Instant>& losses);

  void take_all();
  // The key is not checked.
  void leave_out(int database, std::string_view key);
  // The node removed it on its own.
  void removed(int database, std::string_view key, Instant at, StreamPlace place);

  // Drops what is not checked: keys that are left out, and keys without a checked operation.
  struct Kept {
    uint64_t operations = 0;  // that are checked
    uint64_t others = 0;
    uint64_t left_out_keys = 0;
    uint64_t left_out_operations = 0;
  };
  Kept finish();

  const KeyOperations& taken() const { return taken_; }
  // "0 key", of Operation::key.
  const std::string& name(uint64_t key) const {
    return names_.text(static_cast<uint32_t>(key & UINT32_MAX));
  }

 private:
  // When a command took effect, or may have.
  struct Moment {
    OperationId id = KeyOperations::kNobody;
    Instant call;
    Instant end;  // never() when the outcome is not known
    StreamPlace place;
  };
  // What hit all keys of a database.
  struct Sweep {
    Moment moment;
    int database = 0;  // or kAllDatabases
    StringOperation::Kind kind = StringOperation::Kind::anything;
  };

  Moment moment_of(OperationId id) const;
  void take(OperationId id);
  bool take_queued(OperationId id, std::string_view reply, bool checked);
  void execute_queued(OperationId exec);
  void take_string(OperationId id, const StringOperation& operation, std::string_view reply);
  void take_other(const Moment& moment, int database, bool queued);
  void take_sweep(const Moment& moment, const CommandEntry& entry, int database, bool queued);
  void hit(const Moment& moment, int database, std::string_view key, StringOperation::Kind kind);
  void expand_sweeps();
  void add(const linearizability::Operation& interval, const StringOperation& operation,
           const StringAnswer& answer, OperationId id);
  uint64_t life_at(Instant call) const;
  uint64_t key_number(int database, std::string_view key, Instant call);

  const History& history_;
  const std::vector<Instant>& losses_;
  CommandTable table_;
  int databases_ = 1;  // that the history knows
  KeyOperations taken_;
  linearizability::StringTable names_;
  std::vector<Sweep> sweeps_;
  std::set<std::string, std::less<>> left_out_;          // as name() has them
  std::map<uint32_t, std::vector<OperationId>> queued_;  // by client, between MULTI and EXEC
  std::vector<std::string_view> words_;
};

}  // namespace redoubt::sim

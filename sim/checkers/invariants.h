// What must hold within the store of a node, whatever its clients do: the counts of tables and
// trees, the bytes that it says it takes, and the limits up to which values are packed. Also that,
// after some quiet, nothing is held whose time is over.
//
// A broken count of a table is an assertion of that table, so it ends the process.
#pragma once

#include <optional>
#include <string>

#include "engine/config/settings.h"
#include "sim/checkers/side_checker.h"

namespace redoubt::sim {

// The limits of packed values, each as large as it ever was in a run: a value that was packed stays
// so when a limit becomes smaller.
class PackingLimits {
 public:
  void allow(const Settings& settings);
  const Settings& largest() const { return largest_; }
  // Of a list's node, with what the limits say of one of some elements. 0: no such limit.
  size_t list_bytes() const { return list_bytes_; }
  size_t list_count() const { return list_count_; }

 private:
  Settings largest_;
  bool known_ = false;
  size_t list_bytes_ = 0;
  size_t list_count_ = 0;
};

class InvariantChecker final : public SideChecker {
 public:
  using SideChecker::SideChecker;
  void node_started(Node& node) override;
  void done(const CheckedCommand& command) override;

  // Walks over the keys of all databases and, with `deep`, over the parts of their values.
  void check(bool deep);
  // The node has had nothing to do for a while: no key, and no part of a value, that expired so
  // long ago is still there.
  void check_expired(int64_t since_ms);

 private:
  void check_database(int number, bool deep);
  // What is wrong with how a value is packed.
  std::string packed_wrongly(const Entry& entry) const;
  static void check_parts(const Entry& entry);

  PackingLimits limits_;
};

}  // namespace redoubt::sim

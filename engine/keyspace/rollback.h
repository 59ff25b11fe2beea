// Rollback: the state that undoing a transaction needs.
//
// Before a queued command runs, the entries of the keys that it may write are copied to databases
// of the rollback, once for each key and transaction, or noted as missing. When a command fails
// they are put back. Meanwhile the change feed holds all reports back (change_feed.h).
//
// An expired key that a command meets is copied like one that it writes, and removed. Expired parts
// of a value that the transaction neither writes nor makes another value of are left alone until it
// is over: nothing could undo their removal.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store/database.h"

namespace redoubt {

class Keyspace;

class Rollback {
 public:
  // The keyspace outlives it.
  explicit Rollback(Keyspace& keyspace) : keyspace_(keyspace) {}
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;

  // Copies the entry of a key as it is now, unless it was copied before. False: the copy would
  // take more than `effort_max` elements or 64 times as many bytes, and was not made.
  bool keep(int db, std::string_view key, size_t effort_max = SIZE_MAX);
  bool keeps(int db, std::string_view key) const;
  // Puts everything back.
  void undo();

  // The copies, to be freed beside the node when they are large.
  std::vector<std::unique_ptr<Database>> take_copies();

 private:
  struct Key {
    int db;
    std::string name;
  };
  struct Order {
    using is_transparent = void;
    using View = std::pair<int, std::string_view>;
    static View view(const Key& key) { return {key.db, key.name}; }
    bool operator()(const Key& a, const Key& b) const { return view(a) < view(b); }
    bool operator()(const Key& a, const View& b) const { return view(a) < b; }
    bool operator()(const View& a, const Key& b) const { return a < view(b); }
  };

  Keyspace& keyspace_;
  std::map<Key, bool, Order> kept_;  // whether there was an entry
  std::map<int, std::unique_ptr<Database>> copies_;
};

}  // namespace redoubt

// KeyListener: a receiver of all changes of keys. Tables of clients that wait for keys or cache
// them, and the simulator's checkers, implement it; the change feed calls it.
#pragma once

#include <span>
#include <string_view>

namespace redoubt {

// The calls come between the change and the end of the command that made it, in the order in which
// the listeners began to listen. A listener must not change data. Changes of a transaction that may
// be undone come when it has succeeded, or never.
class KeyListener {
 public:
  // The value of a key has changed, or the key came or is gone.
  virtual void on_key_changed(int /*db*/, std::string_view /*key*/) {}
  // Any key of a database may have changed: it was emptied, or changed places with another one.
  virtual void on_database_changed(int /*db*/) {}
  // FLUSHDB or FLUSHALL was executed.
  virtual void on_flushed() {}
  // A key has expired and is removed.
  virtual void on_expired(int /*db*/, std::string_view /*key*/) {}
  // Fields of a hash, or members of a set, have expired and are removed.
  virtual void on_parts_expired(int /*db*/, std::string_view /*key*/,
                                std::span<const std::string_view> /*names*/) {}
  // A key was removed to make room under maxmemory.
  virtual void on_evicted(int /*db*/, std::string_view /*key*/) {}

 protected:
  ~KeyListener() = default;
};

}  // namespace redoubt

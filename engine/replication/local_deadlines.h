// LocalDeadlines: keys of a writable replica that its own clients have given a deadline. The
// primary does not know of them, so the replica itself removes them when they have expired.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "engine/dispatch/services.h"
#include "engine/keyspace/key_listener.h"

namespace redoubt {

class LocalDeadlines final : private KeyListener {
 public:
  // The services outlive it.
  explicit LocalDeadlines(const Services& services) : services_(services) {}
  LocalDeadlines(const LocalDeadlines&) = delete;
  LocalDeadlines& operator=(const LocalDeadlines&) = delete;

  // Notes keys from now on, or forgets them all.
  void set_active(bool active);
  // Removes some of those that have expired. Ten times a second.
  void cron();
  size_t count() const { return keys_.size(); }

 private:
  void on_key_changed(int db, std::string_view key) override;
  void on_flushed() override { keys_.clear(); }

  // More are not known: they stay until somebody looks for them.
  static constexpr size_t kCountMax = 1'000'000;
  static constexpr size_t kStep = 200;

  const Services& services_;
  bool active_ = false;
  std::set<std::pair<int, std::string>> keys_;
  std::pair<int, std::string> cursor_;
};

}  // namespace redoubt

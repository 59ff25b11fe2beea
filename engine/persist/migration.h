// Migration: MIGRATE on its way.
//
// The keys are sent as RESTORE to the other server. A key is removed here when the other server has
// it as it is: one that was written meanwhile is sent again. Nobody waits for it but the client who
// asked.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dispatch/services.h"
#include "net/env.h"
#include "net/task.h"
#include "net/timed_stream.h"

namespace redoubt {

class Context;

struct MigrationPlan {
  std::string host;
  uint16_t port = 0;
  int db = 0;  // here
  int64_t db_there = 0;
  std::vector<std::string> keys;            // that exist
  Duration timeout = Duration::seconds(1);  // of each step
  bool copy = false;
  bool replace = false;
  std::optional<std::string> user;
  std::optional<std::string> password;
};

class Migration {
 public:
  // The services outlive it.
  Migration(const Services& services, bool compress, MigrationPlan plan);
  Migration(const Migration&) = delete;
  Migration& operator=(const Migration&) = delete;

  // Begins. At the end `done` is called, with an empty text or a whole error line; it may destroy
  // this.
  void start(std::function<void(std::string_view error)> done);

 private:
  struct Sent {
    std::string key;
    std::string payload;
    int64_t expiry_ms = 0;  // 0: it had none
  };

  Task<std::string> run();
  Task<std::string> connect();
  Task<std::string> greet();
  bool is_this_node() const;
  Task<std::string> send_keys(std::vector<std::string> keys, bool replace);
  std::vector<std::string> remove_unchanged();

  const Services& services_;
  Env& env_;
  const bool compress_;
  const MigrationPlan plan_;
  TimedStream stream_;
  std::vector<Sent> sent_;         // the last round
  std::vector<std::string> gone_;  // removed here
  Task<std::string> task_;
  std::function<void(std::string_view)> done_;
};

// Reads the arguments of MIGRATE, and begins or replies.
void begin_migration(Context& c);

}  // namespace redoubt

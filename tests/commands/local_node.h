// A node in a quiet world and one session of it, for tests that say what they expect in bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/commands/families.h"
#include "engine/node/node.h"
#include "tests/commands/quiet_world.h"

namespace redoubt {

// `Backend` is a QuietBackend or made from one.
template <typename Backend = QuietBackend>
class LocalNodeOn : private EffectConsumer {
 public:
  explicit LocalNodeOn(std::vector<std::string_view> settings = {}) : backend(1), env(backend) {
    env.begin_turn();
    env.end_turn();
    auto config = std::make_unique<Config>();
    std::string error;
    const bool right = settings.empty() || config->set(settings, &error);
    ASSERT(right);
    node = std::make_unique<Node>(env, std::move(config), all_families());
    node->effects().add_consumer(*this);
    session = &node->make_local_session();
  }
  ~LocalNodeOn() override {
    turn();  // jobs in flight come home
    node->effects().remove_consumer(*this);
    node->drop_local_session(*session);
  }

  // The reply's bytes.
  std::string call(std::vector<std::string_view> args) { return node->execute(*session, args); }

  void turn() {
    env.begin_turn();
    backend.deliver();
    env.end_turn();
  }
  // Time passes, and a turn begins; nothing expires by itself unless timers are due.
  void pass_ms(int64_t ms) {
    backend.advance(Duration::milliseconds(ms));
    turn();
  }
  // What went into the stream of effects since the last call, one line each.
  std::string take_effects() { return std::exchange(effects_, {}); }

  Backend backend;
  Env env;
  std::unique_ptr<Node> node;
  Session* session = nullptr;

 private:
  void on_effect(std::string_view bytes, uint64_t) override {
    // "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n" as "DEL a", each effect on a line of its own.
    for (size_t at = 0; at < bytes.size();) {
      const size_t end = bytes.find("\r\n", at);
      if (bytes[at] == '*') {
        effects_ += effects_.empty() ? "" : "\n";
        at = end + 2;
        continue;
      }
      const size_t size = std::stoul(std::string(bytes.substr(at + 1, end - at - 1)));
      if (!effects_.empty() && effects_.back() != '\n') effects_ += ' ';
      for (const char c : bytes.substr(end + 2, size))
        effects_ += c == '\n' ? std::string("\\n") : std::string(1, c);
      at = end + 2 + size + 2;
    }
  }

  std::string effects_;
};

using LocalNode = LocalNodeOn<>;

}  // namespace redoubt

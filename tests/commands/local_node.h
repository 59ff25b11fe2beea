// A node in a quiet world and one session of it, for tests that say what they expect in bytes.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/commands/families.h"
#include "engine/node/node.h"
#include "tests/commands/quiet_world.h"

namespace redoubt {

// All of it that does not hang on the kind of backend.
class LocalNodeBase : private EffectConsumer {
 public:
  LocalNodeBase(QuietBackend& backend, const std::vector<std::string_view>& settings);
  ~LocalNodeBase() override;
  LocalNodeBase(const LocalNodeBase&) = delete;
  LocalNodeBase& operator=(const LocalNodeBase&) = delete;

  // The reply's bytes.
  std::string call(std::span<const std::string_view> args);
  std::string call(std::initializer_list<std::string_view> args);
  std::string call(const std::vector<std::string>& args);

  // Of all databases: keys, values, deadlines.
  std::string digest() const;

  void turn();
  // Time passes, and a turn begins; nothing expires by itself unless timers are due.
  void pass_ms(int64_t ms);
  // What went into the stream of effects since the last call, one line each.
  std::string take_effects() { return std::exchange(effects_, {}); }

  Env env;
  std::unique_ptr<Node> node;
  Session* session = nullptr;

 private:
  void on_effect(std::string_view bytes, uint64_t) override;

  QuietBackend& quiet_;
  std::string effects_;
};

// The backend, which is there before the node and after it.
template <typename Backend>
struct BackendOfLocalNode {
  Backend backend{1};
};

// `Backend` is a QuietBackend or made from one.
template <typename Backend = QuietBackend>
class LocalNodeOn : public BackendOfLocalNode<Backend>, public LocalNodeBase {
 public:
  explicit LocalNodeOn(const std::vector<std::string_view>& settings = {})
      : LocalNodeBase(BackendOfLocalNode<Backend>::backend, settings) {}
};

using LocalNode = LocalNodeOn<>;

}  // namespace redoubt

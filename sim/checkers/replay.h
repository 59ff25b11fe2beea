// The checker of replay: the stream of effects of a node, applied to an empty node, gives the same
// data. Whatever consumes the stream (files, replicas) relies on that.
//
// The second node is as a replica is: it applies the effects later, many at once; its wall clock is
// years behind, so that a time which is not absolute gives something else and nothing expires there
// by itself; its random numbers and the sizes up to which it packs values are others. It removes
// nothing on its own: no active expiry, no limit of memory.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/node/node.h"
#include "net/env.h"

namespace redoubt::sim {

// The door of the second node: that of the first, with another wall clock and other chance.
class LaggingBackend;

class ReplayChecker final : public EffectConsumer {
 public:
  // What data `node` has already is taken over. It outlives this.
  explicit ReplayChecker(Node& node);
  // Not attached: what is fed() is applied, to begin with nothing.
  static std::unique_ptr<ReplayChecker> detached(Node& node);
  void feed(std::string_view bytes) { on_effect(bytes, 0); }
  ~ReplayChecker() override;
  ReplayChecker(const ReplayChecker&) = delete;
  ReplayChecker& operator=(const ReplayChecker&) = delete;

  // Compares the digests of both, between two commands. Nothing when they are equal, otherwise what
  // differs first.
  std::optional<std::string> compare();

  // The copy loses what has expired by its deadline and is not in the node: as when a snapshot is
  // loaded.
  void drop_expired(int64_t now_ms);

  // Who is told the words of each effect.
  using Listener = std::function<void(std::span<const std::string_view> words)>;
  void tell(Listener listener) { listener_ = std::move(listener); }

  // A planted bug: of so many effects, one is lost on its way.
  void lose_one_in(uint64_t effects) { lost_ = effects; }

 private:
  struct Detached {};
  ReplayChecker(Node& node, Detached);
  void on_effect(std::string_view bytes, uint64_t end_offset) override;
  void apply_pending();
  void set_clock_for(std::string_view bytes);
  void apply(std::string_view bytes, bool lost);
  std::string difference(int db) const;
  std::string last_words_about(std::string_view key) const;

  Node& node_;
  std::unique_ptr<LaggingBackend> backend_;
  std::unique_ptr<Env> env_;
  std::unique_ptr<Node> copy_;
  // Entries of the stream that are not applied yet, and whether each is to be lost.
  std::deque<std::pair<std::string, bool>> pending_;
  size_t pending_bytes_ = 0;
  int64_t clock_ms_ = 0;            // what the copy's clock is raised to; 0: it is not
  std::deque<std::string> recent_;  // the last effects, shortened
  Session* session_ = nullptr;
  Listener listener_;
  std::vector<std::string_view> words_;  // of the effect that is being applied
  uint64_t effects_ = 0;
  uint64_t lost_ = 0;
  std::string failure_;  // an effect that the copy refused
};

}  // namespace redoubt::sim

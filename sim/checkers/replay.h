// The checker of replay: the stream of effects of a node, applied to an empty node with the same
// clocks, gives the same data. Whatever consumes the stream (files, replicas) relies on that.
//
// The second node removes nothing on its own: no active expiry, no limit of memory. What the first
// removes reaches it as an effect.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/node/node.h"

namespace redoubt::sim {

class ReplayChecker final : public EffectConsumer {
 public:
  // `node` has no data yet, and outlives this.
  explicit ReplayChecker(Node& node);
  ~ReplayChecker() override;
  ReplayChecker(const ReplayChecker&) = delete;
  ReplayChecker& operator=(const ReplayChecker&) = delete;

  // Compares the digests of both, between two commands. Nothing when they are equal, otherwise what
  // differs first.
  std::optional<std::string> compare();

  // Who is told the words of each effect.
  using Listener = std::function<void(std::span<const std::string_view> words)>;
  void tell(Listener listener) { listener_ = std::move(listener); }

  // A planted bug: of so many effects, one is lost on its way.
  void lose_one_in(uint64_t effects) { lost_ = effects; }

 private:
  void on_effect(std::string_view bytes, uint64_t end_offset) override;

  Node& node_;
  std::unique_ptr<Node> copy_;
  Session* session_ = nullptr;
  Listener listener_;
  std::vector<std::string_view> words_;  // of the effect that is being applied
  uint64_t effects_ = 0;
  uint64_t lost_ = 0;
  std::string failure_;  // an effect that the copy refused
};

}  // namespace redoubt::sim

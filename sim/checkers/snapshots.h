// The checker of snapshots: while clients write, passes over the node's databases run now and then,
// one or two at once, and deliver what was there when they began.
//
// A pass is compared by its digest. Its consumer takes as little and as seldom as the seed likes,
// so that a pass lasts for many commands; some are given up.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "engine/node/node.h"
#include "engine/store/snapshot_digest.h"
#include "sim/random.h"

namespace redoubt::sim {

class SnapshotChecker {
 public:
  // `node` has just begun, and outlives this.
  SnapshotChecker(Node& node, Random random);
  SnapshotChecker(const SnapshotChecker&) = delete;
  SnapshotChecker& operator=(const SnapshotChecker&) = delete;
  ~SnapshotChecker();

  // A turn of the node has ended: begins, goes on, gives up. What is wrong, or nothing.
  std::optional<std::string> turn_ended();
  // Takes what is left at once.
  std::optional<std::string> finish();

 private:
  class Taker final : public SnapshotConsumer {
   public:
    void begin(std::string expected);
    bool busy() const { return busy_; }
    void set_room(uint64_t room) { digest_->set_room(room); }
    // What the last pass has found to be wrong, once.
    std::optional<std::string> take_difference();

    SnapshotSink& sink() override { return *digest_; }
    void snapshot_ended(SnapshotEnd end) override;

   private:
    std::optional<SnapshotDigest> digest_;
    std::string expected_;
    std::optional<std::string> difference_;
    bool busy_ = false;
  };

  std::string digest() const;
  SnapshotLimits draw_limits();

  Node& node_;
  Random random_;
  bool active_;
  std::array<Taker, DatabasePasses::kMost> takers_;
};

}  // namespace redoubt::sim

#include "sim/checkers/snapshots.h"

#include <utility>

namespace redoubt::sim {

namespace {

// In turns of the node.
constexpr int64_t kBeginOneIn = 200;
constexpr int64_t kGiveUpOneIn = 2000;

}  // namespace

void SnapshotChecker::Taker::begin(std::string expected) {
  digest_.emplace();
  expected_ = std::move(expected);
  busy_ = true;
}

void SnapshotChecker::Taker::snapshot_ended(SnapshotEnd end) {
  busy_ = false;
  const std::string seen = digest_->digest().hex();
  if (end == SnapshotEnd::complete && seen != expected_) {
    difference_ = "digest " + seen + " of " + std::to_string(digest_->entries()) +
                  " entries instead of " + expected_;
  }
}

std::optional<std::string> SnapshotChecker::Taker::take_difference() {
  return std::exchange(difference_, std::nullopt);
}

SnapshotChecker::SnapshotChecker(Node& node, Random random)
    : node_(node), random_(random), active_(random_.coin()) {}

SnapshotChecker::~SnapshotChecker() {
  for (Taker& taker : takers_) node_.keyspace().snapshots().cancel(taker);
}

std::string SnapshotChecker::digest() const {
  redoubt::Digest digest;
  Keyspace& keys = node_.keyspace();
  for (int db = 0; db < keys.count(); ++db) keys.database(db).digest(digest, db);
  return digest.hex();
}

SnapshotLimits SnapshotChecker::draw_limits() {
  SnapshotLimits limits;
  limits.whole_parts = static_cast<size_t>(random_.between_log(1, 64));
  limits.whole_bytes = static_cast<size_t>(random_.between_log(64, 16'384));
  if (random_.below(8) == 0) limits.kept_bytes = static_cast<size_t>(random_.between(0, 100'000));
  return limits;
}

std::optional<std::string> SnapshotChecker::turn_ended() {
  if (!active_) return std::nullopt;
  for (Taker& taker : takers_) {
    if (std::optional<std::string> difference = taker.take_difference()) return difference;
    if (!taker.busy()) {
      if (random_.below(kBeginOneIn) != 0) continue;
      std::string expected = digest();
      if (!node_.keyspace().snapshots().begin(node_.keyspace().snapshot_sources(), draw_limits(),
                                              taker))
        continue;
      taker.begin(std::move(expected));
      taker.set_room(0);
    } else if (random_.below(kGiveUpOneIn) == 0) {
      node_.keyspace().snapshots().cancel(taker);
    } else if (random_.below(3) == 0) {
      taker.set_room(random_.below(10));
    }
  }
  return std::nullopt;
}

std::optional<std::string> SnapshotChecker::finish() {
  for (Taker& taker : takers_) {
    if (taker.busy()) taker.set_room(UINT64_MAX);
  }
  while (node_.keyspace().snapshots().running() > 0) node_.keyspace().snapshots().step(SIZE_MAX);
  for (Taker& taker : takers_) {
    if (std::optional<std::string> difference = taker.take_difference()) return difference;
  }
  return std::nullopt;
}

}  // namespace redoubt::sim

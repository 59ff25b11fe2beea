#include "sim/linearizability/search.h"

#include <algorithm>
#include <tuple>

#include "net/assert.h"

namespace redoubt::linearizability {
namespace {

constexpr uint32_t kNoIdentity = 0;
constexpr uint32_t kNobody = UINT32_MAX;

size_t words_for(size_t bits) {
  return (bits + 63) / 64;
}

}  // namespace

Search::Search(const Specification& specification, std::span<const Operation> operations,
               std::span<const uint32_t> members, const Limits& limits)
    : specification_(specification), limits_(limits) {
  take_members(operations, members);
  find_identities();
  give_lanes();
  done_.assign(words_for(lanes_.size()), 0);
  used_.assign(words_for(unknown_.size()), 0);
  in_lane_.assign(lanes_.size(), 0);
}

void Search::take_members(std::span<const Operation> operations,
                          std::span<const uint32_t> members) {
  for (const uint32_t member : members) {
    const Operation& operation = operations[member];
    ASSERT(operation.call <= operation.returned);
    if (!operation.unknown()) {
      known_.push_back({member, operation.call, operation.returned, 0, 0, operation.pure});
    } else if (!operation.pure) {
      unknown_.push_back({member, operation.call, 0});
    }
  }
  std::ranges::sort(known_, [](const Known& a, const Known& b) {
    return std::tie(a.returned, a.call, a.member) < std::tie(b.returned, b.call, b.member);
  });
  std::ranges::sort(unknown_, [](const Unknown& a, const Unknown& b) {
    return std::tie(a.call, a.member) < std::tie(b.call, b.member);
  });
}

void Search::find_identities() {
  StringTable table;
  const auto number = [&](char kind, uint32_t member) {
    const std::string identity = specification_.identity(member);
    return identity.empty() ? kNoIdentity : 1 + table.number_of(kind + identity);
  };
  for (Known& one : known_) one.identity = number('k', one.member);
  for (Unknown& one : unknown_) one.identity = number('u', one.member);
  tried_at_.assign(table.count() + 1, 0);
}

// Each operation gets the lowest lane that is free from its call to its return.
void Search::give_lanes() {
  std::vector<uint32_t> by_call(known_.size());
  for (uint32_t i = 0; i < by_call.size(); ++i) by_call[i] = i;
  std::ranges::sort(by_call, [&](uint32_t a, uint32_t b) {
    return std::tie(known_[a].call, a) < std::tie(known_[b].call, b);
  });
  std::vector<uint32_t> free;
  size_t over = 0;  // operations, in the order of returns, whose lanes are free again
  for (const uint32_t index : by_call) {
    for (; known_[over].returned < known_[index].call; ++over) free.push_back(known_[over].lane);
    if (free.empty()) {
      free.push_back(static_cast<uint32_t>(lanes_.size()));
      lanes_.emplace_back();
    }
    const auto lowest = std::ranges::min_element(free);
    known_[index].lane = *lowest;
    *lowest = free.back();
    free.pop_back();
    lanes_[known_[index].lane].push_back(index);
  }
}

uint32_t Search::member_of(Candidate candidate) const {
  return candidate < known_.size() ? known_[candidate].member
                                   : unknown_[candidate - known_.size()].member;
}

Result Search::run() {
  // Two operations of unknown outcome one behind the other are seldom needed, and where there are
  // many, there are too many ways to choose them: then first without.
  constexpr size_t kMany = 24;
  chain_max_ = unknown_.size() > kMany ? 1 : UINT32_MAX;
  for (;; chain_max_ = UINT32_MAX) {
    chain_was_cut_ = false;
    visited_.emplace(done_.size(), used_.size());
    result_.verdict = pass();
    result_.states += visited_->count();
    if (result_.verdict != Verdict::violation || !chain_was_cut_) break;
  }
  return std::move(result_);
}

// Leaves nothing behind unless it ends the search.
Verdict Search::pass() {
  const uint32_t initial = states_.number_of(specification_.initial());
  enter({kNobody, 0, initial, 0, 0, 0});
  if (!complete()) collect_candidates(initial);
  bool found = complete();
  while (!found && !frames_.empty() && within_limits()) {
    Frame& frame = frames_.back();
    if (frame.next_candidate == candidates_.size()) {
      leave();
    } else {
      found = try_candidate(candidates_[frame.next_candidate++]);
    }
  }
  if (frames_.empty()) return Verdict::violation;
  save_if_best();
  return found ? Verdict::linearizable : Verdict::undecided;
}

bool Search::within_limits() const {
  return visited_->count() < std::min(limits_.states_per_key, limits_.states) &&
         visited_->bytes() + states_.bytes() < limits_.bytes_max;
}

// True when that was the last one.
bool Search::try_candidate(Candidate candidate) {
  const uint32_t before = frames_.back().state;
  uint32_t after = 0;
  if (!step(before, member_of(candidate), &after)) return false;
  const bool unknown = candidate >= known_.size();
  if (unknown && after == before) return false;
  const uint32_t chain = unknown ? frames_.back().chain + 1 : 0;
  const uint32_t base_before = base_;
  const size_t first_candidate = candidates_.size();
  take_effect(candidate);
  if (complete()) {
    enter({candidate, base_before, after, chain, first_candidate, first_candidate});
    return true;
  }
  const bool worth_it = !unknown || collect_what_shows(before, after, chain < chain_max_);
  if (!worth_it || !visited_->add(base_, after, done_, used_)) {
    candidates_.resize(first_candidate);
    undo(candidate, base_before);
    return false;
  }
  if (!unknown) collect_candidates(after);
  enter({candidate, base_before, after, chain, first_candidate, first_candidate});
  return false;
}

// Behind an operation of unknown outcome: only candidates that could not be the same without it.
// False when there are none.
bool Search::collect_what_shows(uint32_t before, uint32_t after, bool may_be_unknown) {
  const size_t first = candidates_.size();
  collect_candidates(after);
  size_t kept = first;
  for (size_t i = first; i < candidates_.size(); ++i) {
    if (candidates_[i] >= known_.size() && !may_be_unknown) {
      chain_was_cut_ = true;
      continue;
    }
    const uint32_t member = member_of(candidates_[i]);
    uint32_t with = 0;
    uint32_t without = 0;
    if (!step(after, member, &with)) continue;
    if (step(before, member, &without) && without == with) continue;
    candidates_[kept++] = candidates_[i];
  }
  candidates_.resize(kept);
  return kept > first;
}

bool Search::step(uint32_t state, uint32_t member, uint32_t* next) {
  if (!specification_.step(states_.text(state), member, next_state_)) return false;
  *next = states_.number_of(next_state_);
  return true;
}

void Search::enter(const Frame& frame) {
  frames_.push_back(frame);
  const std::pair come(base_, frames_.size());
  if (come > best_) {
    best_ = come;
    unsaved_ = true;
  }
}

void Search::leave() {
  save_if_best();
  const Frame frame = frames_.back();
  frames_.pop_back();
  candidates_.resize(frame.first_candidate);
  if (frames_.empty()) return;
  undo(frame.came_by, frame.base);
}

// Called where the search turns back, which is where it had come furthest if it ever did.
void Search::save_if_best() {
  if (!unsaved_) return;
  unsaved_ = false;
  result_.order.clear();
  for (const Frame& frame : frames_) {
    if (frame.came_by != kNobody) result_.order.push_back(member_of(frame.came_by));
  }
  result_.state = states_.text(frames_.back().state);
  result_.stuck.clear();
  if (complete()) return;
  const Known& due = known_[base_];
  result_.stuck.push_back(due.member);
  for (uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (in_lane_[lane] == lanes_[lane].size() || is_done(lane)) continue;
    const uint32_t index = lanes_[lane][in_lane_[lane]];
    if (index != base_ && known_[index].call <= due.returned) {
      result_.stuck.push_back(known_[index].member);
    }
  }
}

void Search::collect_candidates(uint32_t state) {
  ++collections_;
  collect_known();
  // A read that fits is the only candidate.
  for (const uint32_t index : pending_) {
    if (!known_[index].pure) continue;
    uint32_t next = 0;
    if (!step(state, known_[index].member, &next)) continue;
    ASSERT(next == state);
    candidates_.push_back(index);
    return;
  }
  for (const uint32_t index : pending_) {
    if (!known_[index].pure && first_of_its_kind(known_[index].identity)) {
      candidates_.push_back(index);
    }
  }
  collect_unknown();
}

// Those that may take effect before the due one returns, in the order of their returns.
void Search::collect_known() {
  const int64_t due = known_[base_].returned;
  pending_.clear();
  for (uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (in_lane_[lane] == lanes_[lane].size() || is_done(lane)) continue;
    const uint32_t index = lanes_[lane][in_lane_[lane]];
    if (known_[index].call <= due) pending_.push_back(index);
  }
  std::ranges::sort(pending_);
}

void Search::collect_unknown() {
  const int64_t due = known_[base_].returned;
  const auto first = static_cast<Candidate>(known_.size());
  for (uint32_t i = 0; i < unknown_.size() && unknown_[i].call <= due; ++i) {
    if (!is_used(i) && first_of_its_kind(unknown_[i].identity)) candidates_.push_back(first + i);
  }
}

bool Search::first_of_its_kind(uint32_t identity) {
  if (identity == kNoIdentity) return true;
  if (tried_at_[identity] == collections_) return false;
  tried_at_[identity] = collections_;
  return true;
}

void Search::take_effect(Candidate candidate) {
  if (candidate >= known_.size()) {
    return flip_used(candidate - static_cast<uint32_t>(known_.size()));
  }
  if (candidate != base_) return flip_done(known_[candidate].lane);
  // Its return is dealt with, and those behind it of operations that have taken effect already.
  ++in_lane_[known_[base_].lane];
  for (++base_; base_ < known_.size() && is_done(known_[base_].lane); ++base_) {
    const uint32_t lane = known_[base_].lane;
    ASSERT(lanes_[lane][in_lane_[lane]] == base_);
    flip_done(lane);
    ++in_lane_[lane];
  }
}

void Search::undo(Candidate candidate, uint32_t base_before) {
  if (candidate >= known_.size()) {
    return flip_used(candidate - static_cast<uint32_t>(known_.size()));
  }
  if (candidate != base_before) return flip_done(known_[candidate].lane);
  while (base_ > base_before + 1) {
    --base_;
    flip_done(known_[base_].lane);
    --in_lane_[known_[base_].lane];
  }
  --base_;
  --in_lane_[known_[base_].lane];
}

}  // namespace redoubt::linearizability

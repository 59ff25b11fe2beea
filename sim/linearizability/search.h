// The general search: Wing and Gong's, with Lowe's improvements, on the operations of one object.
//
// Real time goes from return to return. At any moment one operation is `due`: that with the
// earliest return of those that have not taken effect. It has to take effect before anything does
// that was called after its return; those called before (`pending`, one for each client, and all of
// unknown outcome) may come first. The search goes depth first: it lets the due operation take
// effect if it can, and only when that leads nowhere others before it (just in time). Every
// configuration that it comes to is remembered (visited.h) and not entered twice:
//
//   base    so many returns are dealt with; operations are numbered in the order of their returns
//   done    which of the pending operations have taken effect. Each operation has a lane, which is
//           free for others before and after; a set of lanes is as wide as operations overlap, not
//           as there are operations
//   used    which operations of unknown outcome have taken effect
//   state   as the specification has it
//
// What spares it work without losing an answer:
//   - a read that fits takes effect at once: it is in nobody's way;
//   - a configuration is not new when it was seen with fewer operations of unknown outcome used;
//   - so such an operation is left alone if it would change nothing, or if what comes next would be
//     the same without it;
//   - of operations with the same identity that are pending, only the first is tried.
#pragma once

#include <utility>

#include "sim/linearizability/linearizability.h"
#include "sim/linearizability/string_table.h"
#include "sim/linearizability/visited.h"

namespace redoubt::linearizability {

class Search {
 public:
  Search(const Specification& specification, std::span<const Operation> operations,
         std::span<const uint32_t> members, const Limits& limits);

  Result run();

 private:
  // What is tried: the number of a known operation (in the order of returns), or, from
  // known_.size() on, one of unknown outcome (in the order of calls).
  using Candidate = uint32_t;

  struct Known {
    uint32_t member;
    int64_t call;
    int64_t returned;
    uint32_t lane;
    uint32_t identity;
    bool pure;
  };
  struct Unknown {
    uint32_t member;
    int64_t call;
    uint32_t identity;
  };
  // A configuration on the way to where the search is.
  struct Frame {
    Candidate came_by;
    uint32_t base;  // before came_by
    uint32_t state;
    uint32_t chain;  // so many operations of unknown outcome one behind another end here
    size_t first_candidate;
    size_t next_candidate;
  };

  void take_members(std::span<const Operation> operations, std::span<const uint32_t> members);
  void find_identities();
  void give_lanes();
  uint32_t member_of(Candidate candidate) const;

  Verdict pass();
  void enter(const Frame& frame);
  void leave();
  bool try_candidate(Candidate candidate);
  void collect_candidates(uint32_t state);
  bool collect_what_shows(uint32_t before, uint32_t after, bool may_be_unknown);
  void collect_known();
  void collect_unknown();
  bool first_of_its_kind(uint32_t identity);

  // The state behind this operation; false when it cannot take effect.
  bool step(uint32_t state, uint32_t member, uint32_t* next);
  void take_effect(Candidate candidate);
  void undo(Candidate candidate, uint32_t base_before);
  bool within_limits() const;
  void save_if_best();

  bool is_done(uint32_t lane) const { return (done_[lane / 64] >> (lane % 64) & 1) != 0; }
  void flip_done(uint32_t lane) { done_[lane / 64] ^= uint64_t{1} << (lane % 64); }
  bool is_used(uint32_t unknown) const { return (used_[unknown / 64] >> (unknown % 64) & 1) != 0; }
  void flip_used(uint32_t unknown) { used_[unknown / 64] ^= uint64_t{1} << (unknown % 64); }
  bool complete() const { return base_ == known_.size(); }

  const Specification& specification_;
  const Limits limits_;
  std::vector<Known> known_;                  // in the order of returns
  std::vector<Unknown> unknown_;              // in the order of calls
  std::vector<std::vector<uint32_t>> lanes_;  // the operations of each, in order

  // Where the search is.
  uint32_t base_ = 0;
  std::vector<uint64_t> done_;
  std::vector<uint64_t> used_;
  std::vector<uint32_t>
      in_lane_;  // of each lane: which of its operations is the next from base_ on
  std::vector<Frame> frames_;
  std::vector<Candidate> candidates_;  // of all frames, one after another
  std::vector<uint32_t> pending_;      // collect_known() works here
  std::vector<uint64_t> tried_at_;     // per identity: the collection in which it was last met
  uint64_t collections_ = 0;

  // In this pass.
  std::optional<Visited> visited_;
  uint32_t chain_max_ = 0;
  bool chain_was_cut_ = false;

  StringTable states_;
  std::string next_state_;

  // The furthest that it has come: `base_`, and operations that took effect.
  std::pair<uint32_t, size_t> best_;
  bool unsaved_ = false;  // that is here, and result_ does not say so yet
  Result result_;
};

}  // namespace redoubt::linearizability

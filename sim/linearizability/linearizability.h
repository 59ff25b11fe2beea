// Linearizability: whether each operation of a history can be given one moment between its call and
// its return at which it took effect as a whole, so that all of them together make sense one after
// another.
//
// What an operation is, and what makes sense, is the caller's: a Specification. Here operations are
// intervals of time with a number. An operation whose outcome is unknown may take effect at any
// time after its call, or never.
//
// Objects that do not influence each other (keys) are checked apart; a history is linearizable when
// that of each object is. For each, two ways:
//   witness   Whoever recorded the history may know in which order things happened, such as the
//             place in a server's stream. That order is held against real time and against the
//             specification in one pass. When it fits, it is a proof; when it does not, it has
//             proved nothing.
//   search    Any order is tried (search.h), with a bound on the work. When the bound is reached,
//             the answer is `undecided`, which is neither.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt::linearizability {

// When an operation returns whose outcome nobody knows.
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

struct Operation {
  uint64_t key = 0;  // the object that it is about
  // Any clock, the same for all. One that returns at the moment in which another is called may
  // have taken effect after it.
  int64_t call = 0;
  int64_t returned = kNever;
  // Its place in the order that somebody knows; 0: not known. Equal places are in the order of
  // calls. An operation of unknown outcome without a place is taken as one that did not happen.
  uint64_t witness = 0;
  // Wherever it can take effect as it answered, it leaves the state as it is: a read.
  bool pure = false;

  bool unknown() const { return returned == kNever; }
};

// What the operations of one object do. Operations are named by their index in the history that
// was handed to check(). A state is a string: equal states have equal strings.
class Specification {
 public:
  virtual ~Specification() = default;

  virtual std::string initial() const { return {}; }

  // Whether the operation can take effect in this state and answer as it did (if that is known),
  // and the state afterwards. `next` has any content before.
  virtual bool step(std::string_view state, uint32_t operation, std::string& next) const = 0;

  // Operations of one object with the same identity (what was asked, and what was answered) can
  // stand for each other, which saves the search work. Empty: like no other.
  virtual std::string identity(uint32_t /*operation*/) const { return {}; }
};

// Bounds of the general search.
struct Limits {
  uint64_t states_per_key = 2'000'000;
  uint64_t states = 20'000'000;     // of all keys together
  size_t bytes_max = 256ul << 20u;  // that the search of one key remembers
};

enum class Verdict : uint8_t { linearizable, violation, undecided };

struct Result {
  Verdict verdict = Verdict::linearizable;
  bool by_witness = false;
  uint64_t states = 0;  // that the search visited

  // The longest order that was found, of all that happened when the verdict is linearizable.
  std::vector<uint32_t> order;
  // Otherwise: the state behind that order; and the operations that were under way and cannot
  // follow it, first the one that had to because its return came next.
  std::string state;
  std::vector<uint32_t> stuck;
};

// Checks the history of one object: `members` are indexes of `operations`.
Result check_object(const Specification& specification, std::span<const Operation> operations,
                    std::span<const uint32_t> members, const Limits& limits = {});

// The whole history, object by object.
struct Report {
  // Of the object whose violation shows first in time, if there is one.
  std::optional<Result> violation;
  uint64_t key = 0;  // of the violation
  std::vector<uint64_t> undecided;
  uint64_t keys = 0;
  uint64_t by_witness = 0;  // keys
  uint64_t by_search = 0;
  uint64_t states = 0;

  bool ok() const { return !violation && undecided.empty(); }
};

Report check(const Specification& specification, std::span<const Operation> operations,
             const Limits& limits = {});

}  // namespace redoubt::linearizability

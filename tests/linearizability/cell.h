// A cell that holds a number: the object of the tests, its histories, and the definition of
// linearizability tried out on them, all orders one after another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "sim/linearizability/linearizability.h"

namespace redoubt::linearizability {

enum class Kind : uint8_t {
  read,   // answers the number
  write,  // puts `value`
  add,    // adds `value`, answers the sum
  swap,   // puts `value`, answers what was there
};

struct CellOperation {
  Kind kind = Kind::read;
  int64_t value = 0;
  int64_t answer = 0;
};

struct CellHistory final : public Specification {
  std::vector<Operation> intervals;
  std::vector<CellOperation> operations;

  // Returns the number of the operation.
  uint32_t add(int64_t call, int64_t returned, CellOperation operation, uint64_t witness = 0,
               uint64_t key = 0) {
    intervals.push_back({key, call, returned, witness, operation.kind == Kind::read});
    operations.push_back(operation);
    return static_cast<uint32_t>(operations.size() - 1);
  }
  uint32_t write(int64_t call, int64_t returned, int64_t value, uint64_t witness = 0) {
    return add(call, returned, {Kind::write, value, 0}, witness);
  }
  uint32_t read(int64_t call, int64_t returned, int64_t answer, uint64_t witness = 0) {
    return add(call, returned, {Kind::read, 0, answer}, witness);
  }

  std::string initial() const override { return "0"; }

  static int64_t apply(const CellOperation& operation, int64_t& number) {
    const int64_t before = number;
    switch (operation.kind) {
      case Kind::read: return number;
      case Kind::write: number = operation.value; return 0;
      case Kind::add: return number += operation.value;
      case Kind::swap: number = operation.value; return before;
    }
    return 0;
  }

  bool step(std::string_view state, uint32_t operation, std::string& next) const override {
    int64_t number = std::stoll(std::string(state));
    const int64_t answer = apply(operations[operation], number);
    next = std::to_string(number);
    return intervals[operation].unknown() || answer == operations[operation].answer;
  }

  std::string identity(uint32_t operation) const override {
    const CellOperation& one = operations[operation];
    std::string text = std::to_string(static_cast<int>(one.kind)) + " ";
    text += std::to_string(one.value);
    if (!intervals[operation].unknown()) text += " " + std::to_string(one.answer);
    return text;
  }

  std::vector<uint32_t> members() const {
    std::vector<uint32_t> all(operations.size());
    for (uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    return all;
  }
  Result result(const Limits& limits = {}) const {
    return check_object(*this, intervals, members(), limits);
  }
  Verdict verdict() const { return result().verdict; }

  // Whether an order is a linearization of the operations in it.
  bool allows(const std::vector<uint32_t>& order) const {
    for (size_t i = 0; i < order.size(); ++i) {
      for (size_t j = i + 1; j < order.size(); ++j) {
        if (intervals[order[j]].returned < intervals[order[i]].call) return false;
      }
    }
    std::string state = initial();
    std::string next;
    for (const uint32_t operation : order) {
      if (!step(state, operation, next)) return false;
      state = next;
    }
    return true;
  }

  // The definition: some of those of unknown outcome, and all others, in some order.
  bool linearizable_by_definition() const {
    std::vector<uint32_t> unknown;
    std::vector<uint32_t> known;
    for (const uint32_t i : members()) (intervals[i].unknown() ? unknown : known).push_back(i);
    for (uint32_t chosen = 0; chosen < 1u << unknown.size(); ++chosen) {
      std::vector<uint32_t> order = known;
      for (uint32_t i = 0; i < unknown.size(); ++i) {
        if ((chosen >> i & 1) != 0) order.push_back(unknown[i]);
      }
      std::ranges::sort(order);
      do {
        if (allows(order)) return true;
      } while (std::ranges::next_permutation(order).found);
    }
    return false;
  }
};

// How a random history is made.
struct Shape {
  uint32_t clients = 3;
  uint32_t operations = 6;
  uint32_t unknown = 1;  // about as many
  int64_t values = 3;    // that are written
  uint32_t keys = 1;
  bool with_witness = false;
  bool only_registers = false;  // reads and writes
};

// The history of a cell that is really atomic: each operation takes effect at one moment between
// its call and its return, one of unknown outcome at any moment after its call, or never.
class AtomicRun {
 public:
  AtomicRun(uint64_t seed, const Shape& shape) : random_(seed), shape_(shape) {
    std::vector<int64_t> free(shape.clients, 0);
    for (uint32_t i = 0; i < shape.operations; ++i) {
      int64_t& from = free[below(shape.clients)];
      const int64_t call = from + static_cast<int64_t>(below(5));
      const int64_t effect = call + static_cast<int64_t>(below(20));
      const int64_t returned = effect + static_cast<int64_t>(below(20));
      from = returned + 1;
      const bool lost = below(shape.operations) < shape.unknown;
      const int64_t late = effect + static_cast<int64_t>(below(200));
      plan_.push_back({call, lost ? kNever : returned, lost ? late : effect, i, below(2) == 0});
    }
    std::ranges::sort(plan_, [](const Planned& a, const Planned& b) {
      return a.effect != b.effect ? a.effect < b.effect : a.number < b.number;
    });
    std::vector<int64_t> cells(shape.keys, 0);
    for (const Planned& planned : plan_) perform(planned, cells);
  }

  CellHistory& history() { return history_; }
  uint64_t below(uint64_t bound) { return random_() % bound; }

  // Changes one answer of a read, if there is one. Whether that is an error, depends.
  bool plant() {
    std::vector<uint32_t> reads;
    for (const uint32_t i : history_.members()) {
      const bool read = history_.operations[i].kind == Kind::read;
      if (read && !history_.intervals[i].unknown()) reads.push_back(i);
    }
    if (reads.empty()) return false;
    int64_t& answer = history_.operations[reads[below(reads.size())]].answer;
    const int64_t before = answer;
    answer = static_cast<int64_t>(below(static_cast<uint64_t>(shape_.values) + 1));
    return answer != before;
  }

 private:
  struct Planned {
    int64_t call;
    int64_t returned;
    int64_t effect;
    uint32_t number;
    bool happens;  // if nobody knows
  };

  void perform(const Planned& planned, std::vector<int64_t>& cells) {
    const uint64_t key = below(shape_.keys);
    constexpr Kind kKinds[] = {Kind::read, Kind::write, Kind::add, Kind::swap};
    CellOperation operation;
    operation.kind = kKinds[below(shape_.only_registers ? 2 : 4)];
    operation.value = 1 + static_cast<int64_t>(below(static_cast<uint64_t>(shape_.values)));
    const bool lost = planned.returned == kNever;
    if (!lost || planned.happens) operation.answer = CellHistory::apply(operation, cells[key]);
    const uint64_t place = history_.operations.size() + 1;
    const bool known = shape_.with_witness && (!lost || planned.happens);
    history_.add(planned.call, planned.returned, operation, known ? place : 0, key);
  }

  std::mt19937_64 random_;
  const Shape shape_;
  std::vector<Planned> plan_;
  CellHistory history_;
};

}  // namespace redoubt::linearizability

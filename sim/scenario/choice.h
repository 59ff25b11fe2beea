// A value that a scenario file leaves open, to be drawn from the seed.
//
//   17                       this number
//   "a word"                 this text
//   "1..500"                 a number between these, both included
//   "1..500 log"             the same; small ones as likely as large ones
//   [0, "100..5000 log"]     one of these, each as likely as the others
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/expected.h"
#include "sim/random.h"

namespace redoubt::sim {

class Choice {
 public:
  Choice() = default;
  explicit Choice(int64_t number) { add(number); }

  void add(int64_t number) { alternatives_.push_back({{}, number, number, true, false}); }
  // A range, a number in digits, or any other text. False: a range whose ends are in the wrong
  // order, or one that is to be drawn by its logarithm and does not begin above 0.
  bool add_text(std::string_view text);
  // What `add_text` takes, alternatives with a bar between them: "0 | 100..5000 log".
  static Choice of(std::string_view text);

  bool empty() const { return alternatives_.empty(); }
  // All of it is numbers between these.
  bool within(int64_t least, int64_t most) const;
  // Nothing is left to draw.
  bool fixed() const;

  int64_t draw(Random& random) const;
  // As text: a number in digits.
  std::string draw_text(Random& random) const;
  // As `of` reads it.
  std::string text() const;

 private:
  struct Alternative {
    std::string text;
    int64_t low = 0;
    int64_t high = 0;
    bool number = false;
    bool log = false;
  };

  std::vector<Alternative> alternatives_;
};

}  // namespace redoubt::sim

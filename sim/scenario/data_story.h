// Stories of data that is kept: steps that a client takes one after another at a node, and the data
// that each of them leaves.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/node/node.h"
#include "sim/process.h"
#include "sim/random.h"

namespace redoubt::sim {

using DataWords = std::vector<std::string>;

// What is sent at once and acknowledged at once.
struct DataStep {
  enum class Kind : uint8_t {
    write,    // changes data
    promise,  // when it is acknowledged, all before it is kept
    other,
  };
  Kind kind;
  std::vector<DataWords> commands;
  std::string_view good;  // how the last reply begins
};

struct DataStory {
  std::string name;
  DataWords arguments;           // of the first start
  DataWords again;               // of the start after the crash
  bool writes_are_kept = false;  // each that is acknowledged
  std::vector<DataStep> steps;
  bool in_pieces = false;
};

DataStep write_step(DataWords words);
// A few writes of all kinds, and perhaps a transaction. `number` goes on from call to call: no text
// comes twice.
void add_writes(DataStory& story, Random& random, int& number);

// A client that takes the steps of `story`, each when the one before was acknowledged, and counts
// those in `acknowledged`. Neither is owned.
std::unique_ptr<Process> make_teller(Env& env, const Address& node, const DataStory* story,
                                     size_t* acknowledged);

// Nothing if the data of the node is that behind `least` steps, `most`, or a number between them;
// or what differs from the first of these.
std::optional<std::string> compare_with_steps(Node& node, const DataStory& story, size_t least,
                                              size_t most);

}  // namespace redoubt::sim

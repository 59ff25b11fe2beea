// Requests made from the command table: bytes that a fuzzer mutates choose a row, walk the notation
// of its arguments (engine/commands/docs.h), and pick values that are ordinary, extreme or wrong.
// So each command and option that there is comes up without a word being written down here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/commands/docs.h"

namespace redoubt::fuzz {

class Vocabulary {
 public:
  Vocabulary();

  // The requests, as RESP, that these choices make.
  std::string requests(std::string_view choices) const;

 private:
  struct Row {
    std::vector<std::string_view> name;  // of the container, too
    std::vector<Argument> arguments;
  };

  void add(std::span<const Command> rows, std::string_view container);

  std::vector<Row> rows_;
};

}  // namespace redoubt::fuzz

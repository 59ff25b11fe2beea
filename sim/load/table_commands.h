// Random commands from the rows of the command table: any command with any of its options, each
// option drawn by itself, as the row's notation says (engine/commands/docs.h). Most of what
// comes of it is well formed; whether it makes sense is for the node to say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/commands/docs.h"
#include "sim/model/generator.h"
#include "sim/random.h"

namespace redoubt::sim {

class TableCommands {
 public:
  // `keys`: of how many names of the generator the keys are. Both outlive this.
  TableCommands(const CommandGenerator& generator, uint64_t keys, Random& random);

  // The words of a command, valid until the next call.
  const std::vector<std::string>& next(int64_t now_ms);

 private:
  struct Row {
    std::vector<std::string> names;  // one, or a container's and its own
    std::vector<Argument> arguments;
  };
  void add_rows();
  void add_row(std::string_view container, const Command& command);
  void make(const std::vector<Argument>& arguments);
  void make_one(const Argument& argument);
  void make_value(const Argument& argument);
  std::string key();
  std::string text(std::string_view name);
  std::string integer(const Argument& argument);
  std::string real();

  const CommandGenerator& generator_;
  const uint64_t keys_;
  Random& random_;
  std::vector<Row> rows_;
  std::vector<std::string> words_;
  int64_t now_ms_ = 0;
  size_t repeats_ = 0;  // how often what follows a number of keys comes; 0: as it happens
};

}  // namespace redoubt::sim

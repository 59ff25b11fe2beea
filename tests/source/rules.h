// The rules about the source, each a function from files to findings. The tests beside this file
// run every rule on the tree and on a text that breaks it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/source/text.h"

namespace redoubt::source {

// Who may include whom: docs/architecture.md, "Folders". Dependencies point one way.
std::vector<Finding> check_includes(const File& file);

// Commands on data see the keyspace, not the node nor its clients: no file of theirs includes those
// headers, itself or through others. `tree` are all files.
std::vector<Finding> check_data_commands(const File& file, const std::vector<File>& tree);

// Calls past the door: product code outside net/uring asks Env for time, randomness, files, streams
// and threads, so that the simulator sees all of it. Also what makes two runs of a seed differ:
// std::unordered_*, std::hash, the standard library's random numbers, locales.
std::vector<Finding> check_calls(const File& file);

// 100 columns (120 in a table where clang-format is off), no tabs, no trailing space, no notes to
// oneself, files under 900 lines, headers with #pragma once.
std::vector<Finding> check_lines(const File& file);

// Functions fit a screen: 70 lines, `case` lines not counted, for a flat switch is read as a table.
std::vector<Finding> check_functions(const File& file);

struct Function {
  std::string header;
  size_t first_line = 0;
  size_t lines = 0;  // from the first line of the header to the closing brace, less `case` lines
};
std::vector<Function> functions_of(std::string_view text);

// True for net, engine and sim, false for tests, fuzz targets and benchmarks.
bool is_product(std::string_view path);

}  // namespace redoubt::source

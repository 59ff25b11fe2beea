// What the product's libraries ask of the world, read with nm, and what they keep in globals.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/source/text.h"

namespace redoubt::source {

struct Symbol {
  std::string name;     // mangled
  std::string object;   // "dict.cc.o"
  std::string section;  // ".text", "*UND*"

  bool undefined() const { return section == "*UND*"; }
};

// Parses the output of `nm --format=sysv`.
std::vector<Symbol> parse_symbols(std::string_view nm_output);

// An allowed name. A `*` at its end stands for any rest.
struct Allowed {
  std::string name;
  std::string object;  // the only one that may ask for it; empty: all
};

// One a line, "name" or "name object"; `#` begins a comment.
std::vector<Allowed> parse_allowed(std::string_view text);

// Symbols that nobody here defines and that are not allowed.
std::vector<Finding> check_undefined(const std::vector<Symbol>& symbols,
                                     const std::vector<Allowed>& allowed);

// Allowed names that nothing asks for: the list is to stay short. A pattern has to match something.
std::vector<Finding> check_allowed_in_use(const std::vector<Symbol>& symbols,
                                          const std::vector<Allowed>& allowed);

// Globals that can change: a node is one object and thirty of them share a process. Constants with
// relocations, such as tables of functions, are in .data.rel.ro and do not count.
std::vector<Finding> check_globals(const std::vector<Symbol>& symbols);

}  // namespace redoubt::source

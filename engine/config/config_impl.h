// The state of a Config that only its own files see.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config/config.h"
#include "engine/config/directive.h"

namespace redoubt {

struct Config::Impl {
  static constexpr size_t kNone = static_cast<size_t>(-1);

  struct Name {
    std::string_view name;
    size_t row;
  };

  std::vector<const Directive*> rows;
  std::vector<std::string> values;  // of each row, canonical
  std::vector<Name> names;          // names and aliases in alphabetical order

  // For rewriting: what the configuration file with its includes gives, and which rows an included
  // file has set.
  std::vector<std::string> loaded;
  std::vector<bool> included;
  size_t files_read = 0;

  // Where each value was given last, for what is not supported; and the lines that are not.
  std::vector<std::string> places;
  std::vector<std::string> unsupported_lines;
  std::vector<ConfigListener> listeners;

  // The row of this name or alias, in any case; kNone.
  size_t find(std::string_view name) const;
};

// Of CONFIG SET.
struct Config::Change {
  size_t row;
  DirectiveValue value;
};

// Where a line comes from.
struct Config::Place {
  std::string file;
  int depth = 0;  // 0: the configuration file itself
  const ReadFile& read_file;
  const FindFiles& find_files;
  std::string* error;
  size_t line = 0;  // 0: not in a file

  std::string text() const { return line == 0 ? file : file + ":" + std::to_string(line); }
};

}  // namespace redoubt

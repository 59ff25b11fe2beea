// KeyLog: notes of a database about keys that appear and values that are replaced as a whole.
#pragma once

#include <string>
#include <vector>

namespace redoubt {

class Database;

struct KeyLog {
  struct Note {
    const Database* database = nullptr;
    std::string key;
    bool created = false;  // otherwise the value was replaced
    bool type_changed = false;
  };
  std::vector<Note> notes;
};

}  // namespace redoubt

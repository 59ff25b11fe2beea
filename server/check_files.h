// Modes of redoubt-server that look at files and start no node.
#pragma once

#include <string>
#include <vector>

namespace redoubt {

// --check-rdb FILE, --dump-rdb FILE, --check-aof FILE [--fix]. True: the arguments ask for one of
// these, and *status is the process's: 0 when the file is whole, 1 otherwise.
bool run_file_mode(const std::vector<std::string>& arguments, int* status);

}  // namespace redoubt

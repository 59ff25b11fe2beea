// The title of the process, as ps and top show it.
#pragma once

#include <string>
#include <string_view>

#include "engine/config/config.h"

namespace redoubt {

// Writes over the memory of the arguments and the environment, which the kernel shows. There is no
// other way without special rights.
class ProcessTitle {
 public:
  // Moves the environment out of the way. Before there are threads.
  ProcessTitle(int argc, char** argv);

  // What the process was started as.
  const std::string& program() const { return program_; }
  // Shows as much of it as fits.
  void set(std::string_view title);

 private:
  std::string program_;
  char* memory_ = nullptr;
  size_t size_ = 0;
};

// proc-title-template with its fields filled in.
std::string title_text(const Config& config, std::string_view program);

}  // namespace redoubt

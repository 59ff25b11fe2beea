// Runs the program redoubt-sim as a shell would.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <string>

namespace redoubt::sim {

struct Ran {
  int status = -1;
  std::string text;
};

inline Ran run(const std::string& arguments, const std::string& before = "") {
  const std::string line = before + " " + REDOUBT_SIM_PROGRAM + " " + arguments + " 2>&1";
  Ran ran;
  std::FILE* pipe = popen(line.c_str(), "re");
  if (pipe == nullptr) return ran;
  char buffer[4'096];
  for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    ran.text.append(buffer, got);
  }
  const int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return ran;
}

inline bool has(const Ran& ran, const std::string& text) {
  return ran.text.find(text) != std::string::npos;
}

}  // namespace redoubt::sim

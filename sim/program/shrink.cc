#include "sim/program/commands.h"
namespace redoubt::sim {
int shrink_command(const Arguments&) {
  return kUsage;
}
}  // namespace redoubt::sim

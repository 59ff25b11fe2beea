// Whoever has started the process and waits until it is ready: systemd (a service of Type=notify)
// or upstart.
#pragma once

#include <string_view>

#include "engine/config/settings.h"
#include "net/backend.h"

namespace redoubt {

class Supervisor {
 public:
  // `wanted` is the directive `supervised`; automatic finds out by the environment.
  explicit Supervisor(Supervision wanted);

  // "no", "systemd" or "upstart".
  std::string_view name() const;
  bool exists() const { return kind_ != Supervision::none; }
  // The variable that one who was asked for would have set; empty when all is as it was asked for.
  std::string_view missing_variable() const { return missing_variable_; }

  // Tells systemd the state and a line for people. Upstart is told that the process is ready by its
  // stopping itself, until upstart lets it go on.
  void report(ServiceState state, std::string_view status) const;

 private:
  Supervision kind_;
  std::string_view missing_variable_;
};

}  // namespace redoubt

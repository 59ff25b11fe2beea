#include "server/supervisor.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace redoubt {
namespace {

// The variable by which a supervisor says that it is there.
const char* variable_of(Supervision kind) {
  return kind == Supervision::upstart ? "UPSTART_JOB" : "NOTIFY_SOCKET";
}

Supervision detect() {
  for (const Supervision kind : {Supervision::upstart, Supervision::systemd}) {
    if (getenv(variable_of(kind)) != nullptr) return kind;
  }
  return Supervision::none;
}

// One datagram with lines "NAME=value" to the socket that the environment names: a path, or a name
// in the abstract space, written with "@" in place of its zero byte.
void notify_systemd(std::string_view text) {
  const char* name = getenv("NOTIFY_SOCKET");
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return;
  sockaddr_un address{};
  const size_t length = strlen(name);
  if (length >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  // A supervisor that does not listen any more cannot be helped.
  sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
         size);
  close(fd);
}

}  // namespace

Supervisor::Supervisor(Supervision wanted)
    : kind_(wanted == Supervision::automatic ? detect() : wanted) {
  if (kind_ == Supervision::none || getenv(variable_of(kind_)) != nullptr) return;
  missing_variable_ = variable_of(kind_);
  kind_ = Supervision::none;
}

std::string_view Supervisor::name() const {
  switch (kind_) {
    case Supervision::systemd: return "systemd";
    case Supervision::upstart: return "upstart";
    case Supervision::automatic:
    case Supervision::none: break;
  }
  return "no";
}

void Supervisor::report(ServiceState state, std::string_view status) const {
  if (kind_ == Supervision::upstart && state == ServiceState::ready) raise(SIGSTOP);
  if (kind_ != Supervision::systemd) return;
  std::string text = "STATUS=" + std::string(status) + "\n";
  if (state == ServiceState::ready) text += "READY=1\n";
  if (state == ServiceState::stopping) text += "STOPPING=1\n";
  notify_systemd(text);
}

}  // namespace redoubt

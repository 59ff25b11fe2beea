#include "net/op.h"

namespace redoubt {

std::string Address::to_string() const {
  const std::string suffix = ":" + std::to_string(port);
  if (!unix_socket && host.find(':') != std::string::npos) return "[" + host + "]" + suffix;
  return host + suffix;
}

bool Address::is_loopback() const {
  return unix_socket || host.starts_with("127.") || host == "::1" ||
         host.starts_with("::ffff:127.");
}

bool uses_handle(OpKind kind) {
  switch (kind) {
    case OpKind::accept:
    case OpKind::receive:
    case OpKind::send:
    case OpKind::read:
    case OpKind::write:
    case OpKind::sync:
    case OpKind::sync_data:
    case OpKind::truncate:
    case OpKind::file_size: return true;
    default: return false;
  }
}

}  // namespace redoubt

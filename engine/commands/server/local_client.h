// What only clients that run on this machine are allowed.
#pragma once

#include "engine/clients/session.h"

namespace redoubt {

inline bool is_local(const Session& session) {
  return session.has(kSessionLocal) || session.peer().is_loopback();
}

}  // namespace redoubt

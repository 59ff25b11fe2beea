#include "tests/commands/quiet_world.h"

namespace redoubt {

QuietBackend::QuietBackend(uint64_t seed) : random_(seed) {}
QuietBackend::~QuietBackend() = default;

void QuietBackend::deliver() {
  while (!waiting_.empty()) {
    std::vector<Op*> batch;
    batch.swap(waiting_);
    for (Op* op : batch) {
      op->result = OpResult();
      if (op->kind == OpKind::background) {
        op->work(*op);
      } else {
        op->result.error = Error::unsupported;
      }
      complete(*op);
    }
  }
}

void QuietWorld::turn() {
  env.begin_turn();
  backend.deliver();
  env.end_turn();
}

}  // namespace redoubt

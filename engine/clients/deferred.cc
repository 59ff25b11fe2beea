#include "engine/clients/deferred.h"

#include "net/assert.h"

namespace redoubt {

uint32_t DeferredReplies::defer(Output& output) {
  Piece& piece = pieces_.emplace_back(pool_);
  output.move_to(piece.before);
  ++open_;
  return static_cast<uint32_t>(pieces_.size() - 1);
}

bool DeferredReplies::close_slot(uint32_t number) {
  ASSERT(number < pieces_.size() && pieces_[number].open && open_ > 0);
  pieces_[number].open = false;
  return --open_ == 0;
}

void DeferredReplies::assemble(Output& output) {
  ASSERT(open_ == 0);
  Output behind(pool_);
  output.move_to(behind);
  for (Piece& piece : pieces_) {
    piece.before.move_to(output);
    piece.reply.move_to(output);
  }
  behind.move_to(output);
  pieces_.clear();
}

size_t DeferredReplies::memory_bytes() const {
  size_t bytes = sizeof *this + pieces_.size() * sizeof(Piece);
  for (const Piece& piece : pieces_) {
    bytes += piece.before.memory_bytes() + piece.reply.memory_bytes();
  }
  return bytes;
}

}  // namespace redoubt

// A recorded run as a report shows it: items (a message is one, from its departure to its arrival;
// so is an operation, from its call to its reply), what led to each, and how each host was.
//
// The cause of an item is what happened before it and made it happen, as far as the trace tells:
//
//   a turn       the message that arrived last before it; otherwise the turn before it, or the boot
//   a message    the turn that sent it, or the message that the network answered; otherwise the
//                sender's last turn: bytes that had to wait, or are sent again
//   a remark     the turn in which it was made; so with a line of the log
//   an operation the turn that called it, and (result) the one that had its reply
//   a stop       the fault that made it stop
//   a violation  what was going on when it was found
//
// All causes lie before what they cause, so that following them ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/trace/trace_reader.h"

namespace redoubt::sim {

enum class ItemKind : uint8_t {
  turn,
  message,     // detail: MessageKind
  operation,   // detail: OperationState
  remark,      //
  log,         //
  fault,       // an instant. detail: Fault
  fault_span,  // detail: Fault
  boot,        // number: how often
  stop,        // detail: StopKind, number: the status
  clock,       // number: the offset in us
  role,        // number: the epoch
  violation,   //
};
constexpr int kItemKinds = static_cast<int>(ItemKind::violation) + 1;

// What became of an operation.
enum class OperationState : uint8_t { replied, silent, unknown, open };

constexpr uint32_t kNoItem = 0xffffffff;

struct Item {
  Instant begin;
  Instant end;  // the same for an instant; where the run ends, for what has not ended
  ItemKind kind = ItemKind::turn;
  uint8_t detail = 0;
  bool lost = false;  // a message that never arrived
  bool open = false;  // had not ended when the run did
  uint16_t host = kNowhere;
  uint16_t to = kNowhere;  // of a message
  uint32_t cause = kNoItem;
  uint32_t result = kNoItem;  // of an operation
  int64_t number = 0;         // bytes of a message; see above
  int32_t drift_ppm = 0;      // of a clock
  std::string_view text;      // points into the recorder
  std::string_view reply;     // of an operation
};

enum class HostState : uint8_t { down, running, paused, slow, off };

// How something was from a moment on.
template <typename T>
struct Since {
  Instant at;
  T value;
};

struct HostLine {
  std::string name;
  std::vector<Since<HostState>> states;
  std::vector<Since<uint64_t>> offsets;
  uint32_t boots = 0;
};

struct Timeline {
  std::vector<Item> items;  // by begin
  std::vector<HostLine> hosts;
  // The hosts of fault spans besides the item's own: (item, host), by item.
  std::vector<std::pair<uint32_t, uint16_t>> joined;
  Instant end;
  uint64_t dropped = 0;  // records that the recorder has forgotten
  uint32_t violation = kNoItem;
};

// `end` is when the run ended. A violation of `at` and `node` is put in where the recorder was not
// told of it.
struct Found {
  Instant at;
  std::string node;
};
Timeline make_timeline(const RunRecorder& recorder, Instant end, const std::optional<Found>& found);

}  // namespace redoubt::sim

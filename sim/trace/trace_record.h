// What a recorded run consists of: records of 16 bytes, in the order in which things happened.
//
//   delta_ns   since the record before it; what is longer than 4 s has a `gap` in front
//   kind       what happened; the highest bit says that a text belongs to it
//   detail     a message's kind, a fault's number, a reason: by kind
//   host       where; kNowhere for the world
//   a, b       two numbers, by kind
//
// Texts lie one behind the other beside the records, in the same order, so that a record needs
// only the bit.
#pragma once

#include <cstdint>

namespace redoubt::sim {

constexpr uint16_t kNowhere = 0xffff;

enum class TraceKind : uint8_t {
  gap,          // a, b: nanoseconds, 64 bits
  host,         // a new machine; text: its name
  boot,         // a: how often
  stop,         // detail: StopKind; a: the status of an exit
  pause,        //
  resume,       //
  speed,        // a: so many times slower, from here on; 1 is normal
  clock,        // the wall clock's offset in us (48 bits) and the drift in ppm (16 bits)
  role,         // a, b: its epoch, 64 bits; text: the role
  offset,       // a, b: where its stream has got to, 64 bits
  fault,        // detail: a Fault, which has happened
  fault_begin,  // detail: a Fault; a: the window; b: its length in us when known; text: more
  fault_joins,  // a: the window; another host that it concerns
  fault_end,    // a: the window
  sent,         // detail: MessageKind; a: the message; b: to whom (16 bits), bytes (16); text
  arrived,      // a: the message; detail: 1 if it was lost instead; b: the connection
  turn,         // a: the processor's time, in ns
  called,       // a client's operation; a: its number; detail: 1 if nobody replies; text: words
  returned,     // a: its number; detail: 1 if the outcome is unknown; text: the reply
  log,          // text: a line of the log
  remark,       // text: what a checker has seen there
  violation,    // a checker does not hold
};
constexpr int kTraceKinds = static_cast<int>(TraceKind::violation) + 1;

enum class MessageKind : uint8_t { data, connect, accept, refuse, close, reset };

struct TraceRecord {
  uint32_t delta_ns;
  uint8_t kind;
  uint8_t detail;
  uint16_t host;
  uint32_t a;
  uint32_t b;
};
static_assert(sizeof(TraceRecord) == 16);
constexpr uint8_t kTextBit = 0x80;

}  // namespace redoubt::sim

// The numbers of the RDB format. A file is
//
//   magic and version, 9 bytes   REDIS0010, VALKEY080, REDOUBT01
//   opcodes with their data, and key records: [deadline] [use] type, key, value
//   EOF, and from version 5 on a CRC-64 of all before it; 0: not computed
//
// REDOUBT01 is Redis's version 12 with types of our own, for what no version of theirs holds: sets
// with members that have deadlines, and streams with entries that nobody has or with what producers
// sent. It is written when a value needs it only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace redoubt {

inline constexpr size_t kRdbMagicBytes = 9;
inline constexpr size_t kRdbChecksumBytes = 8;

enum class RdbOpcode : uint8_t {
  slot_import = 243,  // of Valkey; to Redis it is key_meta
  key_meta = 243,
  slot_info = 244,
  function2 = 245,
  function_before_release = 246,
  module_aux = 247,
  idle = 248,
  frequency = 249,
  aux = 250,
  resize_db = 251,
  expire_ms = 252,
  expire_s = 253,
  select_db = 254,
  eof = 255,
};
// From here on a byte is an opcode.
inline constexpr uint8_t kRdbFirstOpcode = 243;

enum class RdbType : uint8_t {
  string = 0,
  list = 1,
  set = 2,
  zset_text = 3,
  hash = 4,
  zset = 5,
  module_before_release = 6,
  module = 7,
  hash_zipmap = 9,
  list_ziplist = 10,
  set_intset = 11,
  zset_ziplist = 12,
  hash_ziplist = 13,
  quicklist_ziplist = 14,
  stream = 15,
  hash_listpack = 16,
  zset_listpack = 17,
  quicklist = 18,
  stream2 = 19,
  set_listpack = 20,
  stream3 = 21,
  hash_deadlines_old = 22,  // of Valkey another one than of Redis before its release
  hash_listpack_deadlines_old = 23,
  hash_deadlines = 24,
  hash_listpack_deadlines = 25,
  stream4 = 26,
  stream5 = 27,
  // Ours, in REDOUBT01 only.
  //   200: length n, n x (member, 8 bytes deadline in ms, the largest number for none)
  //   201: as stream3, and behind each group's consumers: length n, n x 16 bytes id (entries that
  //   nobody has); at the end: length 0, or 1 and: length duration in s, length records at most,
  //   length ids ever, length duplicates, length n, n x producer, length n, n x (length index of
  //   the producer, id, length ms, length seq, 8 bytes made in ms, length number), in order of the
  //   numbers
  set_deadlines = 200,
  stream_redoubt = 201,
};

// Which form strings may take besides their bytes.
enum class RdbStringForm : uint8_t { int8 = 0xC0, int16 = 0xC1, int32 = 0xC2, lzf = 0xC3 };

enum class RdbFamily : uint8_t { redis, valkey, redoubt };

struct RdbVersion {
  RdbFamily family = RdbFamily::redis;
  int number = 0;
};

// What is written. With `automatic`, the least of 10, 12 and our own that holds all values, which
// is known at the end.
enum class RdbForm : uint8_t { redis10, redis11, redis12, valkey80, redoubt1, automatic };

inline std::string_view rdb_magic(RdbForm form) {
  switch (form) {
    case RdbForm::redis11: return "REDIS0011";
    case RdbForm::redis12: return "REDIS0012";
    case RdbForm::valkey80: return "VALKEY080";
    case RdbForm::redoubt1: return "REDOUBT01";
    default: return "REDIS0010";
  }
}

// The largest deadline of a field that Redis loads, in ms.
inline constexpr int64_t kRedisDeadlineMax = 0x0000FFFFFFFFFFFF;

// The version that a DUMP payload of our own form has. Others refuse it: it is newer than theirs.
inline constexpr uint16_t kRedoubtPayloadVersion = 0x5201;

}  // namespace redoubt

// The contents of an RDB file as text, and whether there is anything wrong with it: what
// --dump-rdb and --check-rdb print.
//
// Each key is a line, a JSON object:
//
//   {"db":0,"key":"k","type":"string","value":"v","expire_ms":null}
//
//   value   string: text; list: texts in order; set: texts in order of their bytes; hash: pairs of
//           name and value, by name; zset: pairs of member and score, as text, by score and member;
//           stream: {"entries":[[id,[name,value,...]],...],"length","last_id","first_id",
//           "max_deleted_id","entries_added","groups":[{"name","last_delivered_id","entries_read",
//           "pending":[[id,consumer,delivered_ms,deliveries],...],"consumers":[{"name","seen_ms",
//           "active_ms"},...]},...]}, and "producers" when it remembers what they sent:
//           {"duration_s",
//           "maxsize","ids","duplicates","records":[[producer,id,entry,made_ms],...]}
//   field_expire_ms   pairs of name and deadline, when fields or members have one
//   idle_s, freq      what the file says of the key's use
//
// Bytes are written as the characters with these numbers (Latin-1): what is no printable ASCII as
// \u00NN.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/persist/rdb/input.h"
#include "engine/persist/rdb/reader.h"

namespace redoubt {

// The line of a key, without an end of line.
std::string rdb_json_line(const RdbKey& key, const Entry& entry);

// Gives the next bytes of a file, up to as many as it likes, at the end none.
using RdbRead = std::function<std::string_view()>;
// Takes text to be printed.
using RdbPrint = std::function<void(std::string_view)>;

// What has been found in a file.
struct RdbSummary {
  bool whole = false;  // nothing is wrong with it
  RdbError error;      // or else this
  RdbVersion version;
  uint64_t bytes = 0;  // that were read
  uint64_t keys = 0;
  uint64_t expiring = 0;      // of the keys
  uint64_t skipped_keys = 0;  // of modules, or without elements
  uint64_t functions = 0;     // libraries
  uint64_t rest_bytes = 0;    // behind the end, as far as they were read
};

// Prints each key of a file, and what stands beside keys: {"aux":name,"value":text},
// {"function":source}, {"module_data":name}, {"skipped":key,"db":0,"why":text}. Of keys that have
// been printed, the names stay in memory, to find one that is there twice.
RdbSummary dump_rdb(const RdbRead& read, const HashKey& hash_key, const RdbPrint& print);

// The same without printing.
RdbSummary check_rdb(const RdbRead& read, const HashKey& hash_key);

// A line about a summary for people, such as "RDB version 10, 12 keys, 2 of them with a deadline".
std::string describe(const RdbSummary& summary);

}  // namespace redoubt

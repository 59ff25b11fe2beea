// The payload of DUMP and RESTORE: one value outside of a file.
//
//   type 1, value, version 2 (little-endian), CRC-64 of all before it 8
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/persist/rdb/collections.h"
#include "engine/persist/rdb/format.h"
#include "engine/persist/rdb/input.h"
#include "engine/persist/rdb/value.h"
#include "engine/store/entry.h"

namespace redoubt {

// The payload of an entry's value, in this form; with RdbForm::automatic in the least that holds
// it: version 10, 12, or our own. Nothing when the form does not hold it.
std::optional<std::string> dump_payload(const Entry& entry, bool compress,
                                        RdbForm form = RdbForm::automatic);

enum class RestoreEnd : uint8_t {
  restored,
  // "DUMP payload version or checksum are wrong": too short, of a version that is not known here,
  // or damaged.
  wrong_checksum,
  // "Bad data format": it holds no value, or one of a type that is not known here.
  bad_format,
};

struct Restored {
  RestoreEnd end = RestoreEnd::bad_format;
  RdbValue value;  // when restored; has elements
  RdbError error;  // with bad_format
};

// The payload of FUNCTION DUMP: the sources of libraries, as an RDB file has them, and the same end
// with version 10.
std::string dump_functions(const std::vector<std::string>& sources, bool compress);
// Nothing: it has no whole end, or is damaged.
std::optional<std::vector<std::string>> restore_functions(std::string_view payload);

// Reads a payload. Everything in it is checked, and all of it is read at once.
Restored restore_payload(std::string_view payload, const RdbMaker& maker);

}  // namespace redoubt

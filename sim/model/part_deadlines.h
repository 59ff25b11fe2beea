// Deadlines of parts of a value in the model: fields of a hash, members of a set.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/model/call.h"
#include "sim/model/sorted.h"

namespace redoubt::sim {

// The parts of a value that have not expired, and their deadlines or ModelEntry::no_deadline.
using PartDeadlines = SortedMap<int64_t>;

// What the commands of a type say.
struct PartTexts {
  std::string_view list;
  std::string_view no_list;
  std::string_view no_number;
  std::string_view not_positive;
  std::string_view other_number;
};

inline constexpr PartTexts field_texts = {
    .list = "FIELDS",
    .no_list = "ERR Mandatory argument FIELDS is missing or not at the right position",
    .no_number = "ERR Parameter `numFields` should be greater than 0",
    .not_positive = "ERR Number of fields must be a positive integer",
    .other_number = "ERR The `numfields` parameter must match the number of arguments"};

inline constexpr PartTexts member_texts = {
    .list = "MEMBERS",
    .no_list = "ERR Mandatory argument MEMBERS is missing or not at the right position",
    .no_number = "ERR Parameter `numMembers` should be greater than 0",
    .not_positive = "ERR Number of members must be a positive integer",
    .other_number = "ERR The `nummembers` parameter must match the number of arguments"};

// "FIELDS numfields field ..." at argument `at`; the error, if there is one.
std::optional<ModelReply> check_parts(const ModelCall& call, size_t at, const PartTexts& texts,
                                      std::string_view count_text);

// The deadline that a number means; nothing when it is too far away.
std::optional<int64_t> part_deadline(int64_t given, int64_t base_ms, bool seconds);

// HEXPIRE, HTTL, HPERSIST and their kin: what they reply, and in `parts` what they leave.
ModelReply expire_parts(const ModelCall& call, const PartTexts& texts, bool absolute, bool seconds,
                        PartDeadlines& parts);
ModelReply show_part_deadlines(const ModelCall& call, const PartTexts& texts, bool absolute,
                               bool seconds, const PartDeadlines& parts);
ModelReply persist_parts(const ModelCall& call, const PartTexts& texts, PartDeadlines& parts);

}  // namespace redoubt::sim

#include "sim/model/part_deadlines.h"

namespace redoubt::sim {
namespace {

constexpr int64_t none = ModelEntry::no_deadline;
constexpr int64_t latest_ms = (int64_t{1} << 46) - 1;

}  // namespace

std::optional<ModelReply> check_parts(const ModelCall& call, size_t at, const PartTexts& texts,
                                      std::string_view count_text) {
  if (!same_word(call.argument(at), texts.list)) {
    return reply_error(texts.no_list);
  }
  if (at + 1 >= call.count()) {
    return reply_error(syntax_text);
  }
  const std::optional<int64_t> count = parse_integer(call.argument(at + 1));
  if (!count || *count < 1) {
    return reply_error(count_text);
  }
  if (static_cast<uint64_t>(*count) != call.count() - at - 2) {
    return reply_error(texts.other_number);
  }
  return std::nullopt;
}

std::optional<int64_t> part_deadline(int64_t given, int64_t base_ms, bool seconds) {
  const int64_t scale = seconds ? 1000 : 1;
  if (given > latest_ms / scale || given * scale > latest_ms - base_ms) {
    return std::nullopt;
  }
  return given * scale + base_ms;
}

ModelReply expire_parts(const ModelCall& call, const PartTexts& texts, bool absolute, bool seconds,
                        PartDeadlines& parts) {
  const std::optional<int64_t> given = parse_integer(call.argument(2));
  if (!given) {
    return reply_error(not_integer_text);
  }
  if (*given < 0) {
    return reply_error("ERR invalid expire time, must be >= 0");
  }
  const std::optional<int64_t> deadline =
      part_deadline(*given, absolute ? 0 : call.now_ms, seconds);
  if (!deadline) {
    return invalid_expire(lower(call.argument(0)));
  }
  const std::string condition = lower(call.argument(3));
  const bool given_condition =
      condition == "nx" || condition == "xx" || condition == "gt" || condition == "lt";
  const size_t at = given_condition ? 4 : 3;
  if (std::optional<ModelReply> wrong = check_parts(call, at, texts, texts.no_number)) {
    return *wrong;
  }
  std::string reply = resp_header('*', call.count() - at - 2);
  for (size_t i = at + 2; i < call.count(); i++) {
    const auto found = parts.find(call.argument(i));
    if (found == parts.end()) {
      reply += resp_integer(-2);
      continue;
    }
    const int64_t old = found->second;
    const bool refused = (condition == "nx" && old != none) || (condition == "xx" && old == none) ||
                         (condition == "gt" && (old == none || *deadline <= old)) ||
                         (condition == "lt" && old != none && *deadline >= old);
    if (refused) {
      reply += resp_integer(0);
    } else if (*deadline <= call.now_ms) {
      parts.erase(found);
      reply += resp_integer(2);
    } else {
      found->second = *deadline;
      reply += resp_integer(1);
    }
  }
  return reply_exact(std::move(reply));
}

ModelReply show_part_deadlines(const ModelCall& call, const PartTexts& texts, bool absolute,
                               bool seconds, const PartDeadlines& parts) {
  if (std::optional<ModelReply> wrong = check_parts(call, 2, texts, texts.not_positive)) {
    return *wrong;
  }
  std::string reply = resp_header('*', call.count() - 4);
  for (size_t i = 4; i < call.count(); i++) {
    const auto found = parts.find(call.argument(i));
    if (found == parts.end() || found->second == none) {
      reply += resp_integer(found == parts.end() ? -2 : -1);
      continue;
    }
    const int64_t ms = found->second - (absolute ? 0 : call.now_ms);
    reply += resp_integer(seconds ? ms / 1000 + (ms % 1000 > 0 ? 1 : 0) : ms);
  }
  return reply_exact(std::move(reply));
}

ModelReply persist_parts(const ModelCall& call, const PartTexts& texts, PartDeadlines& parts) {
  if (std::optional<ModelReply> wrong = check_parts(call, 2, texts, texts.not_positive)) {
    return *wrong;
  }
  std::string reply = resp_header('*', call.count() - 4);
  for (size_t i = 4; i < call.count(); i++) {
    const auto found = parts.find(call.argument(i));
    if (found == parts.end()) {
      reply += resp_integer(-2);
    } else {
      reply += resp_integer(found->second == none ? -1 : 1);
      found->second = none;
    }
  }
  return reply_exact(std::move(reply));
}

}  // namespace redoubt::sim

#include "sim/checkers/string_operation.h"

#include <charconv>

#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

using Kind = StringOperation::Kind;
using Answer = StringAnswer::Kind;

constexpr std::string_view kAnything = "?";

// A number as a server prints it: no blanks, no plus, no zeros before it.
std::optional<int64_t> read_number(std::string_view text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end) return std::nullopt;
  char printed[24];
  const auto print = std::to_chars(printed, printed + sizeof printed, number);
  if (text != std::string_view(printed, print.ptr)) return std::nullopt;
  return number;
}

struct OperationRow {
  std::string_view name;
  Kind kind;
  size_t words;   // with the name; SET may have more
  int64_t times;  // of add: the sign
};

constexpr OperationRow kOperationRows[] = {
    {"GET", Kind::get, 2, 0},        {"SET", Kind::set, 3, 0},
    {"GETSET", Kind::get_set, 3, 0}, {"GETDEL", Kind::get_del, 2, 0},
    {"SETNX", Kind::set_nx, 3, 0},   {"APPEND", Kind::append, 3, 0},
    {"STRLEN", Kind::strlen, 2, 0},  {"INCR", Kind::add, 2, 1},
    {"INCRBY", Kind::add, 3, 1},     {"DECR", Kind::add, 2, -1},
    {"DECRBY", Kind::add, 3, -1},    {"DEL", Kind::del, 2, 0},
    {"UNLINK", Kind::del, 2, 0},     {"EXISTS", Kind::exists, 2, 0},
};

bool read_set_options(std::span<const std::string_view> options, StringOperation& operation) {
  for (const std::string_view option : options) {
    if (same_word(option, "NX")) {
      operation.only_if_absent = true;
    } else if (same_word(option, "XX")) {
      operation.only_if_present = true;
    } else if (same_word(option, "GET")) {
      operation.answers_old = true;
    } else if (same_word(option, "KEEPTTL")) {
      operation.keeps_deadline = true;
    } else {
      return false;
    }
  }
  return !(operation.only_if_absent && operation.only_if_present);
}

bool read_amount(std::span<const std::string_view> words, int64_t times,
                 StringOperation& operation) {
  const std::optional<int64_t> amount = words.size() == 3 ? read_number(words[2]) : 1;
  return amount && !__builtin_mul_overflow(*amount, times, &operation.number);
}

void put(std::string& state, std::string_view value) {
  state = '=';
  state += value;
}

}  // namespace

StringAnswer read_string_answer(std::string_view bytes) {
  if (bytes == "+OK\r\n") return {Answer::ok, 0, {}};
  if (bytes == "$-1\r\n" || bytes == "_\r\n") return {Answer::null, 0, {}};
  if (bytes == "-ERR value is not an integer or out of range\r\n") {
    return {Answer::not_integer, 0, {}};
  }
  if (bytes == "-ERR increment or decrement would overflow\r\n") return {Answer::overflow, 0, {}};
  if (bytes.starts_with("-WRONGTYPE ")) return {Answer::wrong_type, 0, {}};
  if (bytes.starts_with('-')) return {Answer::refusal, 0, {}};
  const size_t line = bytes.find("\r\n");
  if (line == std::string_view::npos) return {};
  const std::optional<int64_t> number = read_number(bytes.substr(1, line - 1));
  if (!number) return {};
  if (bytes[0] == ':') return {Answer::integer, *number, {}};
  if (bytes[0] != '$' || *number < 0) return {};
  const auto size = static_cast<size_t>(*number);
  if (bytes.size() != line + 2 + size + 2) return {};
  return {Answer::bulk, 0, bytes.substr(line + 2, size)};
}

std::optional<StringOperation> read_string_operation(std::span<const std::string_view> words) {
  for (const OperationRow& row : kOperationRows) {
    if (!same_word(words[0], row.name)) continue;
    const bool more = row.kind == Kind::set && words.size() > row.words;
    if (words.size() != row.words && !more) return std::nullopt;
    StringOperation operation;
    operation.kind = row.kind;
    operation.key = words[1];
    if (row.kind == Kind::add) {
      if (!read_amount(words, row.times, operation)) return std::nullopt;
    } else if (words.size() > 2) {
      operation.value = words[2];
      if (!read_set_options(words.subspan(3), operation)) return std::nullopt;
    }
    return operation;
  }
  return std::nullopt;
}

bool StringOperation::changes_nothing(const StringAnswer& answer) const {
  switch (kind) {
    case Kind::get:
    case Kind::strlen:
    case Kind::exists: return true;
    case Kind::get_del: return answer.kind == Answer::null;
    case Kind::del:
    case Kind::set_nx: return answer.kind == Answer::integer && answer.number == 0;
    case Kind::set:
      if (answers_old && only_if_absent) return answer.kind == Answer::bulk;
      return (only_if_absent || only_if_present) && answer.kind == Answer::null;
    case Kind::add: return answer.kind == Answer::not_integer || answer.kind == Answer::overflow;
    case Kind::get_set:
    case Kind::append:
    case Kind::removed:
    case Kind::anything: return false;
  }
  return false;
}

bool StringOperation::step(std::string_view state, const StringAnswer* answer,
                           std::string& next) const {
  if (kind == Kind::removed) {
    next.clear();
  } else if (kind == Kind::anything) {
    next = kAnything;
  } else if (state == kAnything) {
    step_from_anything(answer, next);
  } else {
    const StringAnswer expected = apply(state, next);
    return answer == nullptr || expected == *answer;
  }
  return true;
}

// What is known again. A command whose answer is not known may have been refused because of the
// key's type, unless it does not look at that.
void StringOperation::step_from_anything(const StringAnswer* answer, std::string& next) const {
  next = kAnything;
  const bool known = answer != nullptr;
  if (known && (changes_nothing(*answer) || answer->kind == Answer::wrong_type)) return;
  switch (kind) {
    case Kind::set:
      if (!keeps_deadline && (known || !(only_if_absent || only_if_present || answers_old))) {
        put(next, value);
      }
      return;
    case Kind::get_set:
    case Kind::set_nx:
      if (known) put(next, value);
      return;
    case Kind::get_del:
      if (known) next.clear();
      return;
    case Kind::del: next.clear(); return;
    default: return;
  }
}

StringAnswer StringOperation::apply(std::string_view state, std::string& next) const {
  const bool present = !state.empty();
  const std::string_view old = present ? state.substr(1) : state;
  const StringAnswer old_answer{present ? Answer::bulk : Answer::null, 0, old};
  const auto integer = [](size_t count) {
    return StringAnswer{Answer::integer, static_cast<int64_t>(count), {}};
  };
  next = state;
  switch (kind) {
    case Kind::get: return old_answer;
    case Kind::strlen: return integer(old.size());
    case Kind::exists: return integer(present ? 1 : 0);
    case Kind::get_set: put(next, value); return old_answer;
    case Kind::get_del: next.clear(); return old_answer;
    case Kind::del: next.clear(); return integer(present ? 1 : 0);
    case Kind::set_nx:
      if (!present) put(next, value);
      return integer(present ? 0 : 1);
    case Kind::append:
      if (!present) next = '=';
      next += value;
      return integer(next.size() - 1);
    case Kind::set: {
      const bool sets = present ? !only_if_absent : !only_if_present;
      if (sets) put(next, value);
      if (answers_old) return old_answer;
      return {sets ? Answer::ok : Answer::null, 0, {}};
    }
    case Kind::add: {
      const std::optional<int64_t> before = present ? read_number(old) : 0;
      if (!before) return {Answer::not_integer, 0, {}};
      int64_t sum = 0;
      if (__builtin_add_overflow(*before, number, &sum)) return {Answer::overflow, 0, {}};
      put(next, std::to_string(sum));
      return {Answer::integer, sum, {}};
    }
    case Kind::removed:
    case Kind::anything: break;  // nobody answers
  }
  return {};
}

}  // namespace redoubt::sim

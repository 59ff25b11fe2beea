// Commands on one key that holds a string or nothing, without deadlines: what each does to the
// value and answers. Small enough to be seen to be right, and separate from the model, whose state
// is a whole server.
//
// Behind any other command the key may be anything: of any type, with a deadline, gone at any time.
// Then every answer is right, until a command comes after which the value is known again.
//
// A state is "" for no key, '=' and the bytes for a string without a deadline, "?" for anything.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace redoubt::sim {

// A reply as far as these commands have any.
struct StringAnswer {
  enum class Kind : uint8_t {
    ok,
    null,
    integer,      // number
    bulk,         // text
    not_integer,  // the error of a value that is no number
    overflow,     // the error of a sum that is none
    wrong_type,
    refusal,  // another error: nothing was done
    other,    // what none of these commands answers
  };

  Kind kind = Kind::other;
  int64_t number = 0;
  std::string_view text;

  bool operator==(const StringAnswer&) const = default;
};

// Reads a reply; its text is a view of `bytes`.
StringAnswer read_string_answer(std::string_view bytes);

struct StringOperation {
  enum class Kind : uint8_t {
    get,
    set,
    get_set,
    get_del,
    set_nx,
    append,
    strlen,
    add,
    del,
    exists,
    removed,   // FLUSHALL, an eviction: the key is gone, and nobody answers
    anything,  // another command that writes the key
  };

  Kind kind = Kind::get;
  std::string_view key;
  std::string_view value;
  int64_t number = 0;  // of add
  // Options of SET.
  bool only_if_absent = false;
  bool only_if_present = false;
  bool answers_old = false;
  bool keeps_deadline = false;

  // Whether the command can have given this answer in this state (null: its answer is not known),
  // and the state afterwards.
  bool step(std::string_view state, const StringAnswer* answer, std::string& next) const;
  // Whether an operation with this answer has changed nothing for certain.
  bool changes_nothing(const StringAnswer& answer) const;
  // The answer of a command in a state that is known, as a view of `state`, and the state
  // afterwards.
  StringAnswer apply(std::string_view state, std::string& next) const;

 private:
  void step_from_anything(const StringAnswer* answer, std::string& next) const;
};

// GET, SET (NX, XX, GET, KEEPTTL), GETSET, GETDEL, SETNX, APPEND, STRLEN, INCR, INCRBY, DECR,
// DECRBY, DEL, UNLINK and EXISTS of one key. Nothing for any other command, for other options and
// for what is an error in any case. Views of the words.
std::optional<StringOperation> read_string_operation(std::span<const std::string_view> words);

}  // namespace redoubt::sim

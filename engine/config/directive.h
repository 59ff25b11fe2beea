// Directive: the row that says everything about one directive. Rows stand in table.cc (what
// this server obeys) and accepted.cc (what it accepts because the value asks for nothing
// that is missing, and what it refuses).
//
// The value of a directive is kept as one canonical text, the one that CONFIG GET shows: memory in
// bytes, enumerations in lower case, lists joined by blanks. A row's `apply` turns it into members
// of Settings.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/config/settings.h"

namespace redoubt {

// A value that was read from words.
struct DirectiveValue {
  std::string text;                // canonical
  int64_t number = 0;              // integers; yes is 1; the index of a choice; percent is negative
  std::vector<std::string> words;  // of a list
};

// Why words are no value: as CONFIG SET tells it in Redis's words, and what was expected instead,
// for a configuration file.
struct DirectiveProblem {
  std::string reply;
  std::string expected;
};

struct Directive {
  enum class Kind : uint8_t {
    boolean,
    integer,
    octal,
    memory,
    memory_or_percent,
    text,
    file_name,  // text without a slash
    host_name,
    choice,
    list,  // read by `parse`, which a text may have, too
    line,  // not a value but an action of the configuration file: include, rename-command
  };
  // Reads a list, or one word that is a text. `current` is the canonical text so far.
  using Parse = bool (*)(const Directive& row, std::string_view current,
                         std::span<const std::string> words, DirectiveValue* value,
                         DirectiveProblem* problem);
  using Apply = void (*)(Settings& settings, const DirectiveValue& value);

  std::string_view name;
  std::string_view initial;
  Kind kind = Kind::text;
  std::string_view alias{};
  std::string_view second_alias{};
  int64_t low = 0;
  int64_t high = 0;
  int64_t lowest_used = 0;     // of an integer: values outside are taken as the nearest of these;
  int64_t highest_used = 0;    // both 0: no such limits
  std::string_view choices{};  // "yes|no|local"
  bool is_unsigned = false;    // of a memory value: up to 2^64-1, whatever `high` is
  bool is_immutable = false;   // CONFIG SET refuses it
  bool is_protected = false;   // CONFIG SET needs enable-protected-configs
  bool is_hidden = false;      // CONFIG GET shows it only by its full name
  bool adds_up = false;        // a list whose lines in a file or arguments add up
  bool is_lines = false;       // a list with one line for each four words in the file
  Parse parse = nullptr;
  Apply apply = nullptr;  // null: not obeyed, `why` says why that does no harm
  bool is_limited = false;
  std::string_view supported{};  // is_limited: "a|b", the values that ask for nothing missing
  std::string_view why{};

  // For writing rows: each returns the row with one thing more.
  constexpr Directive also(std::string_view name1, std::string_view name2 = {}) const {
    Directive row = *this;
    row.alias = name1;
    row.second_alias = name2;
    return row;
  }
  constexpr Directive up_to_64_bits() const {
    Directive row = *this;
    row.is_unsigned = true;
    return row;
  }
  constexpr Directive immutable() const {
    Directive row = *this;
    row.is_immutable = true;
    return row;
  }
  constexpr Directive guarded() const {
    Directive row = *this;
    row.is_protected = true;
    return row;
  }
  constexpr Directive hidden() const {
    Directive row = *this;
    row.is_hidden = true;
    return row;
  }
  constexpr Directive lines() const {
    Directive row = *this;
    row.is_lines = true;
    return row;
  }
  constexpr Directive adding_up() const {
    Directive row = *this;
    row.adds_up = true;
    return row;
  }
  constexpr Directive sets(Apply function) const {
    Directive row = *this;
    row.apply = function;
    return row;
  }
  constexpr Directive clamped(int64_t lowest, int64_t highest) const {
    Directive row = *this;
    row.lowest_used = lowest;
    row.highest_used = highest;
    return row;
  }
  // Every value is accepted although nothing reads it.
  constexpr Directive harmless(std::string_view reason) const {
    Directive row = *this;
    row.why = reason;
    return row;
  }
  // Only these values are accepted.
  constexpr Directive only(std::string_view values, std::string_view reason) const {
    Directive row = *this;
    row.is_limited = true;
    row.supported = values;
    row.why = reason;
    return row;
  }
};

namespace directive {

inline constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();

constexpr Directive boolean(std::string_view name, std::string_view initial) {
  return {.name = name, .initial = initial, .kind = Directive::Kind::boolean};
}
constexpr Directive integer(std::string_view name, std::string_view initial, int64_t low,
                            int64_t high) {
  return {
      .name = name, .initial = initial, .kind = Directive::Kind::integer, .low = low, .high = high};
}
constexpr Directive octal(std::string_view name, std::string_view initial, int64_t high) {
  return {.name = name, .initial = initial, .kind = Directive::Kind::octal, .high = high};
}
constexpr Directive memory(std::string_view name, std::string_view initial, int64_t low = 0,
                           int64_t high = kMax) {
  return {
      .name = name, .initial = initial, .kind = Directive::Kind::memory, .low = low, .high = high};
}
constexpr Directive memory_or_percent(std::string_view name, std::string_view initial) {
  return {
      .name = name, .initial = initial, .kind = Directive::Kind::memory_or_percent, .high = kMax};
}
constexpr Directive text(std::string_view name, std::string_view initial) {
  return {.name = name, .initial = initial, .kind = Directive::Kind::text};
}
constexpr Directive file_name(std::string_view name, std::string_view initial) {
  return {.name = name, .initial = initial, .kind = Directive::Kind::file_name};
}
constexpr Directive host_name(std::string_view name, std::string_view initial) {
  return {.name = name, .initial = initial, .kind = Directive::Kind::host_name};
}
constexpr Directive choice(std::string_view name, std::string_view initial,
                           std::string_view choices) {
  return {.name = name, .initial = initial, .kind = Directive::Kind::choice, .choices = choices};
}
constexpr Directive list(std::string_view name, std::string_view initial, Directive::Parse parse) {
  return {.name = name, .initial = initial, .kind = Directive::Kind::list, .parse = parse};
}
// A text with rules of its own, which `parse` gets as one word.
constexpr Directive text(std::string_view name, std::string_view initial, Directive::Parse parse) {
  return {.name = name, .initial = initial, .kind = Directive::Kind::text, .parse = parse};
}
constexpr Directive line(std::string_view name) {
  return {.name = name, .initial = {}, .kind = Directive::Kind::line};
}

template <typename Owner, typename T>
Owner owner_of(T Owner::*);

// Stores a value in a member of Settings, or of the settings of a part: store<&Settings::port>.
template <auto Member>
void store(Settings& settings, const DirectiveValue& value) {
  using Owner = decltype(owner_of(Member));
  Owner* owner = nullptr;
  if constexpr (std::is_same_v<Owner, Settings>) {
    owner = &settings;
  } else {
    owner = &settings.part<Owner>();
  }
  auto& member = owner->*Member;
  using T = std::remove_reference_t<decltype(member)>;
  if constexpr (std::is_same_v<T, bool>) {
    member = value.number != 0;
  } else if constexpr (std::is_same_v<T, std::string>) {
    member = value.text;
  } else {
    member = static_cast<T>(value.number);
  }
}

}  // namespace directive

// The rows of the two files.
std::span<const Directive> obeyed_directives();
std::span<const Directive> accepted_directives();

// Reads a value from the words behind a directive's name; a list may also be one word with blanks
// in it, as CONFIG SET has it. `current` is the canonical text so far, which only lists look at.
// False: the words are no value of this directive.
bool parse_directive(const Directive& row, std::string_view current,
                     std::span<const std::string> words, DirectiveValue* value,
                     DirectiveProblem* problem);
// Whether this canonical value asks for nothing that is missing.
bool is_supported(const Directive& row, std::string_view text);
// The values of a limited directive that are supported: "\"no\", \"0\"".
std::string supported_values(const Directive& row);
// The words of a value as CONFIG SET has it, in one text.
std::vector<std::string> directive_words(const Directive& row, std::string_view value);

// Parsers of lists (lists.cc).
bool parse_bind(const Directive& row, std::string_view current, std::span<const std::string> words,
                DirectiveValue* value, DirectiveProblem* problem);
bool parse_output_limits(const Directive& row, std::string_view current,
                         std::span<const std::string> words, DirectiveValue* value,
                         DirectiveProblem* problem);
bool parse_save(const Directive& row, std::string_view current, std::span<const std::string> words,
                DirectiveValue* value, DirectiveProblem* problem);
bool parse_events(const Directive& row, std::string_view current,
                  std::span<const std::string> words, DirectiveValue* value,
                  DirectiveProblem* problem);
bool parse_percentiles(const Directive& row, std::string_view current,
                       std::span<const std::string> words, DirectiveValue* value,
                       DirectiveProblem* problem);
bool parse_oom_scores(const Directive& row, std::string_view current,
                      std::span<const std::string> words, DirectiveValue* value,
                      DirectiveProblem* problem);
bool parse_shutdown_options(const Directive& row, std::string_view current,
                            std::span<const std::string> words, DirectiveValue* value,
                            DirectiveProblem* problem);
bool parse_version(const Directive& row, std::string_view current,
                   std::span<const std::string> words, DirectiveValue* value,
                   DirectiveProblem* problem);
bool parse_cpus(const Directive& row, std::string_view current, std::span<const std::string> words,
                DirectiveValue* value, DirectiveProblem* problem);
bool parse_title(const Directive& row, std::string_view current, std::span<const std::string> words,
                 DirectiveValue* value, DirectiveProblem* problem);
bool parse_replicaof(const Directive& row, std::string_view current,
                     std::span<const std::string> words, DirectiveValue* value,
                     DirectiveProblem* problem);

}  // namespace redoubt

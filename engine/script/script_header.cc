#include "engine/script/script_header.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/text.h"

namespace redoubt {

namespace {

// Takes the next word of a line, as blanks separate them; empty at its end.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

// "a,b" as flags. The first name that is none, or nothing.
std::string_view parse_flags(std::string_view names, uint32_t* flags) {
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    const uint32_t flag = script_flag(name);
    if (flag == 0) return name;
    *flags |= flag;
  }
  return {};
}

constexpr std::string_view kNameIs = "name=";
constexpr std::string_view kFlagsAre = "flags=";

}  // namespace

bool is_library_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

uint32_t script_flag(std::string_view name) {
  for (const ScriptFlagName& row : kScriptFlagNames) {
    if (row.name == name) return row.flag;
  }
  return 0;
}

std::string parse_script_header(std::string_view text, ScriptHeader* header) {
  *header = {.flags = kScriptWithoutHeader, .code = text, .library = {}};
  if (!text.starts_with("#!")) return {};
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return "ERR Invalid script shebang";
  std::string_view line = text.substr(0, end);
  header->flags = 0;
  header->code = text.substr(end);
  const std::string_view engine = take_word(line);
  if (engine != "#!lua") {
    return fmt::format("ERR Unexpected engine in script shebang: {}", engine);
  }
  for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
    if (!word.starts_with(kFlagsAre)) {
      return fmt::format("ERR Unknown lua shebang option: {}", word);
    }
    const std::string_view unknown = parse_flags(word.substr(kFlagsAre.size()), &header->flags);
    if (!unknown.empty()) return fmt::format("ERR Unexpected flag in script shebang: {}", unknown);
  }
  return {};
}

std::string parse_library_header(std::string_view text, ScriptHeader* header) {
  const size_t end = text.find('\n');
  if (!text.starts_with("#!") || end == std::string_view::npos) {
    return "ERR Missing library metadata";
  }
  *header = {.flags = 0, .code = text.substr(end), .library = {}};
  std::string_view line = text.substr(2, end - 2);
  const std::string_view engine = take_word(line);
  bool named = false;
  for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
    if (word.size() < kNameIs.size() ||
        !equal_ignoring_case(word.substr(0, kNameIs.size()), kNameIs)) {
      return fmt::format("ERR Invalid metadata value given: {}", word);
    }
    if (named) return "ERR Invalid metadata value, name argument was given multiple times";
    header->library = word.substr(kNameIs.size());
    named = true;
  }
  if (!named) return "ERR Library name was not given";
  if (!is_library_name(header->library)) {
    return "ERR Library names can only contain letters, numbers, or underscores(_) and must be at "
           "least one character long";
  }
  if (!equal_ignoring_case(engine, "lua")) return fmt::format("ERR Engine '{}' not found", engine);
  return {};
}

}  // namespace redoubt

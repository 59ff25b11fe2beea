#include "tests/source/rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <set>

namespace redoubt::source {

namespace {

// A folder and the folders whose headers it may include besides its own; "engine/" is all rooms of
// the engine. A family of commands, engine/commands/NAME, is as engine/commands, and sees that and
// the other families.
const std::map<std::string, std::set<std::string>, std::less<>> kLayers = {
    {"net", {}},
    {"net/resp", {"net"}},
    {"net/uring", {"net"}},
    {"engine/store", {"net"}},
    {"engine/persist/rdb", {"net", "engine/store"}},
    {"engine/config", {"net", "net/resp", "engine/store"}},
    {"engine/command", {"net", "engine/store", "engine/config"}},
    {"engine/insight", {"net", "net/resp", "engine/store", "engine/config", "engine/command"}},
    {"engine/effects", {"net", "net/resp", "engine/store", "engine/insight"}},
    {"engine/keyspace",
     {"net", "engine/store", "engine/config", "engine/insight", "engine/effects"}},
    {"engine/clients",
     {"net", "net/resp", "engine/store", "engine/config", "engine/command", "engine/insight",
      "engine/effects", "engine/keyspace"}},
    {"engine/dispatch",
     {"net", "net/resp", "engine/store", "engine/config", "engine/command", "engine/insight",
      "engine/effects", "engine/keyspace", "engine/clients"}},
    {"engine/node",
     {"net", "net/resp", "engine/store", "engine/config", "engine/command", "engine/insight",
      "engine/effects", "engine/keyspace", "engine/clients", "engine/dispatch"}},
    {"engine/persist/snapshots",
     {"net", "engine/store", "engine/config", "engine/command", "engine/insight", "engine/effects",
      "engine/keyspace", "engine/clients", "engine/dispatch", "engine/node", "engine/persist/rdb"}},
    {"engine/persist/aof",
     {"net", "engine/store", "engine/config", "engine/command", "engine/insight", "engine/effects",
      "engine/keyspace", "engine/clients", "engine/dispatch", "engine/node", "engine/persist/rdb",
      "engine/persist/snapshots"}},
    {"engine/persist",
     {"net", "net/resp", "engine/store", "engine/config", "engine/command", "engine/insight",
      "engine/effects", "engine/keyspace", "engine/clients", "engine/dispatch", "engine/node",
      "engine/persist/rdb", "engine/persist/snapshots", "engine/persist/aof"}},
    {"engine/replication",
     {"net", "net/resp", "engine/store", "engine/config", "engine/command", "engine/insight",
      "engine/effects", "engine/keyspace", "engine/clients", "engine/dispatch", "engine/node",
      "engine/persist", "engine/persist/rdb", "engine/persist/snapshots", "engine/persist/aof"}},
    {"engine/script/libraries", {}},
    {"engine/script",
     {"net", "net/resp", "engine/store", "engine/config", "engine/command", "engine/insight",
      "engine/effects", "engine/keyspace", "engine/clients", "engine/dispatch", "engine/node",
      "engine/persist/rdb", "engine/script/libraries"}},
    {"engine/commands", {"net", "net/resp", "engine/"}},
    {"server/assembly", {"net", "engine/"}},
    {"server", {"net", "net/uring", "engine/", "server/assembly"}},
    {"sim",
     {"net", "net/resp", "engine/", "server/assembly", "sim/model", "sim/program", "sim/trace"}},
    {"sim/checkers",
     {"net", "engine/", "server/assembly", "sim", "sim/history", "sim/linearizability",
      "sim/model"}},
    {"sim/load", {"net", "engine/", "sim", "sim/checkers", "sim/history", "sim/model"}},
    {"sim/replication", {"net", "engine/", "sim", "sim/model"}},
    {"sim/scenario",
     {"net", "engine/", "sim", "sim/checkers", "sim/load", "sim/model", "sim/replication"}},
    {"sim/first_difference", {"net", "sim"}},
    {"sim/program",
     {"net", "sim", "sim/first_difference", "sim/report", "sim/scenario", "sim/trace"}},
    {"sim/trace", {"net"}},
    {"sim/report", {"net", "sim", "sim/scenario", "sim/trace"}},
    {"sim/history", {"net"}},
    {"sim/linearizability", {"net"}},
    {"sim/model", {"net"}},  // it checks the engine and shares nothing with it
};

// Below these, anything goes that is not a world; which worlds, is said for each.
const std::map<std::string, std::set<std::string>, std::less<>> kWorldsOfUsers = {
    {"tests/uring", {"net/uring"}},
    {"tests/process", {"net/uring"}},
    {"tests", {"sim"}},
    {"fuzz", {"sim"}},
    {"bench", {"sim"}},
};

// Families of commands on data, and what their files do not see.
constexpr std::array<std::string_view, 9> kDataFamilies = {
    "engine/commands/strings", "engine/commands/bits",    "engine/commands/lists",
    "engine/commands/sets",    "engine/commands/hashes",  "engine/commands/zsets",
    "engine/commands/geo",     "engine/commands/streams", "engine/commands/keys"};
constexpr std::array<std::string_view, 4> kHiddenFromData = {
    "engine/node/node.h", "engine/dispatch/dispatcher.h", "engine/clients/session.h",
    "engine/clients/clients.h"};

// These see past the door, because they are the other side of it.
constexpr std::array<std::string_view, 2> kOutside = {
    "net/assert.cc",  // the last words before an abort
    "sim/main.cc",    // a command-line program
};

// A name or header that one file may mention all the same.
struct Exception {
  std::string_view path;
  std::string_view name;
};
constexpr std::array<Exception, 7> kExceptions = {{
    {"net/large_memory.cc", "sys/mman.h"},    // memory only, never a file
    {"net/large_memory.cc", "mmap"},          // the same
    {"engine/store/arena.cc", "sys/mman.h"},  // memory only, and advice that changes no result
    {"engine/store/arena.cc", "mmap"},
    {"engine/store/arena.cc", "munmap"},
    {"engine/store/arena.cc", "mprotect"},
    {"sim/core.cc", "fwrite"},  // the trace that --trace asks for
}};

constexpr std::array<std::string_view, 33> kForbiddenHeaders = {
    "arpa/inet.h", "chrono",        "condition_variable", "csignal",  "ctime",
    "dlfcn.h",     "fcntl.h",       "filesystem",         "fstream",  "future",
    "iostream",    "iomanip",       "liburing.h",         "locale",   "mutex",
    "netdb.h",     "poll.h",        "pthread.h",          "random",   "regex",
    "sched.h",     "semaphore",     "shared_mutex",       "signal.h", "spawn.h",
    "sstream",     "stop_token",    "termios.h",          "thread",   "time.h",
    "unistd.h",    "unordered_map", "unordered_set",
};
constexpr std::array<std::string_view, 3> kForbiddenHeaderFolders = {"sys/", "netinet/", "linux/"};

// Names that no product code mentions, called or not.
constexpr std::array<std::string_view, 8> kForbiddenNames = {
    "thread_local", "__rdtsc",       "__builtin_ia32_rdtsc", "__DATE__",
    "__TIME__",     "__TIMESTAMP__", "random_device",        "environ",
};
// After std::, by their beginning.
constexpr std::array<std::string_view, 27> kForbiddenStd = {
    "unordered_",  "hash",
    "thread",      "jthread",
    "this_thread", "async",
    "mutex",       "chrono",
    "filesystem",  "mt19937",
    "minstd_rand", "default_random_engine",
    "uniform_",    "normal_distribution",
    "bernoulli_",  "shuffle",
    "sample",      "random_shuffle",
    "cout",        "cerr",
    "clog",        "cin",
    "ifstream",    "ofstream",
    "fstream",     "locale",
    "regex",
};
// Functions of the C library that are not called, with or without std::.
constexpr std::array<std::string_view, 56> kForbiddenCalls = {
    "time",       "clock",     "gettimeofday",  "clock_gettime", "nanosleep", "usleep",
    "sleep",      "localtime", "localtime_r",   "gmtime",        "gmtime_r",  "mktime",
    "strftime",   "getenv",    "secure_getenv", "setenv",        "rand",      "srand",
    "random",     "srandom",   "rand_r",        "drand48",       "getrandom", "getentropy",
    "arc4random", "fopen",     "freopen",       "fdopen",        "fclose",    "fread",
    "fwrite",     "fputs",     "fprintf",       "printf",        "vprintf",   "vfprintf",
    "puts",       "putchar",   "perror",        "fflush",        "tmpfile",   "system",
    "popen",      "fork",      "_exit",         "quick_exit",    "atexit",    "sigaction",
    "syscall",    "mmap",      "setlocale",     "strtod",        "strtof",    "atof",
    "stod",       "sprintf",
};

template <typename List>
bool contains(const List& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}

std::string folder_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(path.substr(0, slash == std::string_view::npos ? 0 : slash));
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/';
}

bool is_exception(std::string_view path, std::string_view name) {
  return std::ranges::any_of(kExceptions, [&](const Exception& exception) {
    return exception.path == path && exception.name == name;
  });
}

bool sees_past_the_door(std::string_view path) {
  if (is_below(path, "server")) return !is_below(path, "server/assembly");
  return is_below(path, "net/uring") || is_below(path, "sim/program") || contains(kOutside, path);
}

struct Include {
  size_t line = 0;
  std::string name;
  bool ours = false;  // "..." rather than <...>
};

std::vector<Include> includes_of(std::string_view text) {
  const std::string code = blank(text, {.directives = true});
  const std::vector<std::string_view> code_lines = split_lines(code);
  const std::vector<std::string_view> lines = split_lines(text);
  std::vector<Include> includes;
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t hash = code_lines[i].find_first_not_of(' ');
    if (hash == std::string_view::npos || code_lines[i][hash] != '#') continue;
    if (code_lines[i].find("include") == std::string_view::npos) continue;
    const size_t open = lines[i].find_first_of("<\"");
    if (open == std::string_view::npos) continue;
    const size_t close = lines[i].find_first_of(">\"", open + 1);
    if (close == std::string_view::npos) continue;
    includes.push_back(
        {i + 1, std::string(lines[i].substr(open + 1, close - open - 1)), lines[i][open] == '"'});
  }
  return includes;
}

// Why the file may not include the folder; nothing when it may.
std::optional<std::string> refuse_include(const std::string& path, const std::string& folder) {
  if (is_below(path, "tests") || is_below(path, "fuzz") || is_below(path, "bench")) {
    if (folder != "net/uring" && folder != "sim") return {};
    for (const auto& [user, worlds] : kWorldsOfUsers) {
      if (is_below(path, user) && worlds.contains(folder)) return {};
    }
    return "this folder does not use the world " + folder;
  }
  const std::string own = folder_of(path);
  const bool family = is_below(own, "engine/commands");
  const auto layer = kLayers.find(family ? "engine/commands" : own);
  if (layer == kLayers.end()) return "the folder " + own + " has no place in the layout";
  if (folder == own || layer->second.contains(folder)) return {};
  if (is_below(folder, "engine/commands")) {
    if (family) return {};
    return "a family of commands is seen by other families alone: " + folder;
  }
  if (layer->second.contains("engine/") && is_below(folder, "engine")) return {};
  return own + " does not depend on " + folder;
}

bool forbidden_header(const Include& include) {
  if (include.ours) return false;
  for (std::string_view folder : kForbiddenHeaderFolders) {
    if (include.name.starts_with(folder)) return true;
  }
  return contains(kForbiddenHeaders, include.name);
}

std::string_view word_at(std::string_view code, size_t at) {
  size_t end = at;
  while (end < code.size() && is_word(code[end])) ++end;
  return code.substr(at, end - at);
}

size_t skip_spaces_back(std::string_view code, size_t at) {
  while (at > 0 && std::isspace(static_cast<unsigned char>(code[at - 1])) != 0) --at;
  return at;
}

std::string_view word_before(std::string_view code, size_t end) {
  size_t begin = end;
  while (begin > 0 && is_word(code[begin - 1])) --begin;
  return code.substr(begin, end - begin);
}

// How a name is qualified: "std" for std::name, "::" for ::name, "." for a member, "type" when a
// type stands before it (a declaration), "" for a bare name, or another scope's name.
std::string_view qualifier_of(std::string_view code, size_t at) {
  const size_t end = skip_spaces_back(code, at);
  const std::string_view before = code.substr(0, end);
  if (before.ends_with("::")) {
    const std::string_view scope = word_before(code, end - 2);
    if (scope.empty()) return before.ends_with(">::") ? "type" : "::";
    return scope;
  }
  if (before.ends_with(".") || before.ends_with("->")) return ".";
  const std::string_view word = word_before(code, end);
  constexpr std::array<std::string_view, 8> statements = {
      "return", "co_return", "co_await", "co_yield", "else", "do", "case", "not"};
  if (!word.empty()) return contains(statements, word) ? "" : "type";
  // `Session& time(`, `int* time(`: a reference or pointer type, unless it is an operator.
  if (before.ends_with("&") || before.ends_with("*") || before.ends_with(">")) {
    const size_t word_end = skip_spaces_back(code, end - 1);
    return word_end == end - 1 && !word_before(code, word_end).empty() ? "type" : "";
  }
  return "";
}

// The chain of includes from a file to a header that is hidden from data, "a.h, b.h"; empty when
// there is none. `seen` are the files that were followed already.
std::string chain_to_hidden(const File& file, const std::vector<File>& tree,
                            std::set<std::string, std::less<>>& seen) {
  for (const Include& include : includes_of(file.text)) {
    if (!include.ours || !seen.insert(include.name).second) continue;
    if (contains(kHiddenFromData, include.name)) return include.name;
    const auto next = std::ranges::find(tree, include.name, &File::path);
    if (next == tree.end()) continue;
    const std::string chain = chain_to_hidden(*next, tree, seen);
    if (!chain.empty()) return include.name + ", " + chain;
  }
  return {};
}

// What is wrong with the name at this offset; nothing when it is fine.
std::optional<std::string> refuse_name(std::string_view code, size_t at, std::string_view name) {
  if (contains(kForbiddenNames, name)) return "'" + std::string(name) + "' is not for product code";
  const std::string_view qualifier = qualifier_of(code, at);
  if (qualifier == "std") {
    for (std::string_view start : kForbiddenStd) {
      const bool prefix = start.ends_with('_') && name.starts_with(start);
      if (prefix || name == start) return "std::" + std::string(name) + " is not for product code";
    }
  }
  size_t after = at + name.size();
  while (after < code.size() && std::isspace(static_cast<unsigned char>(code[after])) != 0) ++after;
  if (after == code.size() || code[after] != '(') return {};
  if (qualifier == "::" && name != "operator") {
    return "a call past the door: ::" + std::string(name) + "()";
  }
  if ((qualifier.empty() || qualifier == "std") && contains(kForbiddenCalls, name)) {
    return "a call past the door: " + std::string(name) + "()";
  }
  return {};
}

// `word` as a whole word.
bool has_word(std::string_view line, std::string_view word) {
  for (size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const bool begins = at == 0 || !is_word(line[at - 1]);
    const size_t end = at + word.size();
    if (begins && (end == line.size() || !is_word(line[end]))) return true;
  }
  return false;
}

size_t columns(std::string_view line) {
  return static_cast<size_t>(std::ranges::count_if(
      line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

bool is_product(std::string_view path) {
  return is_below(path, "net") || is_below(path, "engine") || is_below(path, "server") ||
         is_below(path, "sim");
}

std::vector<Finding> check_includes(const File& file) {
  std::vector<Finding> findings;
  for (const Include& include : includes_of(file.text)) {
    if (!include.ours) continue;
    const std::string folder = folder_of(include.name);
    if (folder.empty()) {
      findings.push_back(
          {file.path, include.line, "include \"" + include.name + "\" from the top of the tree"});
    } else if (const auto why = refuse_include(file.path, folder)) {
      findings.push_back({file.path, include.line, "includes " + include.name + ": " + *why});
    }
  }
  return findings;
}

std::vector<Finding> check_data_commands(const File& file, const std::vector<File>& tree) {
  const auto holds = [&](std::string_view family) { return is_below(file.path, family); };
  if (std::ranges::none_of(kDataFamilies, holds)) return {};
  std::set<std::string, std::less<>> seen;
  const std::string chain = chain_to_hidden(file, tree, seen);
  if (chain.empty()) return {};
  return {{file.path, 1, "a command on data sees the node or its clients: it includes " + chain}};
}

std::vector<Finding> check_calls(const File& file) {
  std::vector<Finding> findings;
  if (!is_product(file.path) || sees_past_the_door(file.path)) return findings;
  for (const Include& include : includes_of(file.text)) {
    if (forbidden_header(include) && !is_exception(file.path, include.name)) {
      findings.push_back({file.path, include.line, "includes <" + include.name + ">"});
    }
  }
  const std::string code = blank(file.text);
  for (size_t at = 0; at < code.size();) {
    if (!is_word(code[at])) {
      ++at;
      continue;
    }
    const std::string_view name = word_at(code, at);
    auto why = refuse_name(code, at, name);
    if (why && !is_exception(file.path, name)) {
      findings.push_back({file.path, line_of(code, at), *why});
    }
    at += name.size();
  }
  return findings;
}

std::vector<Finding> check_lines(const File& file) {
  constexpr size_t columns_max = 100;
  constexpr size_t table_columns_max = 120;  // where clang-format is off
  constexpr size_t lines_max = 900;
  // Spelled in halves, because this file is read too.
  const std::array<std::string, 3> notes = {std::string("TO") + "DO", std::string("FIX") + "ME",
                                            std::string("XX") + "X"};
  std::vector<Finding> findings;
  const std::vector<std::string_view> lines = split_lines(file.text);
  const std::string with_comments = blank(file.text, {.directives = true, .comments = true});
  const std::vector<std::string_view> comment_lines = split_lines(with_comments);
  bool in_table = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i] == "// clang-format off") in_table = true;
    if (lines[i] == "// clang-format on") in_table = false;
    auto found = [&](std::string what) { findings.push_back({file.path, i + 1, std::move(what)}); };
    if (columns(lines[i]) > (in_table ? table_columns_max : columns_max)) found("too long a line");
    if (lines[i].find('\t') != std::string_view::npos) found("a tab");
    if (lines[i].ends_with(' ')) found("space at the end");
    for (const std::string& note : notes) {
      if (has_word(comment_lines[i], note)) found("a note to oneself: " + note);
    }
  }
  if (lines.size() > lines_max) findings.push_back({file.path, lines.size(), "over 900 lines"});
  if (file.path.ends_with(".h") && file.text.find("\n#pragma once\n") == std::string::npos) {
    findings.push_back({file.path, 1, "no #pragma once"});
  }
  return findings;
}

std::vector<Finding> check_functions(const File& file) {
  constexpr size_t lines_max = 70;
  std::vector<Finding> findings;
  for (const Function& function : functions_of(file.text)) {
    if (function.lines <= lines_max) continue;
    findings.push_back({file.path, function.first_line,
                        "a function of " + std::to_string(function.lines) +
                            " lines, more than 70: " + function.header});
  }
  return findings;
}

}  // namespace redoubt::source

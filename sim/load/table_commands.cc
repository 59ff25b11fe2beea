#include "sim/load/table_commands.h"

#include <algorithm>
#include <array>

#include "engine/commands/families.h"
#include "net/assert.h"
#include "net/text.h"
#include "sim/model/model.h"

namespace redoubt::sim {

namespace {

// What is not for everybody: it ends or holds the node or a connection, changes what a connection
// is, or waits; or whole databases, of which the generator has enough. Ranges by member mean
// something only where all scores are equal, which the generator sees to.
constexpr std::string_view kLeftOut[] = {
    "shutdown",   "debug",      "monitor",     "quit",           "reset",         "auth",
    "hello",      "flushall",   "flushdb",     "swapdb",         "select",        "multi",
    "exec",       "discard",    "watch",       "unwatch",        "config",        "subscribe",
    "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe",   "sunsubscribe",  "publish",
    "spublish",   "hotkeys",    "himport",     "pfdebug",        "pfselftest",    "latency",
    "slowlog",    "commandlog", "time",        "lastsave",       "restore",       "dump",
    "migrate",    "client",     "memory",      "info",           "sort",          "sort_ro",
    "role",       "wait",       "waitaof",     "module",         "cluster",       "command",
    "lolwut",     "zlexcount",  "zrangebylex", "zrevrangebylex", "zremrangebylex"};

template <size_t N>
std::string_view one_of(Random& random, const std::array<std::string_view, N>& words) {
  return words[random.below(N)];
}

}  // namespace

TableCommands::TableCommands(const CommandGenerator& generator, uint64_t keys, Random& random)
    : generator_(generator), keys_(keys), random_(random) {
  add_rows();
}

void TableCommands::add_rows() {
  for (const std::span<const Command> family : all_families()) {
    for (const Command& command : family) {
      if (std::find(std::begin(kLeftOut), std::end(kLeftOut), command.name) != std::end(kLeftOut)) {
        continue;
      }
      if (!Model::knows(command.name) || (command.flags & kBlocking) != 0) continue;
      if (command.subcommands.empty()) add_row({}, command);
      for (const Command& sub : command.subcommands) add_row(command.name, sub);
    }
  }
  ASSERT(!rows_.empty());
}

void TableCommands::add_row(std::string_view container, const Command& command) {
  Row row;
  std::string error;
  const bool right = parse_arguments(command.arguments, &row.arguments, &error);
  ASSERT(right);
  if (!container.empty()) row.names.push_back(to_upper(container));
  row.names.push_back(to_upper(command.name));
  rows_.push_back(std::move(row));
}

const std::vector<std::string>& TableCommands::next(int64_t now_ms) {
  now_ms_ = now_ms;
  const Row& row = rows_[random_.below(rows_.size())];
  words_ = row.names;
  repeats_ = 0;
  make(row.arguments);
  return words_;
}

void TableCommands::make(const std::vector<Argument>& arguments) {
  for (const Argument& argument : arguments) {
    if (argument.optional && random_.below(3) != 0) continue;
    size_t times = 1;
    if (argument.multiple) {
      times = repeats_ > 0 ? repeats_ : 1 + random_.below(random_.below(8) == 0 ? 12 : 4);
    }
    for (size_t i = 0; i < times; ++i) {
      if (argument.has_token && (i == 0 || argument.multiple_token) &&
          argument.type != "pure-token") {
        words_.emplace_back(argument.token);
      }
      make_one(argument);
    }
  }
}

void TableCommands::make_one(const Argument& argument) {
  if (argument.type == "pure-token") {
    words_.emplace_back(argument.token == "BYLEX" ? "BYSCORE" : argument.token);
  } else if (argument.type == "oneof") {
    Argument chosen = argument.arguments[random_.below(argument.arguments.size())];
    chosen.optional = false;
    make({chosen});
  } else if (argument.type == "block") {
    make(argument.arguments);
  } else {
    make_value(argument);
  }
}

void TableCommands::make_value(const Argument& argument) {
  const std::string_view name = argument.name;
  const bool counts = name.starts_with("num") && argument.type == "integer";
  if (counts) {
    repeats_ = 1 + random_.below(5);
    words_.push_back(std::to_string(random_.below(40) == 0 ? repeats_ + 1 : repeats_));
  } else if (argument.type == "key") {
    words_.push_back(key());
  } else if (argument.type == "integer") {
    words_.push_back(integer(argument));
  } else if (argument.type == "double") {
    words_.push_back(real());
  } else if (argument.type == "unix-time") {
    const bool ms = name.find("milli") != std::string_view::npos;
    const int64_t at = now_ms_ + random_.between_log(1, 100'000) - 10;
    words_.push_back(std::to_string(ms ? at : at / 1000 + 1));
  } else if (argument.type == "pattern") {
    constexpr std::array<std::string_view, 4> kPatterns = {"*", "k*", "*1*", "#"};
    words_.emplace_back(one_of(random_, kPatterns));
  } else {
    words_.push_back(text(name));
  }
}

std::string TableCommands::key() {
  switch (random_.below(8)) {
    case 0: return "set:" + std::to_string(random_.below(6));
    case 1: return "zset:" + std::to_string(random_.below(6));
    case 2: return "hash:" + std::to_string(random_.below(5));
    default: return generator_.key_name(random_.below(std::min<uint64_t>(keys_, 24)));
  }
}

// By what the argument is called.
std::string TableCommands::text(std::string_view name) {
  constexpr std::array<std::string_view, 8> kValues = {"1",     "0",  "-1", "a",
                                                       "value", "10", "",   "99"};
  if (name.find("id") != std::string_view::npos || name == "start" || name == "end") {
    constexpr std::array<std::string_view, 8> kIds = {"-", "+", "5-1", "0", "7-1", "7-2", "*", "$"};
    if (random_.below(3) != 0) return std::string(one_of(random_, kIds));
  }
  if (name == "min" || name == "max") {
    constexpr std::array<std::string_view, 6> kBounds = {"-", "+", "[m1", "(m2", "[a", "(9"};
    return std::string(one_of(random_, kBounds));
  }
  if (name == "operation") {
    constexpr std::array<std::string_view, 5> kOperations = {"AND", "OR", "XOR", "NOT", "DIFF"};
    return std::string(one_of(random_, kOperations));
  }
  if (name == "encoding") {
    constexpr std::array<std::string_view, 5> kEncodings = {"u8", "i16", "u63", "i64", "u1"};
    return std::string(one_of(random_, kEncodings));
  }
  if (name == "group") return random_.below(8) == 0 ? "other" : "g";
  if (name == "consumer") return random_.coin() ? "a" : "b";
  if (name == "member" || name == "field" || name == "element" || name == "value") {
    const char letter = name == "field" ? 'f' : 'm';
    if (random_.coin()) return letter + std::to_string(random_.below(16));
  }
  return std::string(one_of(random_, kValues));
}

std::string TableCommands::integer(const Argument& argument) {
  const std::string_view name = argument.name;
  if (name == "cursor") return "0";
  const bool time = name.find("second") != std::string_view::npos;
  if (time) return std::to_string(random_.between_log(1, 10'000));
  if (name == "offset" || name == "bit") return std::to_string(random_.below(200));
  switch (random_.below(16)) {
    case 0: return std::to_string(random_.between_log(1, 3'000));
    case 1: return std::to_string(-random_.between_log(1, 300));
    case 2: return "0";
    default: return std::to_string(random_.between(-2, 12));
  }
}

std::string TableCommands::real() {
  const int64_t whole = random_.between(-20, 60);
  return random_.coin() ? std::to_string(whole)
                        : std::to_string(whole) + "." + std::to_string(random_.below(100));
}

}  // namespace redoubt::sim

// COMMAND and its subcommands: what the rows of all families say, in Redis's form.
#include <algorithm>
#include <vector>

#include "engine/commands/docs.h"
#include "engine/commands/families.h"
#include "engine/commands/server/command_info.h"
#include "engine/dispatch/context.h"
#include "engine/dispatch/help.h"
#include "engine/node/node.h"
#include "net/text.h"

namespace redoubt {

namespace {

// All of them: what COMMAND and COMMAND INFO without arguments answer.
void command_command(Context& c) {
  const std::vector<CommandEntry*>& all = c.commands().all();
  c.env().count_work(all.size());
  c.reply.array(all.size());
  for (const CommandEntry* entry : all) reply_command_info(c.reply, *entry);
}

void command_count_command(Context& c) {
  c.reply.integer(static_cast<int64_t>(c.commands().all().size()));
}

void command_info_command(Context& c) {
  if (c.args.size() == 2) {
    command_command(c);
    return;
  }
  c.reply.array(c.args.size() - 2);
  for (const std::string_view name : c.args.subspan(2)) {
    if (const CommandEntry* entry = find_by_full_name(c.commands(), name)) {
      reply_command_info(c.reply, *entry);
    } else {
      c.reply.null();
    }
  }
}

void command_docs_command(Context& c) {
  std::vector<const CommandEntry*> entries;
  if (c.args.size() == 2) {
    entries.assign(c.commands().all().begin(), c.commands().all().end());
  }
  for (const std::string_view name : c.args.subspan(2)) {
    const CommandEntry* entry = find_by_full_name(c.commands(), name);
    if (entry != nullptr) entries.push_back(entry);
  }
  c.env().count_work(entries.size());
  c.reply.map(entries.size());
  for (const CommandEntry* entry : entries) {
    c.reply.bulk(entry->name);
    reply_docs(c.reply, *entry);
  }
}

// --- LIST

// [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]
struct ListFilter {
  enum class By { nothing, module, category, pattern };
  By by = By::nothing;
  std::string_view value;

  bool passes(const CommandEntry& entry) const {
    switch (by) {
      case By::nothing: return true;
      case By::module: return false;  // there are none
      case By::category: return (entry.categories & category_named(value)) != 0;
      case By::pattern: break;
    }
    return glob_matches(value, entry.name, true);
  }
};

std::optional<ListFilter> list_filter(Context& c) {
  if (c.args.size() == 2) return ListFilter{};
  if (c.args.size() == 5 && c.is(2, "filterby")) {
    const std::string_view value = c.args[4];
    if (c.is(3, "module")) return ListFilter{ListFilter::By::module, value};
    if (c.is(3, "aclcat")) return ListFilter{ListFilter::By::category, value};
    if (c.is(3, "pattern")) return ListFilter{ListFilter::By::pattern, value};
  }
  c.syntax_error();
  return std::nullopt;
}

void command_list_command(Context& c) {
  const std::optional<ListFilter> filter = list_filter(c);
  if (!filter) return;
  std::vector<const CommandEntry*> entries;
  for (const CommandEntry* entry : c.commands().all()) {
    if (filter->passes(*entry)) entries.push_back(entry);
    for (const CommandEntry* sub : entry->subcommands) {
      if (filter->passes(*sub)) entries.push_back(sub);
    }
  }
  c.reply.array(entries.size());
  for (const CommandEntry* entry : entries) c.reply.bulk(entry->name);
}

// --- GETKEYS, GETKEYSANDFLAGS

// The keys of the command in the arguments from the third on; replies with an error when it has
// none.
std::optional<std::vector<FoundKey>> keys_of_arguments(Context& c) {
  const std::span<const std::string_view> args = c.args.subspan(2);
  CommandEntry* container = nullptr;
  const CommandEntry* entry = c.commands().resolve(args, &container);
  if (entry == nullptr) {
    c.error("ERR Invalid command specified");
    return std::nullopt;
  }
  const Command& row = *entry->row;
  const bool is_key = (row.keys[0].flags & kKeyNotKey) == 0;  // no channel
  if ((row.keys[0].begin == KeySpec::Begin::none || !is_key) && row.find_keys == nullptr) {
    c.error("ERR The command has no key arguments");
    return std::nullopt;
  }
  if (!row.accepts(args.size())) {
    c.error("ERR Invalid number of arguments specified for command");
    return std::nullopt;
  }
  std::vector<FoundKey> keys;
  if (find_keys_and_flags(row, args, keys) && !keys.empty()) return keys;
  if ((row.flags & kNoMandatoryKeys) != 0) return std::vector<FoundKey>{};
  c.error("ERR Invalid arguments specified for command");
  return std::nullopt;
}

void command_getkeys_command(Context& c) {
  const std::optional<std::vector<FoundKey>> keys = keys_of_arguments(c);
  if (!keys) return;
  c.reply.array(keys->size());
  for (const FoundKey& key : *keys) c.reply.bulk(c.args[2 + static_cast<size_t>(key.index)]);
}

void command_getkeysandflags_command(Context& c) {
  const std::optional<std::vector<FoundKey>> keys = keys_of_arguments(c);
  if (!keys) return;
  c.reply.array(keys->size());
  for (const FoundKey& key : *keys) {
    c.reply.array(2);
    c.reply.bulk(c.args[2 + static_cast<size_t>(key.index)]);
    reply_key_flags(c.reply, key.flags);
  }
}

void command_help_command(Context& c) {
  constexpr std::string_view lines[] = {
      "(no subcommand)",
      "    Return details of all commands.",
      "COUNT",
      "    Return the number of commands.",
      "DOCS [<command-name> ...]",
      "    Return the documentation of these commands, or of all.",
      "GETKEYS <full-command>",
      "    Return the keys among the arguments of a whole command.",
      "GETKEYSANDFLAGS <full-command>",
      "    The same, with how each key is accessed.",
      "INFO [<command-name> ...]",
      "    Return details of these commands, or of all.",
      "LIST [FILTERBY MODULE <module>|ACLCAT <category>|PATTERN <pattern>]",
      "    Return the names of all commands, or of those that the filter passes.",
  };
  reply_help(c, lines);
}

// What the subcommands have in common.
constexpr Command command_row(Command row) {
  row.flags = kLoading | kStale;
  row.categories = kCatConnection;
  row.group = "server";
  return row;
}

constexpr Command command_subcommands[] = {
    command_row({.name = "count",
                 .arity = 2,
                 .since = "2.8.13",
                 .complexity = "O(1)",
                 .summary = "Get total number of Redis commands",
                 .handler = command_count_command}),
    command_row({.name = "docs",
                 .arity = -2,
                 .since = "7.0.0",
                 .complexity = "O(N) where N is the number of commands to look up",
                 .summary = "Get array of specific Redis command documentation",
                 .tips = "nondeterministic_output_order",
                 .arguments = "[command-name:string...]",
                 .handler = command_docs_command}),
    command_row({.name = "getkeys",
                 .arity = -4,
                 .since = "2.8.13",
                 .complexity = "O(N) where N is the number of arguments to the command",
                 .summary = "Extract keys given a full Redis command",
                 .handler = command_getkeys_command}),
    command_row({.name = "getkeysandflags",
                 .arity = -4,
                 .since = "7.0.0",
                 .complexity = "O(N) where N is the number of arguments to the command",
                 .summary = "Extract keys and access flags given a full Redis command",
                 .handler = command_getkeysandflags_command}),
    help_row({.categories = kCatConnection,
              .since = "5.0.0",
              .group = "server",
              .handler = command_help_command}),
    command_row(
        {.name = "info",
         .arity = -2,
         .since = "2.8.13",
         .complexity = "O(N) where N is the number of commands to look up",
         .summary =
             "Get array of specific Redis command details, or all when no argument is given.",
         .tips = "nondeterministic_output_order",
         .arguments = "[command-name:string...]",
         .history = "7.0.0: Allowed to be called with no argument to get info on all commands.",
         .handler = command_info_command}),
    command_row({.name = "list",
                 .arity = -2,
                 .since = "7.0.0",
                 .complexity = "O(N) where N is the total number of Redis commands",
                 .summary = "Get an array of Redis command names",
                 .tips = "nondeterministic_output_order",
                 .arguments = "[filterby:<module-name:string(MODULE)|category:string(ACLCAT)|"
                              "pattern:pattern(PATTERN)>(FILTERBY)]",
                 .handler = command_list_command}),
};

constexpr Command command_rows[] = {
    {.name = "command",
     .arity = -1,
     .flags = kLoading | kStale,
     .categories = kCatConnection,
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N) where N is the total number of Redis commands",
     .summary = "Get array of Redis command details",
     .tips = "nondeterministic_output_order",
     .subcommands = command_subcommands,
     .handler = command_command},
};

}  // namespace

std::span<const Command> command_commands() {
  return command_rows;
}

}  // namespace redoubt

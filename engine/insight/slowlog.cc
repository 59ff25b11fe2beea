#include "engine/insight/slowlog.h"

#include <fmt/format.h>

#include <algorithm>

namespace redoubt {

void CommandLog::add(Kind kind, Entry entry, size_t entries_max) {
  Log& log = of(kind);
  entry.id = log.next_id++;
  log.entries.push_front(std::move(entry));
  while (log.entries.size() > entries_max) log.entries.pop_back();
}

std::vector<std::string> shorten_arguments(std::span<const std::string_view> args, size_t args_max,
                                           size_t bytes_max) {
  args_max = std::max<size_t>(args_max, 1);
  const bool cut = args.size() > args_max;
  const size_t whole = cut ? args_max - 1 : args.size();
  std::vector<std::string> shown;
  shown.reserve(whole + 1);
  for (const std::string_view arg : args.first(whole)) {
    if (arg.size() <= bytes_max) {
      shown.emplace_back(arg);
    } else {
      shown.push_back(
          fmt::format("{}... ({} more bytes)", arg.substr(0, bytes_max), arg.size() - bytes_max));
    }
  }
  if (cut) shown.push_back(fmt::format("... ({} more arguments)", args.size() - whole));
  return shown;
}

}  // namespace redoubt

#include "engine/dispatch/help.h"

#include "net/text.h"

namespace redoubt {

void reply_help(Context& c, std::span<const std::string_view> lines) {
  c.reply.array(lines.size() + 3);
  c.reply.simple(to_upper(c.args[0]) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string_view line : lines) c.reply.simple(line);
  c.reply.simple("HELP");
  c.reply.simple("    Prints this help.");
}

}  // namespace redoubt

#include "engine/insight/monitor.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/text.h"

namespace redoubt {

namespace {

constexpr std::string_view kRedacted = "(redacted)";

constexpr std::string_view kSecretDirectives[] = {"requirepass",
                                                  "masterauth",
                                                  "primaryauth",
                                                  "masteruser",
                                                  "primaryuser",
                                                  "tls-key-file-pass",
                                                  "tls-client-key-file-pass"};

bool is_secret_directive(std::string_view name) {
  return std::any_of(std::begin(kSecretDirectives), std::end(kSecretDirectives),
                     [&](std::string_view secret) { return equal_ignoring_case(name, secret); });
}

// AUTH <password>, AUTH2 <user> <password> and AUTH <user> <password>: `count` words behind the
// option.
void redact_behind(std::vector<std::string_view>& args, size_t first, std::string_view option,
                   size_t count) {
  for (size_t i = first; i < args.size(); ++i) {
    if (!equal_ignoring_case(args[i], option)) continue;
    for (size_t j = i + 1; j < args.size() && j <= i + count; ++j) args[j] = kRedacted;
    i += count;
  }
}

// As the reader of a log wants it: one line, in which every byte can be told.
void append_quoted(std::string& line, std::string_view bytes) {
  line += '"';
  for (const char c : bytes) {
    switch (c) {
      case '\\':
      case '"':
        line += '\\';
        line += c;
        break;
      case '\n': line += "\\n"; break;
      case '\r': line += "\\r"; break;
      case '\t': line += "\\t"; break;
      case '\a': line += "\\a"; break;
      case '\b': line += "\\b"; break;
      default:
        if (c >= ' ' && c <= '~') {
          line += c;
        } else {
          line += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
        }
    }
  }
  line += '"';
}

}  // namespace

std::vector<std::string_view> redact_arguments(const CommandEntry& entry,
                                               std::span<const std::string_view> args) {
  std::vector<std::string_view> shown(args.begin(), args.end());
  const std::string_view name = entry.row->name;
  const std::string_view container =
      entry.container == nullptr ? std::string_view{} : entry.container->row->name;
  if (container == "config" && name == "set") {
    for (size_t i = 2; i + 1 < shown.size(); i += 2) {
      if (is_secret_directive(shown[i])) shown[i + 1] = kRedacted;
    }
  } else if (container == "acl" && name == "setuser") {
    std::fill(shown.begin() + 2, shown.end(), kRedacted);
  } else if (!container.empty()) {
    return shown;
  } else if (name == "auth") {
    std::fill(shown.begin() + 1, shown.end(), kRedacted);
  } else if (name == "hello") {
    redact_behind(shown, 2, "auth", 2);
  } else if (name == "migrate") {
    redact_behind(shown, 6, "auth", 1);
    redact_behind(shown, 6, "auth2", 2);
  }
  return shown;
}

std::string monitor_line(WallTime wall, int db, std::string_view source,
                         std::span<const std::string_view> args) {
  std::string line = fmt::format("{}.{:06} [{} {}]", wall.unix_us / 1'000'000,
                                 wall.unix_us % 1'000'000, db, source);
  for (const std::string_view arg : args) {
    line += ' ';
    append_quoted(line, arg);
  }
  return line;
}

}  // namespace redoubt

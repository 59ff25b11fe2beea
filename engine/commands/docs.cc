#include "engine/commands/docs.h"

#include <array>

namespace redoubt {

namespace {

constexpr std::array<std::string_view, 6> kTypes = {"string", "integer", "double",
                                                    "key",    "pattern", "unix-time"};
constexpr int kDeepestNesting = 8;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '/' || c == ':';
}

// A reader of the notation by recursive descent. The first mistake ends it.
class NotationReader {
 public:
  explicit NotationReader(std::string_view text) : text_(text) {}

  bool read_all(std::vector<Argument>* out) {
    return text_.empty() || (read_list(' ', 0, out) && expect(at_ == text_.size(), "a blank"));
  }
  std::string error() const {
    return "at " + std::to_string(at_) + " of \"" + std::string(text_) + "\": expected " +
           std::string(expected_);
  }

 private:
  bool read_list(char separator, int depth, std::vector<Argument>* out) {
    do {
      out->emplace_back();
      if (!read_item(depth, out->back())) return false;
    } while (skip(separator));
    return true;
  }

  bool read_item(int depth, Argument& out) {
    out.optional = skip('[');
    if (!read_body(depth, out)) return false;
    return !out.optional || expect(skip(']'), "]");
  }

  bool read_body(int depth, Argument& out) {
    if (!expect(depth < kDeepestNesting, "less nesting") || !read_name(out)) return false;
    if (!read_nested(depth, out) || !read_key_spec(out)) return false;
    if (skip('(')) {
      const size_t end = text_.find(')', at_);
      if (!expect(end != std::string_view::npos, ")")) return false;
      out.has_token = true;
      out.token = text_.substr(at_, end - at_);
      at_ = end + 1;
    }
    if (out.type.empty()) {
      if (!expect(out.has_token, "a type or a (TOKEN)")) return false;
      out.type = "pure-token";
    }
    if (skip('@') && !read_version(&out.since)) return false;
    if (skip('!') && !read_version(&out.deprecated_since)) return false;
    out.multiple_token = skip('*');
    out.multiple = text_.substr(at_, 3) == "...";
    if (out.multiple) at_ += 3;
    return expect(out.multiple || !out.multiple_token, "...") &&
           expect(out.has_token || !out.multiple_token, "a (TOKEN) in front of *...");
  }

  // A name and, behind its last colon, a type.
  bool read_name(Argument& out) {
    const size_t start = at_;
    while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
    std::string_view word = text_.substr(start, at_ - start);
    const size_t colon = word.rfind(':');
    if (colon != std::string_view::npos) {
      const std::string_view type = word.substr(colon + 1);
      bool known = type.empty() && at_ < text_.size() && (text_[at_] == '<' || text_[at_] == '{');
      if (known) out.type = text_[at_] == '<' ? "oneof" : "block";
      for (const std::string_view name : kTypes) {
        if (name != type) continue;
        known = true;
        out.type = name;
      }
      if (!expect(known, "a type behind the colon")) return false;
      word = word.substr(0, colon);
    }
    out.name = word;
    if (out.type == "key") out.key_spec_index = 0;
    return expect(!word.empty(), "a name");
  }

  bool read_nested(int depth, Argument& out) {
    if (out.type == "oneof") {
      return skip('<') && read_list('|', depth + 1, &out.arguments) && expect(skip('>'), "| or >");
    }
    if (out.type == "block") {
      return skip('{') && read_list(' ', depth + 1, &out.arguments) && expect(skip('}'), "}");
    }
    return true;
  }

  bool read_key_spec(Argument& out) {
    if (!skip('#')) return true;
    const char digit = at_ < text_.size() ? text_[at_] : '\0';
    if (!expect(digit >= '0' && digit <= '9', "a digit")) return false;
    out.key_spec_index = digit - '0';
    ++at_;
    return true;
  }

  // Numbers with single dots between them.
  bool read_version(std::string_view* out) {
    const size_t start = at_;
    const auto is_digit = [&](size_t i) {
      return i < text_.size() && text_[i] >= '0' && text_[i] <= '9';
    };
    while (is_digit(at_) || (at_ > start && at_ < text_.size() && text_[at_] == '.' &&
                             is_digit(at_ - 1) && is_digit(at_ + 1))) {
      ++at_;
    }
    *out = text_.substr(start, at_ - start);
    return expect(at_ > start, "a version");
  }

  bool skip(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool expect(bool condition, std::string_view what) {
    if (!condition && expected_.empty()) expected_ = what;
    return condition;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string_view expected_;
};

void pair(ReplyWriter& reply, std::string_view name, std::string_view value) {
  reply.bulk(name);
  reply.bulk(value);
}

void reply_arguments(ReplyWriter& reply, const std::vector<Argument>& arguments);

void reply_argument(ReplyWriter& reply, const Argument& argument) {
  const bool nested = !argument.arguments.empty();
  const size_t flags =
      size_t{argument.optional} + size_t{argument.multiple} + size_t{argument.multiple_token};
  reply.map(2 + size_t{argument.key_spec_index >= 0} + size_t{argument.has_token} +
            size_t{!argument.since.empty()} + size_t{!argument.deprecated_since.empty()} +
            size_t{flags > 0} + size_t{nested});
  pair(reply, "name", argument.name);
  pair(reply, "type", argument.type);
  if (argument.key_spec_index >= 0) {
    reply.bulk("key_spec_index");
    reply.integer(argument.key_spec_index);
  }
  if (argument.has_token) pair(reply, "token", argument.token);
  if (!argument.since.empty()) pair(reply, "since", argument.since);
  if (!argument.deprecated_since.empty()) {
    pair(reply, "deprecated_since", argument.deprecated_since);
  }
  if (flags > 0) {
    reply.bulk("flags");
    reply.set(flags);
    if (argument.optional) reply.simple("optional");
    if (argument.multiple) reply.simple("multiple");
    if (argument.multiple_token) reply.simple("multiple_token");
  }
  if (nested) {
    reply.bulk("arguments");
    reply_arguments(reply, argument.arguments);
  }
}

void reply_arguments(ReplyWriter& reply, const std::vector<Argument>& arguments) {
  reply.array(arguments.size());
  for (const Argument& argument : arguments) reply_argument(reply, argument);
}

void reply_history(ReplyWriter& reply, std::string_view history) {
  const std::vector<VersionNote> notes = split_history(history);
  reply.bulk("history");
  reply.set(notes.size());
  for (const VersionNote& note : notes) {
    reply.array(2);
    reply.bulk(note.version);
    reply.bulk(note.text);
  }
}

}  // namespace

bool parse_arguments(std::string_view notation, std::vector<Argument>* arguments,
                     std::string* error) {
  NotationReader reader(notation);
  if (reader.read_all(arguments)) return true;
  *error = reader.error();
  return false;
}

VersionNote split_note(std::string_view line) {
  const size_t colon = line.find(": ");
  ASSERT(colon != std::string_view::npos);
  return {line.substr(0, colon), line.substr(colon + 2)};
}

std::vector<VersionNote> split_history(std::string_view history) {
  std::vector<VersionNote> notes;
  while (!history.empty()) {
    const size_t end = history.find('\n');
    notes.push_back(split_note(history.substr(0, end)));
    history.remove_prefix(end == std::string_view::npos ? history.size() : end + 1);
  }
  return notes;
}

void reply_docs(ReplyWriter& reply, const CommandEntry& entry) {
  const Command& row = *entry.row;
  std::vector<Argument> arguments;
  std::string error;
  ASSERT(parse_arguments(row.arguments, &arguments, &error));
  const bool deprecated = !row.deprecated.empty();
  const bool system = (row.flags & kSystemCommand) != 0;
  reply.map(3 + size_t{!row.complexity.empty()} + size_t{deprecated || system} +
            (deprecated ? 2 : 0) + size_t{!row.history.empty()} + size_t{!arguments.empty()} +
            size_t{!entry.subcommands.empty()});
  pair(reply, "summary", row.summary);
  pair(reply, "since", row.since);
  pair(reply, "group", row.group);
  if (!row.complexity.empty()) pair(reply, "complexity", row.complexity);
  if (deprecated || system) {
    reply.bulk("doc_flags");
    reply.set(size_t{deprecated} + size_t{system});
    if (deprecated) reply.simple("deprecated");
    if (system) reply.simple("syscmd");
  }
  if (deprecated) {
    const VersionNote note = split_note(row.deprecated);
    pair(reply, "deprecated_since", note.version);
    pair(reply, "replaced_by", note.text);
  }
  if (!row.history.empty()) reply_history(reply, row.history);
  if (!arguments.empty()) {
    reply.bulk("arguments");
    reply_arguments(reply, arguments);
  }
  if (entry.subcommands.empty()) return;
  reply.bulk("subcommands");
  reply.map(entry.subcommands.size());
  for (const CommandEntry* sub : entry.subcommands) {
    reply.bulk(sub->name);
    reply_docs(reply, *sub);
  }
}

}  // namespace redoubt

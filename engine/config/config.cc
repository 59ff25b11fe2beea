#include "engine/config/config.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/config/config_impl.h"
#include "engine/config/config_text.h"
#include "net/assert.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr int kIncludeDepthMax = 16;
constexpr size_t kFilesMax = 256;
constexpr size_t kFileBytesMax = 16 * 1024 * 1024;
constexpr size_t kLineBytesMax = 64 * 1024;

// A problem as one line of a start that failed.
std::string explain(const Directive& row, std::string_view name, std::span<const std::string> words,
                    const DirectiveProblem& problem) {
  if (problem.expected.empty()) return fmt::format("{}: {}", name, problem.reply);
  // A word too many may be part of a password.
  if (words.size() != 1 && row.kind != Directive::Kind::list) {
    return fmt::format("{}: expected {}", name, problem.expected);
  }
  return fmt::format("{}: expected {}, got {}", name, problem.expected,
                     quote_for_message(join_words(words)));
}

}  // namespace

size_t Config::Impl::find(std::string_view name) const {
  const std::string lower = to_lower(name);
  const auto at = std::lower_bound(names.begin(), names.end(), lower,
                                   [](const Name& a, const std::string& b) { return a.name < b; });
  return at != names.end() && at->name == lower ? at->row : kNone;
}

Config::Config(std::span<const std::span<const Directive>> more) : impl_(std::make_unique<Impl>()) {
  std::vector<std::span<const Directive>> tables = {obeyed_directives(), accepted_directives()};
  tables.insert(tables.end(), more.begin(), more.end());
  for (const std::span<const Directive> table : tables) {
    for (const Directive& row : table) {
      const size_t index = impl_->rows.size();
      impl_->rows.push_back(&row);
      for (const std::string_view name : {row.name, row.alias, row.second_alias}) {
        if (!name.empty()) impl_->names.push_back({name, index});
      }
      DirectiveValue value;
      if (row.kind != Directive::Kind::line) {
        DirectiveProblem problem;
        const bool good =
            parse_directive(row, row.initial, directive_words(row, row.initial), &value, &problem);
        ASSERT(good && value.text == row.initial && is_supported(row, value.text));
        if (row.apply != nullptr) row.apply(settings_, value);
      }
      impl_->values.push_back(std::move(value.text));
    }
  }
  std::sort(impl_->names.begin(), impl_->names.end(),
            [](const Impl::Name& a, const Impl::Name& b) { return a.name < b.name; });
  for (size_t i = 1; i < impl_->names.size(); ++i) {
    ASSERT(impl_->names[i - 1].name != impl_->names[i].name);
  }
  impl_->loaded = impl_->values;
  impl_->included.resize(impl_->rows.size());
  impl_->places.resize(impl_->rows.size());
}

Config::~Config() = default;

// --- reading

bool Config::parse_file(const std::string& path, std::string_view text, const ReadFile& read_file,
                        std::string* error, const FindFiles& find_files) {
  error->clear();
  impl_->files_read = 1;
  if (!read_text({path, 0, read_file, find_files, error}, text)) return false;
  impl_->loaded = impl_->values;
  return true;
}

bool Config::read_text(Place place, std::string_view text) {
  if (text.size() > kFileBytesMax) {
    *place.error = fmt::format("{}: expected at most {} bytes, got {}", place.file, kFileBytesMax,
                               text.size());
    return false;
  }
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++place.line;
    if (line.empty() || line.front() == '#') continue;
    std::vector<std::string> words;
    std::string problem;
    if (line.size() > kLineBytesMax) {
      problem = fmt::format("expected at most {} bytes in a line", kLineBytesMax);
    } else if (!split_words(line, &words)) {
      const bool named = !words.empty() && impl_->find(words[0]) != Impl::kNone;
      problem = (named ? to_lower(words[0]) + ": " : std::string()) +
                "unbalanced quotes: expected a closing quote, and a blank or the end behind it";
    } else if (words[0].empty()) {
      problem = "expected the name of a directive, got \"\"";
    } else if (read_line(place, words, &problem)) {
      continue;
    }
    // The error of an included file stands as it is.
    if (place.error->empty()) *place.error = fmt::format("{}: {}", place.text(), problem);
    return false;
  }
  return true;
}

bool Config::read_line(const Place& place, std::span<const std::string> words,
                       std::string* problem) {
  const size_t index = impl_->find(words[0]);
  if (index == Impl::kNone) {
    *problem = fmt::format("unknown directive {}", quote_for_message(words[0]));
    return false;
  }
  const Directive& row = *impl_->rows[index];
  const std::span<const std::string> rest = words.subspan(1);
  if (row.kind == Directive::Kind::line) {
    if (row.name == "rename-command") return read_renaming(place, rest, problem);
    if (row.name == "include") {
      if (rest.size() == 1 && !rest[0].empty()) return read_include(place, rest[0], problem);
      *problem = "include: expected one path";
      return false;
    }
    impl_->unsupported_lines.push_back(
        fmt::format("{}: {} is not supported yet ({})", place.text(), row.name, row.why));
    return true;
  }
  return read_value(place, index, rest, to_lower(words[0]), problem);
}

bool Config::read_value(const Place& place, size_t index, std::span<const std::string> words,
                        std::string_view name, std::string* problem) {
  const Directive& row = *impl_->rows[index];
  // One word may hold a whole list: --bind "127.0.0.1 ::1".
  std::vector<std::string> list;
  if (row.kind == Directive::Kind::list && words.size() == 1) list = directive_words(row, words[0]);
  // A line adds to those before it, not to the initial value; an empty one begins anew.
  const bool adds = row.adds_up && !impl_->places[index].empty() &&
                    !(words.size() == 1 && words[0].empty()) && !words.empty();
  if (adds) {
    if (list.empty()) list.assign(words.begin(), words.end());
    const std::string& former = impl_->values[index];
    const std::vector<std::string> all =
        former.empty() ? std::vector<std::string>() : directive_words(row, former);
    list.insert(list.begin(), all.begin(), all.end());
  }
  const std::span<const std::string> given = list.empty() ? words : list;
  DirectiveValue value;
  DirectiveProblem why;
  if (!parse_directive(row, impl_->values[index], given, &value, &why)) {
    *problem = explain(row, name, given, why);
    return false;
  }
  if (row.apply != nullptr) row.apply(settings_, value);
  impl_->values[index] = std::move(value.text);
  impl_->places[index] = fmt::format("{}: {}", place.text(), name);
  if (place.depth > 0) impl_->included[index] = true;
  return true;
}

// A pattern stands for the files that match it, which may be none.
bool Config::read_include(const Place& place, const std::string& path, std::string* problem) {
  if (!place.read_file) {
    *problem = "include: expected in a file, not on the command line";
    return false;
  }
  const bool is_pattern = path.find_first_of("*?[") != std::string::npos;
  if (!is_pattern || !place.find_files) return include_one(place, path, problem);
  for (const std::string& found : place.find_files(path)) {
    if (!include_one(place, found, problem)) return false;
  }
  return true;
}

bool Config::include_one(const Place& place, const std::string& path, std::string* problem) {
  if (place.depth == kIncludeDepthMax) {
    *problem =
        fmt::format("include: expected at most {} files within each other", kIncludeDepthMax);
    return false;
  }
  if (++impl_->files_read > kFilesMax) {
    *problem = fmt::format("include: expected at most {} files altogether", kFilesMax);
    return false;
  }
  std::string text;
  std::string why;
  if (!place.read_file(path, &text, &why)) {
    *problem = fmt::format("include: cannot read {}: {}", quote_for_message(path), why);
    return false;
  }
  return read_text({path, place.depth + 1, place.read_file, place.find_files, place.error}, text);
}

bool Config::read_renaming(const Place& place, std::span<const std::string> words,
                           std::string* problem) {
  if (words.size() != 2 || words[0].empty()) {
    *problem = "rename-command: expected the name of a command and a new one, or \"\" to remove it";
    return false;
  }
  renamed_.push_back({words[0], words[1], place.text()});
  return true;
}

bool Config::parse_arguments(std::span<const std::string> arguments, std::string* error) {
  error->clear();
  const ReadFile no_files;
  const FindFiles no_patterns;
  const Place place{"command line", 1, no_files, no_patterns, error};
  const std::vector<bool> included = impl_->included;
  for (size_t at = 0; at < arguments.size();) {
    const std::string& first = arguments[at];
    std::vector<std::string> words;
    if (!first.starts_with("--") || !split_words(first.substr(2), &words) || words.empty() ||
        words[0].empty()) {
      *error =
          fmt::format("command line: expected \"--name value\", got {}", quote_for_message(first));
      return false;
    }
    ++at;
    const bool next_is_name = at == arguments.size() || arguments[at].starts_with("--");
    if (words.size() == 1 && next_is_name && equal_ignoring_case(words[0], "save")) {
      words.emplace_back();
    }
    while (at < arguments.size() && (words.size() == 1 || !arguments[at].starts_with("--"))) {
      words.push_back(arguments[at++]);
    }
    std::string problem;
    if (!read_line(place, words, &problem)) {
      *error = "command line: " + problem;
      return false;
    }
  }
  impl_->included = included;
  return true;
}

std::vector<std::string> Config::missing() const {
  std::vector<std::string> lines;
  for (size_t i = 0; i < impl_->rows.size(); ++i) {
    const Directive& row = *impl_->rows[i];
    if (row.kind == Directive::Kind::line || is_supported(row, impl_->values[i])) continue;
    lines.push_back(fmt::format("{}: {} is not supported yet ({})", impl_->places[i],
                                quote_for_message(impl_->values[i]), row.why));
  }
  lines.insert(lines.end(), impl_->unsupported_lines.begin(), impl_->unsupported_lines.end());
  return lines;
}

std::string Config::without_effect() const {
  struct Group {
    std::string_view why;
    std::string names;
  };
  std::vector<Group> groups;
  for (size_t i = 0; i < impl_->rows.size(); ++i) {
    const Directive& row = *impl_->rows[i];
    if (row.apply != nullptr || row.is_limited || impl_->values[i] == row.initial) continue;
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&row](const Group& other) { return other.why == row.why; });
    if (group == groups.end()) group = groups.insert(group, {row.why, ""});
    if (!group->names.empty()) group->names += ", ";
    group->names += row.name;
  }
  std::string text;
  for (const Group& group : groups) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{} ({})", group.names, group.why);
  }
  return text;
}

// --- CONFIG GET and SET

std::string Config::shown_value(size_t row) const {
  const std::string& value = impl_->values[row];
  const bool relative = impl_->rows[row]->name == "dir" && !value.starts_with('/');
  return relative && !working_directory_.empty() ? working_directory_ : value;
}

std::vector<std::pair<std::string, std::string>> Config::get(
    std::span<const std::string_view> patterns) const {
  std::vector<std::pair<std::string, std::string>> found;
  std::vector<bool> taken(impl_->names.size());
  size_t left = impl_->names.size();
  const auto take = [&](size_t at, std::string_view name) {
    taken[at] = true;
    --left;
    found.emplace_back(name, shown_value(impl_->names[at].row));
  };
  for (const std::string_view pattern : patterns) {
    if (left == 0) break;
    const bool is_pattern = pattern.find_first_of("*?[") != std::string_view::npos;
    const std::string lower = is_pattern ? std::string() : to_lower(pattern);
    for (size_t at = 0; at < impl_->names.size(); ++at) {
      const auto& [name, row_index] = impl_->names[at];
      const Directive& row = *impl_->rows[row_index];
      if (taken[at] || row.kind == Directive::Kind::line) continue;
      if (!is_pattern) {
        if (name == lower) take(at, pattern);
      } else if (!row.is_hidden && glob_matches(pattern, name, true)) {
        take(at, name);
      }
    }
  }
  return found;
}

bool Config::set(std::span<const std::string_view> names_and_values, std::string* error,
                 bool local_client) {
  if (names_and_values.size() % 2 != 0) {
    *error = "ERR syntax error";
    return false;
  }
  std::vector<Change> changes;
  std::vector<bool> named(impl_->rows.size());
  const bool guards_open = permits(settings_.protected_configs, local_client);
  const auto fail = [error](std::string_view name, std::string_view why) {
    *error =
        fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name, why);
    return false;
  };

  // First everything that needs no look at the values, as Redis does it.
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    const size_t index = impl_->find(names_and_values[i]);
    if (index != Impl::kNone && impl_->rows[index]->kind != Directive::Kind::line) continue;
    constexpr size_t kShown = 128;
    *error = fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'",
                         names_and_values[i].substr(0, kShown));
    return false;
  }
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    const size_t index = impl_->find(names_and_values[i]);
    const Directive& row = *impl_->rows[index];
    if (row.is_protected && !guards_open) {
      return fail(names_and_values[i], "can't set protected config");
    }
    if (row.is_immutable) return fail(names_and_values[i], "can't set immutable config");
    if (named[index]) return fail(names_and_values[i], "duplicate parameter");
    named[index] = true;
    changes.push_back({index, {}});
  }
  for (size_t i = 0; i < changes.size(); ++i) {
    const Directive& row = *impl_->rows[changes[i].row];
    DirectiveProblem problem;
    const std::string words[] = {std::string(names_and_values[i * 2 + 1])};
    if (!parse_directive(row, impl_->values[changes[i].row], words, &changes[i].value, &problem)) {
      return fail(names_and_values[i * 2], problem.reply);
    }
    const std::string& text = changes[i].value.text;
    if (!is_supported(row, text)) {
      return fail(names_and_values[i * 2],
                  fmt::format("{} is not supported yet (only {})", quote_for_message(text),
                              supported_values(row)));
    }
  }
  std::string_view name;
  std::string why;
  return take(changes, &name, &why) || fail(name, why);
}

// False: one whom a change concerns has refused it, and everything is as before.
bool Config::take(std::span<Change> changes, std::string_view* name, std::string* why) {
  const Settings settings_before = settings_;
  const std::vector<std::string> values_before = impl_->values;
  std::vector<size_t> changed;
  for (Change& change : changes) {
    const Directive& row = *impl_->rows[change.row];
    if (row.apply != nullptr) row.apply(settings_, change.value);
    if (impl_->values[change.row] != change.value.text) changed.push_back(change.row);
    impl_->values[change.row] = std::move(change.value.text);
  }
  const auto take_back = [&] {
    settings_ = settings_before;
    impl_->values = values_before;
  };
  return tell_listeners(changed, take_back, name, why);
}

void Config::note(std::string_view name, std::string_view value) {
  const size_t index = impl_->find(name);
  ASSERT(index != Impl::kNone);
  const Directive& row = *impl_->rows[index];
  DirectiveValue parsed;
  DirectiveProblem problem;
  const std::string words[] = {std::string(value)};
  const bool good = parse_directive(row, impl_->values[index], words, &parsed, &problem);
  ASSERT(good);
  if (row.apply != nullptr) row.apply(settings_, parsed);
  impl_->values[index] = std::move(parsed.text);
}

void Config::add_listener(const ConfigListener& listener) {
  ASSERT(listener.apply != nullptr && !listener.names.empty());
  for (const std::string_view name : listener.names) ASSERT(impl_->find(name) != Impl::kNone);
  impl_->listeners.push_back(listener);
}

// Tells those whom the changed rows concern, in the order in which they were added. When one
// refuses, those before it are told again, with the old values.
bool Config::tell_listeners(std::span<const size_t> changed_rows,
                            const std::function<void()>& take_back, std::string_view* name,
                            std::string* why) {
  std::vector<const ConfigListener*> told;
  for (const ConfigListener& listener : impl_->listeners) {
    const auto concerned = [&](std::string_view of) {
      return std::find(changed_rows.begin(), changed_rows.end(), impl_->find(of)) !=
             changed_rows.end();
    };
    const auto first = std::find_if(listener.names.begin(), listener.names.end(), concerned);
    if (first == listener.names.end()) continue;
    if (listener.apply(listener.owner, why)) {
      told.push_back(&listener);
      continue;
    }
    *name = *first;
    take_back();
    std::string ignored;  // what it had before, it can have again
    for (const ConfigListener* before : told) before->apply(before->owner, &ignored);
    return false;
  }
  return true;
}

}  // namespace redoubt

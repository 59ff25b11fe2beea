// Config: the directives of a node: redis.conf syntax, command line, CONFIG GET, SET and REWRITE.
//
// Each directive is one row of the tables in table.cc and accepted.cc: name, alias,
// how its text becomes a value of Settings, whether it can change at run time, or that it is not
// supported and which values ask for nothing that is missing. directive.h explains the rows.
//
// Nothing here touches the world: files come and go as texts.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/config/settings.h"

namespace redoubt {

struct Directive;

// Reads a file for `include`. Given to the parser by who can read files; false: `why` says the
// reason.
using ReadFile = std::function<bool(const std::string& path, std::string* text, std::string* why)>;

// The files whose paths match a pattern such as "/etc/redis/conf.d/*.conf", in order. For
// `include`.
using FindFiles = std::function<std::vector<std::string>(const std::string& pattern)>;

// A part that has to act when directives change while the node runs.
struct ConfigListener {
  std::span<const std::string_view> names;  // of static storage: the directives that concern it
  // Config::settings() has the new values. False: nothing was changed, and *why says the reason as
  // CONFIG SET is to tell it; then CONFIG SET takes all of its values back.
  bool (*apply)(void* owner, std::string* why) = nullptr;
  void* owner = nullptr;
};

// A rename-command line.
struct RenamedCommand {
  std::string from;
  std::string to;     // empty: the command is removed
  std::string place;  // "file:line", or "command line"

  bool operator==(const RenamedCommand&) const = default;
};

class Config {
 public:
  // `more` are the directives of parts.
  explicit Config(std::span<const std::span<const Directive>> more = {});
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;
  ~Config();

  // Reads the text of a configuration file. False: *error is one line "file:line: what was
  // expected". Included files may be 16 deep, and 256 altogether. Called once, before
  // parse_arguments(). Without `find_files` an `include` names one file.
  bool parse_file(const std::string& path, std::string_view text, const ReadFile& read_file,
                  std::string* error, const FindFiles& find_files = {});
  // Reads "--name value --name value ...": the words up to the next "--" are the value; a first
  // word of a value may begin with "--" itself. "--save" alone stands for an empty value, and one
  // argument may hold name and value ("--port 6380").
  bool parse_arguments(std::span<const std::string> arguments, std::string* error);

  // What the file and the arguments ask for and this server does not have, a line for each:
  // "file:line: appendonly: "yes" is not supported yet (data is not written to files yet)". Values
  // that a later line or argument overrides do not count.
  std::vector<std::string> missing() const;
  // The settings that differ from their defaults and change nothing here, with the reasons, in one
  // line; empty when there are none. Values are not shown: some are secrets.
  std::string without_effect() const;

  const Settings& settings() const { return settings_; }

  // CONFIG GET: names and values of the directives that match one of the patterns, each once, an
  // alias beside its directive. A name without a pattern comes back in the case in which it was
  // given.
  std::vector<std::pair<std::string, std::string>> get(
      std::span<const std::string_view> patterns) const;
  // CONFIG SET: all of the pairs or none. False: *error is the reply's text. `local_client`: who
  // asks is connected from this machine, as enable-protected-configs local wants it.
  bool set(std::span<const std::string_view> names_and_values, std::string* error,
           bool local_client = false);
  // A directive has this value now, one that it can have: for what a command decides, such as
  // REPLICAOF. Nobody is told.
  void note(std::string_view name, std::string_view value);
  // Who is to act on CONFIG SET. It lives as long as this Config.
  void add_listener(const ConfigListener& listener);
  // CONFIG REWRITE: the new contents of the configuration file whose contents now are `old_text`:
  // comments and order are kept, changed values are replaced, missing ones appended.
  std::string rewritten(std::string_view old_text) const;

  // The path of the configuration file, empty without one.
  const std::string& file() const { return file_; }
  void set_file(std::string path) { file_ = std::move(path); }

  // The absolute path of `dir`: CONFIG GET dir shows it in place of a relative one.
  void set_working_directory(std::string path) { working_directory_ = std::move(path); }

  // In order. Which commands there are is not known here: CommandTable::rename() looks.
  const std::vector<RenamedCommand>& renamed_commands() const { return renamed_; }

 private:
  struct Impl;
  struct Place;
  struct Change;

  bool read_text(Place place, std::string_view text);
  bool read_line(const Place& place, std::span<const std::string> words, std::string* problem);
  bool read_include(const Place& place, const std::string& path, std::string* problem);
  bool read_renaming(const Place& place, std::span<const std::string> words, std::string* problem);
  bool read_value(const Place& place, size_t index, std::span<const std::string> words,
                  std::string_view name, std::string* problem);
  bool include_one(const Place& place, const std::string& path, std::string* problem);
  std::string shown_value(size_t row) const;
  bool take(std::span<Change> changes, std::string_view* name, std::string* why);
  bool tell_listeners(std::span<const size_t> changed_rows, const std::function<void()>& take_back,
                      std::string_view* name, std::string* why);

  Settings settings_;
  std::string file_;
  std::string working_directory_;
  std::vector<RenamedCommand> renamed_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace redoubt

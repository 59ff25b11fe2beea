// Config: the directives of a node: redis.conf syntax, command line, CONFIG GET, SET and REWRITE.
//
// Each directive is one row of the table in config_table.cc: name, alias, how its text becomes a
// value of Settings and back, whether it can change at run time, or that it is not supported and
// which values ask for nothing that is missing.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/node/settings.h"

namespace redoubt {

// Reads a file for `include`. Given to the parser by who can read files; false: `why` says the
// reason.
using ReadFile = std::function<bool(const std::string& path, std::string* text, std::string* why)>;

class Config {
 public:
  Config();
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;
  ~Config();

  // Reads the text of a configuration file. False: *error is one line "file:line: what was
  // expected".
  bool parse_file(const std::string& path, std::string_view text, const ReadFile& read_file,
                  std::string* error);
  // Reads "--name value --name value ...".
  bool parse_arguments(std::span<const std::string> arguments, std::string* error);

  const Settings& settings() const { return settings_; }

  // CONFIG GET: names and values of the directives that match one of the patterns, each once.
  std::vector<std::pair<std::string, std::string>> get(
      std::span<const std::string_view> patterns) const;
  // CONFIG SET: all of the pairs or none. False: *error is the reply's text.
  bool set(std::span<const std::string_view> names_and_values, std::string* error);
  // CONFIG REWRITE: the new contents of the configuration file whose contents now are `old_text`:
  // comments and order are kept, changed values are replaced, missing ones appended.
  std::string rewritten(std::string_view old_text) const;

  // The path of the configuration file, empty without one.
  const std::string& file() const { return file_; }
  void set_file(std::string path) { file_ = std::move(path); }

  // rename-command lines, in order.
  const std::vector<std::pair<std::string, std::string>>& renamed_commands() const {
    return renamed_;
  }

 private:
  struct Impl;

  Settings settings_;
  std::string file_;
  std::vector<std::pair<std::string, std::string>> renamed_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace redoubt

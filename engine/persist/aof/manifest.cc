#include "engine/persist/aof/manifest.h"

#include <fmt/format.h>

#include <set>

#include "engine/config/config_text.h"
#include "engine/store/number.h"
#include "net/text.h"

namespace redoubt {

namespace {

// Redis reads lines of 1024 bytes; names with many quoted bytes take more.
constexpr size_t kLineMax = 16 * 1024;
// Numbers go on from the largest one.
constexpr int64_t kNumberMax = int64_t{1} << 62;

void append_line(std::string& out, const AofManifest::File& file, char type) {
  out += fmt::format("file {} seq {} type {}\n", quote_word(file.name), file.number, type);
}

struct Line {
  AofManifest::File file;
  char type = 0;
};

// False: *problem says why the line is none.
bool parse_line(std::string_view text, Line* line, std::string* problem) {
  *problem = "it is not of the form \"file NAME seq NUMBER type b|h|i\"";
  std::vector<std::string> words;
  if (!split_words(text, &words) || words.size() < 6 || words.size() % 2 != 0) return false;
  bool named = false;
  bool numbered = false;
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    if (equal_ignoring_case(words[i], "file")) {
      if (value.empty() || value.find('/') != std::string::npos) {
        *problem = "File can't be a path, just a filename";
        return false;
      }
      line->file.name = value;
      named = true;
    } else if (equal_ignoring_case(words[i], "seq")) {
      const std::optional<int64_t> number = parse_integer(value);
      if (!number || *number <= 0) return false;
      if (*number > kNumberMax) {
        *problem = "the number is too large";
        return false;
      }
      line->file.number = static_cast<uint64_t>(*number);
      numbered = true;
    } else if (equal_ignoring_case(words[i], "type")) {
      if (value.size() != 1 || std::string_view("bhi").find(value[0]) == std::string_view::npos) {
        return false;
      }
      line->type = value[0];
    }
  }
  return named && numbered && line->type != 0;
}

// False: *problem says why the line does not fit those before it, whose files have these names.
bool add_line(Line line, std::set<std::string>* names, AofManifest* manifest,
              std::string* problem) {
  // Its entries would be executed twice, or the history would be removed with what is needed.
  if (!names->insert(line.file.name).second) {
    *problem = "the file is listed twice";
    return false;
  }
  switch (line.type) {
    case 'b':
      if (manifest->base) {
        *problem = "Found duplicate base file information";
        return false;
      }
      manifest->base = std::move(line.file);
      return true;
    case 'i':
      if (line.file.number <= manifest->last_increment()) {
        *problem = "Found a non-monotonic sequence number";
        return false;
      }
      manifest->increments.push_back(std::move(line.file));
      return true;
    default: manifest->history.push_back(std::move(line.file)); return true;
  }
}

}  // namespace

std::string AofManifest::text() const {
  std::string out;
  if (base) append_line(out, *base, 'b');
  for (const File& file : history) append_line(out, file, 'h');
  for (const File& file : increments) append_line(out, file, 'i');
  return out;
}

bool AofManifest::parse(std::string_view text, AofManifest* manifest, std::string* error) {
  *manifest = {};
  if (text.empty()) {
    *error = "Found an empty AOF manifest";
    return false;
  }
  std::set<std::string> names;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string problem;
    if (end == std::string_view::npos || end > kLineMax) {
      problem = end == std::string_view::npos ? "the last line has no end" : "the line is too long";
    } else {
      std::string_view words = text.substr(0, end);
      if (words.ends_with('\r')) words.remove_suffix(1);
      text.remove_prefix(end + 1);
      if (words.starts_with('#')) continue;
      Line line;
      if (words.empty()) {
        problem = "the line is empty";
      } else if (parse_line(words, &line, &problem) &&
                 add_line(std::move(line), &names, manifest, &problem)) {
        continue;
      }
    }
    *error = fmt::format("line {}: {}", number, problem);
    return false;
  }
  return true;
}

std::string aof_manifest_name(std::string_view prefix) {
  return fmt::format("{}.manifest", prefix);
}

std::string aof_base_name(std::string_view prefix, uint64_t number, bool rdb) {
  return fmt::format("{}.{}.base.{}", prefix, number, rdb ? "rdb" : "aof");
}

std::string aof_increment_name(std::string_view prefix, uint64_t number) {
  return fmt::format("{}.{}.incr.aof", prefix, number);
}

std::optional<AofFileName> parse_aof_name(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix) || name.size() <= prefix.size()) return std::nullopt;
  std::string_view rest = name.substr(prefix.size());
  if (rest.front() != '.') return std::nullopt;
  rest.remove_prefix(1);
  const size_t dot = rest.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::optional<int64_t> number = parse_integer(rest.substr(0, dot));
  if (!number || *number <= 0 || *number > kNumberMax) return std::nullopt;
  const std::string_view kind = rest.substr(dot);
  const bool base = kind == ".base.rdb" || kind == ".base.aof";
  if (!base && kind != ".incr.aof") return std::nullopt;
  return AofFileName{base, static_cast<uint64_t>(*number)};
}

}  // namespace redoubt

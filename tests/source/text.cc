#include "tests/source/text.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace redoubt::source {

namespace {

// Walks over C++ text and blanks what is not code.
class Blanker {
 public:
  Blanker(std::string_view text, Keep keep) : text_(text), out_(text), keep_(keep) {}

  std::string run() {
    while (at_ < text_.size()) step();
    return std::move(out_);
  }

 private:
  bool starts(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  void erase(size_t from, size_t to) {
    for (size_t i = from; i < std::min(to, out_.size()); ++i) {
      if (out_[i] != '\n') out_[i] = ' ';
    }
  }

  size_t find(std::string_view what, size_t from) const {
    const size_t found = text_.find(what, from);
    return found == std::string_view::npos ? text_.size() : found;
  }

  void step() {
    const char c = text_[at_];
    if (starts("//")) return comment(find("\n", at_));
    if (starts("/*")) return comment(find("*/", at_ + 2) + 2);
    if (starts("R\"") && (at_ == 0 || !is_word(text_[at_ - 1]))) return raw_string();
    if (c == '"') return literal('"');
    // A quote between digits separates thousands.
    if (c == '\'' && (at_ == 0 || !std::isxdigit(static_cast<unsigned char>(text_[at_ - 1])))) {
      return literal('\'');
    }
    if (c == '#' && first_on_line_ && !keep_.directives) return directive();
    if (c == '\n') {
      first_on_line_ = true;
    } else if (!std::isspace(static_cast<unsigned char>(c))) {
      first_on_line_ = false;
    }
    ++at_;
  }

  void comment(size_t end) {
    if (!keep_.comments) erase(at_, end);
    at_ = std::min(end, text_.size());
  }

  void raw_string() {
    const size_t open = find("(", at_);
    const std::string end = ")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"";
    const size_t close = find(end, open) + end.size();
    erase(at_ + 2, close - 1);
    at_ = std::min(close, text_.size());
  }

  void literal(char quote) {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') {
      end += text_[end] == '\\' ? 2 : 1;
    }
    erase(at_ + 1, end);
    at_ = std::min(end + 1, text_.size());
    first_on_line_ = false;
  }

  // A directive goes on over lines that end in a backslash.
  void directive() {
    size_t end = find("\n", at_);
    while (end < text_.size() && text_[end - 1] == '\\') end = find("\n", end + 1);
    erase(at_, end);
    at_ = end;
  }

  std::string_view text_;
  std::string out_;
  const Keep keep_;
  size_t at_ = 0;
  bool first_on_line_ = true;
};

}  // namespace

std::vector<File> read_tree(const std::vector<std::string>& folders) {
  std::vector<File> files;
  for (const std::string& folder : folders) {
    if (!std::filesystem::exists(folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cc") continue;
      std::ifstream in(entry.path());
      files.push_back(
          {entry.path().generic_string(), std::string(std::istreambuf_iterator(in), {})});
    }
  }
  std::ranges::sort(files, {}, &File::path);
  return files;
}

std::string blank(std::string_view text, Keep keep) {
  return Blanker(text, keep).run();
}

size_t line_of(std::string_view text, size_t offset) {
  return 1 + static_cast<size_t>(std::ranges::count(text.substr(0, offset), '\n'));
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::string to_string(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += finding.path + ":" + std::to_string(finding.line) + ": " + finding.what + "\n";
  }
  return text;
}

}  // namespace redoubt::source

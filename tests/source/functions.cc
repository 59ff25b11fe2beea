// Finds functions by counting braces. What stands before a `{` at the level of a namespace or class
// decides what it opens:
//
//   namespace a {          a scope: what is in it is looked at in the same way
//   struct A : B {         a scope
//   enum E {  = {          neither: skipped to its end
//   A::A() : b_{1} {       the first brace belongs to the initialiser list, the second is the body
//   int f(int x) {         a function: skipped to its end, and its lines counted
//
// Functions inside functions (lambdas, local classes) count as part of the outer one.
#include <algorithm>
#include <cctype>

#include "tests/source/rules.h"

namespace redoubt::source {

namespace {

class FunctionFinder {
 public:
  explicit FunctionFinder(std::string_view code) : code_(code), lines_(split_lines(code)) {}

  std::vector<Function> run() {
    while (at_ < code_.size()) {
      const char c = code_[at_];
      if (c == '{') {
        open();
        continue;
      }
      if (c == ';' || c == '}' || access_specifier()) header_ = at_ + 1;
      ++at_;
    }
    return std::move(functions_);
  }

 private:
  // The colon of `public:` ends a header; that of a base class, of an initialiser list or of ::
  // does not.
  bool access_specifier() const {
    if (code_[at_] != ':') return false;
    const std::string_view before = trimmed(code_.substr(header_, at_ - header_));
    return before == "public" || before == "private" || before == "protected";
  }

  static std::string_view trimmed(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
      text.remove_prefix(1);
    }
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
      text.remove_suffix(1);
    }
    return text;
  }

  // The words of a header that are not inside parentheses or angle brackets.
  static std::vector<std::string_view> outer_words(std::string_view header) {
    std::vector<std::string_view> words;
    int depth = 0;
    for (size_t i = 0; i < header.size(); ++i) {
      const char c = header[i];
      if (c == '(' || c == '<') ++depth;
      if (c == ')' || c == '>') --depth;
      if (!is_word(c)) continue;
      size_t end = i;
      while (end < header.size() && is_word(header[end])) ++end;
      if (depth == 0) words.push_back(header.substr(i, end - i));
      i = end - 1;
    }
    return words;
  }

  // An initialiser list's brace follows a name or a template's >, and a colon stands after the
  // parameters. `) const {` and `) noexcept {` are bodies.
  static bool initialises_a_member(std::string_view header) {
    const size_t close = header.find(')');
    if (close == std::string_view::npos) return false;
    size_t colon = header.find(':', close);
    while (colon != std::string_view::npos && header.substr(colon).starts_with("::")) {
      colon = header.find(':', colon + 2);
    }
    return colon != std::string_view::npos && (is_word(header.back()) || header.back() == '>');
  }

  // A parameter's default value, `f(T x = {})`.
  static bool inside_parentheses(std::string_view header) {
    return std::ranges::count(header, '(') > std::ranges::count(header, ')');
  }

  void open() {
    const std::string_view header = trimmed(code_.substr(header_, at_ - header_));
    const std::vector<std::string_view> words = outer_words(header);
    auto has = [&](std::string_view word) { return std::ranges::find(words, word) != words.end(); };
    const bool parameters = header.find('(') != std::string_view::npos;
    const bool types = has("struct") || has("class") || has("union");
    const bool scope = has("namespace") || (types && !has("enum")) || has("extern");
    if (scope) {
      header_ = ++at_;
      return;
    }
    const size_t begin = header.empty() ? at_ : static_cast<size_t>(header.data() - code_.data());
    const size_t end = matching_brace();
    if (inside_parentheses(header) || initialises_a_member(header)) {
      at_ = end + 1;  // the header goes on after it
      return;
    }
    const bool table = header.ends_with('=');
    if (parameters && !table) add(header, begin, end);
    at_ = end + 1;
    header_ = at_;
  }

  size_t matching_brace() const {
    int depth = 0;
    for (size_t i = at_; i < code_.size(); ++i) {
      if (code_[i] == '{') ++depth;
      if (code_[i] == '}' && --depth == 0) return i;
    }
    return code_.size();
  }

  void add(std::string_view header, size_t begin, size_t end) {
    const size_t first = line_of(code_, begin);
    const size_t last = line_of(code_, end);
    size_t lines = 0;
    for (size_t line = first; line <= last && line <= lines_.size(); ++line) {
      const std::string_view text = trimmed(lines_[line - 1]);
      const bool flat = text.starts_with("case ") || text.starts_with("default:");
      if (!flat) ++lines;
    }
    functions_.push_back({std::string(header.substr(0, header.find('\n'))), first, lines});
  }

  std::string_view code_;
  std::vector<std::string_view> lines_;
  std::vector<Function> functions_;
  size_t at_ = 0;
  size_t header_ = 0;
};

}  // namespace

std::vector<Function> functions_of(std::string_view text) {
  const std::string code = blank(text);
  return FunctionFinder(code).run();
}

}  // namespace redoubt::source

// The tree as text, and C++ text as a crude lexer sees it: enough for rules about the source
// without a compiler. Everything here is exact about comments, strings and braces and knows nothing
// of types.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt::source {

struct File {
  std::string path;  // from the top of the tree, "net/env.h"
  std::string text;
};

// Something that is against a rule. Tests print them and expect none.
struct Finding {
  std::string path;
  size_t line = 0;
  std::string what;
};

// All .h and .cc files below the folders, sorted by path. Run from the top of the tree.
std::vector<File> read_tree(const std::vector<std::string>& folders);

// What blank() leaves standing besides code.
struct Keep {
  bool directives = false;
  bool comments = false;
};

// The text with comments, preprocessor lines and the insides of string and character literals
// replaced by spaces. Newlines stay, so offsets and line numbers stay as well.
std::string blank(std::string_view text, Keep keep = {});

size_t line_of(std::string_view text, size_t offset);

std::vector<std::string_view> split_lines(std::string_view text);

bool is_word(char c);

// "path:line: what", one a line.
std::string to_string(const std::vector<Finding>& findings);

}  // namespace redoubt::source

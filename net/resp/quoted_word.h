// Words in quotes, as inline commands and configuration files have them.
#pragma once

#include <string>
#include <string_view>

namespace redoubt {

// Appends a quoted word to `word`; moves `at` from behind the opening quote to behind the closing
// one. "Double quotes" know \n \r \t \b \a \xHH and \c for any other c, 'single quotes' only \'.
// False: there is no closing quote.
bool read_quoted_word(std::string_view line, size_t& at, char quote, std::string& word);

}  // namespace redoubt

// The text of configuration files: words, quotes and sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt {

// Splits a line at blanks outside of quotes (net/resp/quoted_word.h). False: a quote is not closed,
// or something other than a blank follows the closing one.
bool split_words(std::string_view line, std::vector<std::string>* words);
// The words with a blank between each two.
std::string join_words(std::span<const std::string> words);

// The line without blanks, tabs and carriage returns at its ends.
std::string_view trim(std::string_view line);

// A word as split_words() reads it back: as it is where that is possible, else in double quotes.
std::string quote_word(std::string_view word);
// Always in quotes and of bounded length, for messages.
std::string quote_for_message(std::string_view word);

// "100", "1k" (1000), "1kb" (1024), "3mb", "2g", "5b" in any case, within 0 .. 2^64-1.
std::optional<uint64_t> parse_size(std::string_view text);
// The shortest form of a size: "64mb", "100".
std::string size_text(uint64_t bytes);

}  // namespace redoubt

#include "fuzz/vocabulary.h"

#include <array>

#include "engine/commands/families.h"
#include "net/assert.h"

namespace redoubt::fuzz {

namespace {

// A byte at a time, zeros at the end.
class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return at_ >= bytes_.size(); }
  uint8_t next() { return at_end() ? 0 : static_cast<uint8_t>(bytes_[at_++]); }
  size_t below(size_t limit) { return next() % limit; }
  // A stretch of the choices themselves, as a binary value.
  std::string_view stretch(size_t size) {
    const std::string_view taken = bytes_.substr(std::min(at_, bytes_.size()), size);
    at_ += taken.size();
    return taken;
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

constexpr std::array<std::string_view, 6> kKeys = {"a", "b", "c", "{a}d", "", "e"};

constexpr std::array<std::string_view, 40> kNumbers = {"0",
                                                       "1",
                                                       "-1",
                                                       "2",
                                                       "3",
                                                       "10",
                                                       "100",
                                                       "-2",
                                                       "-10",
                                                       "1000",
                                                       "9223372036854775807",
                                                       "-9223372036854775808",
                                                       "9223372036854775808",
                                                       "18446744073709551615",
                                                       "4294967296",
                                                       "2147483647",
                                                       "-2147483648",
                                                       "1.5",
                                                       "-0",
                                                       "1e400",
                                                       "inf",
                                                       "-inf",
                                                       "nan",
                                                       "(1",
                                                       "(5",
                                                       "+inf",
                                                       "[a",
                                                       "(a",
                                                       "+",
                                                       "-",
                                                       "*",
                                                       "$",
                                                       ">",
                                                       "0-0",
                                                       "1-1",
                                                       "5-*",
                                                       "18446744073709551615-18446744073709551615",
                                                       "85.1",
                                                       "180",
                                                       "65535"};

constexpr std::array<std::string_view, 10> kTexts = {
    "x", "y", "value", "", "1", "*", "[a-", "hello world", "u8", std::string_view("\0\xff\r\n", 4)};

void put(std::vector<std::string>& words, Choices& choices, std::string_view type) {
  const uint8_t way = choices.next();
  if (way >= 250) {
    words.emplace_back(choices.stretch(way == 255 ? 300 : way - 249));
  } else if (type == "key") {
    words.emplace_back(kKeys[way % kKeys.size()]);
  } else if (way % 8 == 7 || type == "string" || type == "pattern") {
    words.emplace_back(kTexts[way % kTexts.size()]);
  } else {
    words.emplace_back(kNumbers[way % kNumbers.size()]);
  }
}

void walk(std::vector<std::string>& words, Choices& choices, const Argument& argument);

void walk_all(std::vector<std::string>& words, Choices& choices,
              const std::vector<Argument>& arguments) {
  for (const Argument& argument : arguments) {
    if (argument.optional && choices.below(3) != 0) continue;
    const size_t times = argument.multiple ? 1 + choices.below(4) : 1;
    for (size_t i = 0; i < times; ++i) {
      if (argument.has_token && (i == 0 || argument.multiple_token)) {
        words.emplace_back(argument.token);
      }
      walk(words, choices, argument);
    }
  }
}

// The grammar of the rows nests a few levels at most.
void walk(std::vector<std::string>& words, Choices& choices, const Argument& argument) {
  if (argument.type == "pure-token") return;
  if (argument.type == "block") {
    walk_all(words, choices, argument.arguments);
  } else if (argument.type == "oneof") {
    const Argument& one = argument.arguments[choices.below(argument.arguments.size())];
    if (one.has_token) words.emplace_back(one.token);
    walk(words, choices, one);
  } else {
    put(words, choices, argument.type);
  }
}

// Now and then a word too many or too few, or another one in its place.
void spoil(std::vector<std::string>& words, Choices& choices) {
  switch (choices.below(24)) {
    case 1: words.pop_back(); break;
    case 2: put(words, choices, "integer"); break;
    case 3: put(words, choices, "key"); break;
    case 4: words[choices.below(words.size())] = kNumbers[choices.below(kNumbers.size())]; break;
    default: break;
  }
}

void encode(std::string& out, const std::vector<std::string>& words) {
  out += "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
}

}  // namespace

Vocabulary::Vocabulary() {
  for (const std::span<const Command> family : all_families()) add(family, {});
}

void Vocabulary::add(std::span<const Command> rows, std::string_view container) {
  for (const Command& row : rows) {
    add(row.subcommands, row.name);
    if (row.handler == nullptr) continue;
    Row made;
    if (!container.empty()) made.name.push_back(container);
    made.name.push_back(row.name);
    std::string error;
    ASSERT(parse_arguments(row.arguments, &made.arguments, &error));
    rows_.push_back(std::move(made));
  }
}

std::string Vocabulary::requests(std::string_view bytes) const {
  Choices choices(bytes);
  std::string out;
  while (!choices.at_end()) {
    const size_t chosen = (size_t{choices.next()} << 8 | choices.next()) % rows_.size();
    const Row& row = rows_[chosen];
    std::vector<std::string> words(row.name.begin(), row.name.end());
    walk_all(words, choices, row.arguments);
    spoil(words, choices);
    if (!words.empty()) encode(out, words);
  }
  return out;
}

}  // namespace redoubt::fuzz

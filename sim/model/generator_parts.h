// Parts that the commands of several families are made of.
#pragma once

#include <string_view>

#include "sim/model/generator.h"

namespace redoubt::sim {

using AddKey = void (*)(CommandGenerator& generator);

// Any of the keys that all families share.
inline void add_any_key(CommandGenerator& generator) {
  generator.add_key();
}

// One of the words.
template <size_t N>
void add_one_of(CommandGenerator& generator, const std::string_view (&words)[N]) {
  generator.add_word(words[generator.random().below(N)]);
}

// 1 to `most` keys; how many.
size_t add_keys(CommandGenerator& generator, size_t most, AddKey add_key = add_any_key);

// "numkeys key ...", now and then with a wrong number.
void add_counted_keys(CommandGenerator& generator, AddKey add_key);

// "[LIMIT n]" of SINTERCARD and ZINTERCARD.
void add_cardinality_limit(CommandGenerator& generator);

// "cursor [COUNT n] [MATCH pattern]" of SSCAN, HSCAN and ZSCAN.
void add_element_scan(CommandGenerator& generator);

// NAME key
template <const char* name, AddKey add_key = add_any_key>
void with_key(CommandGenerator& generator) {
  generator.begin(name);
  add_key(generator);
}

// NAME key cursor ...
template <const char* name, AddKey add_key>
void with_scan(CommandGenerator& generator) {
  with_key<name, add_key>(generator);
  add_element_scan(generator);
}

// OBJECT ENCODING key
template <AddKey add_key>
void with_encoding(CommandGenerator& generator) {
  generator.begin("OBJECT");
  generator.add_word("ENCODING");
  add_key(generator);
}

}  // namespace redoubt::sim

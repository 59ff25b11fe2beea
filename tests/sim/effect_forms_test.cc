// What effects may look like.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "sim/checkers/effect_forms.h"

namespace redoubt::sim {
namespace {

std::string wrong(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return wrong_effect_form(std::vector<std::string_view>(words.begin(), words.end()));
}

TEST(EffectForms, WhatIsSaidAbsolutely) {
  for (const char* text :
       {"SET k v", "SET k v PXAT 1700000000000", "SET k EX", "SET EX v KEEPTTL", "PEXPIREAT k 17",
        "XADD k 5-1 f *", "XADD k MAXLEN = 5 7-1 f v", "XADD k MAXLEN 5 NOMKSTREAM 7-1 ~ *",
        "XTRIM k MINID 7-1", "HSETEX k PXAT 17 FIELDS 1 EX v", "MSETEX 1 k EX PXAT 17", "SREM k a",
        "XCLAIM k g c 0 5-1 TIME 17 RETRYCOUNT 1 FORCE JUSTID", "MULTI", "SELECT 3"}) {
    EXPECT_EQ(wrong(text), "") << text;
  }
}

TEST(EffectForms, WhatIsNot) {
  for (const char* text :
       {"EXPIRE k 10", "pexpire k 10", "SET k v EX 10", "SETEX k 10 v", "GETEX k PX 10",
        "XADD k * f v", "XADD k 7-* f v", "XADD k IDMP p i * f v", "XADD k MAXLEN ~ 5 7-1 f v",
        "XTRIM k MINID ~ 7-1", "INCRBYFLOAT k 1.5", "HINCRBYFLOAT k f 1", "SPOP k", "BLPOP k 0",
        "HPEXPIRE k 10 FIELDS 1 f", "HSETEX k EX 10 FIELDS 1 f v", "MSETEX 1 k v EX 10",
        "XCLAIM k g c 0 5-1 JUSTID", "XREADGROUP GROUP g c STREAMS k >"}) {
    EXPECT_NE(wrong(text), "") << text;
  }
}

}  // namespace
}  // namespace redoubt::sim

// The model finds each of its commands by its name, in any case, and nothing else.
#include <gtest/gtest.h>

#include <set>

#include "sim/model/call.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {
namespace {

std::vector<const ModelCommand*> all_rows() {
  std::vector<const ModelCommand*> rows;
  for (const std::span<const ModelCommand> family :
       {string_commands(), numeric_string_commands(), bitmap_commands(), generic_commands(),
        list_commands(), sort_commands(), server_commands(), set_commands(), zset_commands(),
        zset_combination_commands(), geo_commands(), hash_commands(), hash_import_commands(),
        stream_commands(), stream_group_commands(), stream_idempotent_commands(),
        stream_newer_commands(), stream_pending_commands(), hyperloglog_commands()}) {
    for (const ModelCommand& row : family) {
      rows.push_back(&row);
    }
  }
  return rows;
}

// Every second letter in upper case.
std::string mixed_case(std::string_view name) {
  std::string text(name);
  for (size_t i = 0; i < text.size(); i += 2) {
    text[i] = text[i] >= 'a' && text[i] <= 'z' ? static_cast<char>(text[i] - 'a' + 'A') : text[i];
  }
  return text;
}

TEST(CommandTable, NamesAreInLowerCaseAndThereOnce) {
  std::set<std::string_view> names;
  for (const ModelCommand* row : all_rows()) {
    EXPECT_EQ(row->name, lower(row->name));
    EXPECT_TRUE(names.insert(row->name).second) << row->name;
  }
  EXPECT_GT(names.size(), 200U);
}

// Whom a call without its arguments reached is said by the error.
TEST(CommandTable, EachNameFindsItsOwnRow) {
  Model model{ModelConfig{}};
  ModelSession session;
  for (const ModelCommand* row : all_rows()) {
    for (const std::string& name : {std::string(row->name), mixed_case(row->name)}) {
      EXPECT_TRUE(Model::knows(name)) << name;
      const std::string_view words[] = {name, "x"};
      EXPECT_EQ(Model::denied_when_out_of_memory(words), row->denied_when_out_of_memory) << name;
      if (row->arity == -1 || row->arity == 1) {
        continue;  // content with its name
      }
      const ModelReply reply = model.apply(session, std::span(words).first(1), 0);
      EXPECT_EQ(reply.bytes, wrong_arity(row->name).bytes) << name;
    }
  }
}

TEST(CommandTable, WhatIsNearlyANameIsNone) {
  std::set<std::string> names;
  const std::vector<const ModelCommand*> rows = all_rows();
  for (const ModelCommand* row : rows) {
    names.insert(std::string(row->name));
  }
  for (const ModelCommand* row : rows) {
    const std::string name(row->name);
    std::string other = name;
    other.back() = static_cast<char>(other.back() ^ 1);
    for (const std::string& near :
         {name + "x", name + '\0', name.substr(1), name.substr(0, name.size() - 1), other}) {
      EXPECT_EQ(Model::knows(near), names.contains(near)) << near;
    }
  }
  EXPECT_FALSE(Model::knows(""));
  EXPECT_FALSE(Model::knows(std::string(100'000, 'x')));
  // The case of letters is a bit, but not that of other bytes.
  EXPECT_FALSE(Model::knows("BITFIELD\x7fRO"));
}

}  // namespace
}  // namespace redoubt::sim

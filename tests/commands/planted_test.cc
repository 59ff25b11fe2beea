// The comparison with the model has to find what is easily got wrong by a millisecond. Here the
// node is made to have such a bug, and streams like those of property_test.cc have to meet it.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/model/generator.h"
#include "tests/commands/checked_node.h"
#include "tests/sanitized.h"

namespace redoubt {
namespace {

// Plays streams until one shows a difference. What that is, or nothing.
template <typename PlantedNode>
std::string first_difference(size_t streams = 80) {
  constexpr int kSteps = 8000;
  // The families in which something is planted, so that others do not thin them out.
  sim::GeneratorConfig config;
  for (size_t i = 4; i < sim::command_family_count; ++i) config.weights[i] = 0;
  config.keys = 8;
  for (uint64_t seed = 1; seed <= streams; ++seed) {
    sim::CommandGenerator generator(config, seed);
    sim::Xoshiro random(seed + 1);
    PlantedNode node;
    int64_t now_ms = kQuietStart_ms;
    for (int i = 0; i < kSteps; ++i) {
      TestStep step;
      step.advance_ms = random.one_in(3) ? static_cast<int64_t>(random.below(40)) : 0;
      now_ms += step.advance_ms;
      const sim::GeneratedCommand command = generator.next(now_ms);
      step.command.assign(command.arguments.begin(), command.arguments.end());
      if (const std::optional<std::string> difference = node.run(step)) return *difference;
    }
  }
  return "";
}

TEST(Planted, NothingIsFoundInASoundNode) {
  EXPECT_EQ(first_difference<CheckedNode>(affordable(80, 4)), "");
}

// Takes a key away in the millisecond of its deadline, through which it is to live.
class EarlyNode : public CheckedNode {
 protected:
  std::string execute(std::span<const std::string_view> args) override {
    const int64_t now_ms = world().env.wall().unix_ms();
    for (int db = 0; db < node().keyspace().count(); ++db) {
      Database& database = node().keyspace().database(db);
      std::vector<std::string> due;
      database.dict().for_each([&](const Entry& entry) {
        if (entry.has_expiry() && entry.expiry_ms() == now_ms) due.emplace_back(entry.key());
      });
      for (const std::string& key : due) {
        node().keyspace().removal().expire_key(db, key, database.hash(key));
      }
    }
    return CheckedNode::execute(args);
  }
};

TEST(Planted, ADeletionOneMillisecondEarlyIsFound) {
  EXPECT_NE(first_difference<EarlyNode>().find("expired a key whose time has not come"),
            std::string::npos);
}

// Lets a key live through this millisecond that INCREX gives this very millisecond as its deadline,
// where it is to be removed at once.
class LateIncrexNode : public CheckedNode {
 protected:
  std::string execute(std::span<const std::string_view> args) override {
    const int64_t now_ms = world().env.wall().unix_ms();
    std::vector<std::string_view> others(args.begin(), args.end());
    const auto now = std::find(others.begin(), others.end(), std::to_string(now_ms));
    if (args[0] != "INCREX" || now == others.end() || now[-1] != "PXAT") {
      return CheckedNode::execute(args);
    }
    others.erase(now - 1, now + 1);
    std::erase(others, "ENX");
    const std::string reply = CheckedNode::execute(others);
    Database& database = node().keyspace().database(session().db);
    const uint64_t hash = database.hash(args[1]);
    const bool written = !reply.starts_with("-") && database.find(args[1], hash) != nullptr;
    if (written) database.set_expiry(args[1], hash, now_ms);
    return reply;
  }
};

TEST(Planted, AnIncrexWhoseDeadlineIsNowIsFound) {
  EXPECT_NE(first_difference<LateIncrexNode>(), "");
}

}  // namespace
}  // namespace redoubt

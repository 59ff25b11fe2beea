// Parts and jobs: what a node promises those who have a room of their own.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/commands/families.h"
#include "engine/config/directive.h"
#include "engine/insight/info_registry.h"
#include "engine/node/node.h"
#include "tests/commands/quiet_world.h"

namespace redoubt {
namespace {

struct EchoSettings {
  int64_t delay_ms = 0;
};

void apply_delay(Settings& settings, const DirectiveValue& value) {
  settings.part<EchoSettings>().delay_ms = value.number;
}

// A part that takes its time to start and to stop, and has a command that says what it saw.
class EchoPart final : public Part {
 public:
  static const PartKind kKind;

  explicit EchoPart(Node& node) : node_(node) {}

  Task<Error> start() override {
    seen += "start ";
    if (delay_ms() > 0) co_await Sleep(node_.env(), Duration::milliseconds(delay_ms()));
    seen += "started ";
    co_return delay_ms() == 13 ? Error::refused : Error::none;
  }
  Task<Error> before_stop(const StopRequest& /*request*/) override {
    if (delay_ms() > 0) co_await Sleep(node_.env(), Duration::milliseconds(delay_ms()));
    seen += "stop ";
    co_return Error::none;
  }
  void settings_changed() override { seen += "settings:" + std::to_string(delay_ms()) + " "; }
  void cron() override { ++ticks; }
  size_t memory_bytes() const override { return 1'000'000; }
  void register_info(InfoRegistry& registry) override {
    static constexpr InfoRow kRows[] = {
        counter<EchoPart>("part_ticks", [](EchoPart& part) { return part.ticks; })};
    registry.add({.section = InfoSection::stats, .place = 90, .rows = kRows, .owner = this});
  }

  std::string seen;
  int ticks = 0;

 private:
  int64_t delay_ms() const { return node_.settings().part<EchoSettings>().delay_ms; }

  Node& node_;
};

constexpr Command kEchoRows[] = {
    {.name = "partecho",
     .arity = 1,
     .flags = kLoading,
     .handler = [](Context& c) { c.reply.bulk(c.part<EchoPart>().seen); }},
};
constexpr Directive kEchoDirectives[] = {
    directive::integer("part-delay", "0", 0, 1000).sets(apply_delay)};

const PartKind EchoPart::kKind = {
    .name = "echo",
    .commands = kEchoRows,
    .directives = kEchoDirectives,
    .make = [](Node& node) -> std::unique_ptr<Part> { return std::make_unique<EchoPart>(node); }};

class PartTest : public testing::Test {
 protected:
  void make(const std::vector<std::string>& arguments = {}) {
    const std::vector<std::span<const Directive>> directives = {kEchoDirectives};
    auto config = std::make_unique<Config>(directives);
    std::string error;
    EXPECT_TRUE(config->parse_arguments(arguments, &error)) << error;
    const std::vector<const PartKind*> kinds = {&EchoPart::kKind};
    const std::vector<std::span<const Command>> families = all_families();
    world.turn();
    node = std::make_unique<Node>(world.env, std::move(config),
                                  NodeMake{.families = families, .parts = kinds});
    session = &node->clients().make_local();
  }
  void start() {
    node->start([](void* owner, Error error) { static_cast<PartTest*>(owner)->result = error; },
                this);
  }
  ~PartTest() override {
    if (session != nullptr) node->clients().drop_local(*session);
  }
  std::string call(std::vector<std::string_view> args) {
    return node->dispatcher().execute(*session, args);
  }
  EchoPart& part() { return static_cast<EchoPart&>(*node->parts().find(EchoPart::kKind)); }
  void pass_ms(int64_t ms) {
    world.backend.advance(Duration::milliseconds(ms));
    world.turn();
  }

  QuietWorld world{1};
  std::unique_ptr<Node> node;
  Session* session = nullptr;
  std::optional<Error> result;
};

TEST_F(PartTest, WhatStartsAtOnceIsStartedWithinTheCall) {
  make();
  start();
  EXPECT_EQ(result, Error::none);
  EXPECT_EQ(call({"PARTECHO"}), "$25\r\nsettings:0 start started \r\n");
  EXPECT_EQ(call({"GET", "a"}), "$-1\r\n");
}

TEST_F(PartTest, ClientsAreAnsweredLoadingUntilAllHaveStarted) {
  make({"--part-delay", "50"});
  start();
  EXPECT_FALSE(result.has_value());
  EXPECT_TRUE(call({"GET", "a"}).starts_with("-LOADING Redoubt is loading")) << "not possible yet";
  EXPECT_EQ(call({"PARTECHO"}).substr(0, 4), "$18\r") << "may run while loading";
  EXPECT_TRUE(call({"INFO", "server"}).starts_with("$"));
  EXPECT_EQ(call({"MULTI"}), "+OK\r\n");
  EXPECT_TRUE(call({"SET", "a", "1"}).starts_with("-LOADING"));
  EXPECT_TRUE(call({"EXEC"}).starts_with("-EXECABORT"));
  pass_ms(49);
  EXPECT_FALSE(result.has_value());
  pass_ms(1);
  EXPECT_EQ(result, Error::none);
  EXPECT_EQ(call({"SET", "a", "1"}), "+OK\r\n");
}

TEST_F(PartTest, ANodeWhosePartDoesNotStartServesNobody) {
  make({"--part-delay", "13"});
  start();
  pass_ms(13);
  EXPECT_EQ(result, Error::refused);
  EXPECT_TRUE(call({"GET", "a"}).starts_with("-LOADING"));
}

TEST_F(PartTest, ADirectiveOfAPartIsReadAndSetLikeAnyOther) {
  make({"--part-delay", "7"});
  EXPECT_EQ(call({"CONFIG", "GET", "part-delay"}), "*2\r\n$10\r\npart-delay\r\n$1\r\n7\r\n");
  part().seen.clear();
  EXPECT_EQ(call({"CONFIG", "SET", "part-delay", "9"}), "+OK\r\n");
  EXPECT_EQ(part().seen, "settings:9 ");
  EXPECT_TRUE(call({"CONFIG", "SET", "part-delay", "1001"}).starts_with("-ERR"));
  EXPECT_TRUE(call({"CONFIG", "SET", "part-delay", "8", "maxmemory", "x"}).starts_with("-ERR"));
  EXPECT_EQ(node->settings().part<EchoSettings>().delay_ms, 9) << "all or none";
}

TEST_F(PartTest, ItTicksAndItsMemoryCounts) {
  make();
  EXPECT_GE(node->used_memory(), 1'000'000u);
  const int before = part().ticks;
  for (int i = 0; i < 10; ++i) pass_ms(100);
  EXPECT_EQ(part().ticks - before, 10);
  EXPECT_NE(call({"INFO", "stats"}).find("part_ticks:" + std::to_string(part().ticks)),
            std::string::npos);
}

TEST_F(PartTest, TheEndWaitsForIt) {
  make({"--part-delay", "20"});
  start();
  pass_ms(20);
  node->stop({.reason = "test"});
  EXPECT_EQ(part().seen.find("stop"), std::string::npos);
  EXPECT_EQ(call({"PING"}), "+PONG\r\n");
  pass_ms(20);
  EXPECT_NE(part().seen.find("stop"), std::string::npos);
}

TEST_F(PartTest, OneThatHasNotStartedIsNotStopped) {
  make({"--part-delay", "20"});
  start();
  node->stop({.reason = "test"});
  pass_ms(20);
  EXPECT_EQ(part().seen.find("stop"), std::string::npos);
}

// --- jobs

Task<Error> wait_and_note(Env& env, std::string* seen, std::string name, int64_t ms) {
  *seen += name + " begins, ";
  co_await Sleep(env, Duration::milliseconds(ms));
  co_return Error::none;
}

TEST(Jobs, ThoseOfOneResourceRunOneAfterAnother) {
  QuietWorld world{1};
  world.turn();
  Jobs jobs;
  std::string seen;
  const auto add = [&](std::string_view resource, const std::string& name, int64_t ms) {
    jobs.add(
        resource, [&world, &seen, name, ms] { return wait_and_note(world.env, &seen, name, ms); },
        [&seen, name](Error) { seen += name + " ends, "; });
  };
  jobs.set_idle_listener([&seen] { seen += "idle"; });
  add("file", "a", 20);
  add("file", "b", 10);
  add("other", "c", 10);
  EXPECT_EQ(seen, "a begins, c begins, ");
  EXPECT_TRUE(jobs.busy("file"));
  for (int i = 0; i < 4; ++i) {
    world.backend.advance(Duration::milliseconds(10));
    world.turn();
  }
  EXPECT_EQ(seen, "a begins, c begins, c ends, a ends, b begins, b ends, idle");
  EXPECT_TRUE(jobs.idle());
}

TEST(Jobs, OneThatEndsAtOnceMayBringTheNext) {
  Jobs jobs;
  std::string seen;
  const auto at_once = []() -> Task<Error> { co_return Error::none; };
  jobs.add("file", at_once, [&](Error) {
    seen += "first ";
    jobs.add("file", at_once, [&](Error) { seen += "second "; });
  });
  EXPECT_EQ(seen, "first second ");
  EXPECT_TRUE(jobs.idle());
}

}  // namespace
}  // namespace redoubt

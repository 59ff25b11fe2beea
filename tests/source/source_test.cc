// The source read as data: rules that a reviewer would otherwise have to remember. Each rule is run
// on the tree, where it must find nothing, and on a text that breaks it, where it must find that.
#include <gtest/gtest.h>

#include <functional>

#include "tests/source/rules.h"

namespace redoubt::source {
namespace {

const std::vector<std::string> kFolders = {"net",   "engine", "server", "sim",
                                           "tests", "fuzz",   "bench"};

const std::vector<File>& tree() {
  static const std::vector<File> files = read_tree(kFolders);
  EXPECT_GT(files.size(), 10u) << "run this from the top of the tree";
  return files;
}

std::vector<Finding> over_tree(const std::function<std::vector<Finding>(const File&)>& rule) {
  std::vector<Finding> findings;
  for (const File& file : tree()) {
    for (Finding& finding : rule(file)) findings.push_back(std::move(finding));
  }
  return findings;
}

std::string over_text(const std::function<std::vector<Finding>(const File&)>& rule,
                      std::string path, std::string text) {
  return to_string(rule({std::move(path), std::move(text)}));
}

TEST(SourceTree, IncludesFollowTheLayout) {
  EXPECT_EQ(to_string(over_tree(check_includes)), "");
}

TEST(SourceTree, CommandsOnDataSeeNeitherNodeNorClients) {
  EXPECT_EQ(
      to_string(over_tree([](const File& file) { return check_data_commands(file, tree()); })), "");
}

TEST(SourceTree, NothingCallsPastTheDoor) {
  EXPECT_EQ(to_string(over_tree(check_calls)), "");
}

TEST(SourceTree, LinesAndFilesAreInShape) {
  EXPECT_EQ(to_string(over_tree(check_lines)), "");
}

TEST(SourceTree, FunctionsFitAScreen) {
  EXPECT_EQ(to_string(over_tree(check_functions)), "");
}

TEST(Includes, AgainstTheDirectionAreFound) {
  auto refused = [](std::string path, const std::string& header) {
    return !over_text(check_includes, std::move(path), "#include \"" + header + "\"\n").empty();
  };
  EXPECT_TRUE(refused("net/env.h", "net/resp/parser.h"));
  EXPECT_TRUE(refused("net/resp/parser.cc", "engine/store/dict.h"));
  EXPECT_TRUE(refused("engine/store/dict.cc", "net/resp/parser.h"));
  EXPECT_TRUE(refused("engine/store/dict.cc", "engine/node/node.h"));
  EXPECT_TRUE(refused("engine/config/config.cc", "engine/command/command_table.h"));
  EXPECT_TRUE(refused("engine/clients/pubsub.cc", "engine/node/node.h"));
  EXPECT_TRUE(refused("engine/node/node.cc", "engine/commands/strings/string.h"));
  EXPECT_TRUE(refused("engine/commands/strings/string.cc", "net/uring/ring.h"));
  EXPECT_TRUE(refused("engine/commands/strings/string.cc", "sim/world.h"));
  EXPECT_TRUE(refused("engine/commands/strings/string.cc", "tests/node/helper.h"));
  EXPECT_TRUE(refused("sim/world.cc", "engine/commands/strings/string_options.h"));
  EXPECT_TRUE(refused("net/uring/ring.cc", "engine/node/node.h"));
  EXPECT_TRUE(refused("server/main.cc", "sim/world.h"));
  EXPECT_TRUE(refused("net/uring/ring.cc", "server/process.h"));
  EXPECT_TRUE(refused("engine/node/node.cc", "server/process.h"));
  EXPECT_TRUE(refused("sim/world.cc", "net/uring/ring.h"));
  EXPECT_TRUE(refused("tests/node/a_test.cc", "net/uring/ring.h"));
  EXPECT_TRUE(refused("engine/unheard_of/a.cc", "net/env.h"));
  EXPECT_TRUE(refused("net/env.cc", "env.h"));

  EXPECT_FALSE(refused("net/env.cc", "net/op.h"));
  EXPECT_FALSE(refused("engine/store/dict.cc", "net/env.h"));
  EXPECT_FALSE(refused("engine/commands/strings/string.cc", "engine/node/node.h"));
  EXPECT_FALSE(refused("engine/commands/hashes/hash.cc", "engine/commands/element.h"));
  EXPECT_FALSE(
      refused("engine/commands/hashes/hash.cc", "engine/commands/strings/string_options.h"));
  EXPECT_FALSE(refused("server/main.cc", "engine/commands/table.h"));
  EXPECT_FALSE(refused("server/process.cc", "net/uring/ring.h"));
  EXPECT_FALSE(refused("sim/main.cc", "engine/commands/table.h"));
  EXPECT_FALSE(refused("tests/uring/a_test.cc", "net/uring/ring.h"));
  EXPECT_FALSE(refused("tests/node/a_test.cc", "sim/world.h"));
}

TEST(Includes, InCommentsDoNotCount) {
  EXPECT_EQ(over_text(check_includes, "net/env.h", "/*\n#include \"sim/world.h\"\n*/\n"), "");
}

TEST(DataCommands, ThatSeeTheNodeAreFound) {
  const std::vector<File> headers = {
      {"engine/dispatch/context.h", "#include \"engine/keyspace/keyspace.h\"\n"},
      {"engine/keyspace/keyspace.h", "#include \"engine/store/database.h\"\n"},
      {"engine/commands/a.h", "#include \"engine/commands/b.h\"\n"},
      {"engine/commands/b.h", "#include \"engine/clients/session.h\"\n"},
      {"engine/commands/c.h", "#include \"engine/commands/c.h\"\n"},
  };
  const auto found = [&](std::string path, const std::string& header) {
    return to_string(
        check_data_commands({std::move(path), "#include \"" + header + "\"\n"}, headers));
  };
  const std::string command = "engine/commands/zsets/zset.cc";
  EXPECT_NE(found(command, "engine/node/node.h"), "");
  EXPECT_NE(found(command, "engine/clients/session.h"), "");
  EXPECT_NE(found("engine/commands/sets/set_value.h", "engine/node/node.h"), "");
  EXPECT_NE(found(command, "engine/commands/a.h")
                .find("engine/commands/a.h, engine/commands/b.h, engine/clients/session.h"),
            std::string::npos);

  EXPECT_EQ(found(command, "engine/dispatch/context.h"), "");
  EXPECT_EQ(found(command, "engine/commands/c.h"), "");
  EXPECT_EQ(found("engine/commands/server/info.cc", "engine/node/node.h"), "");
}

TEST(Calls, PastTheDoorAreFound) {
  auto refused = [](const std::string& line, std::string path = "engine/node/node.cc") {
    return !over_text(check_calls, std::move(path), line + "\n").empty();
  };
  EXPECT_TRUE(refused("#include <chrono>"));
  EXPECT_TRUE(refused("#include <sys/socket.h>"));
  EXPECT_TRUE(refused("#include <unordered_map>"));
  EXPECT_TRUE(refused("auto x = time(nullptr);"));
  EXPECT_TRUE(refused("return std::time(nullptr);"));
  EXPECT_TRUE(refused("f(::close(fd));"));
  EXPECT_TRUE(refused("::read (fd, p, n);"));
  EXPECT_TRUE(refused("char* home = getenv(\"HOME\");"));
  EXPECT_TRUE(refused("std::unordered_map<int, int> m;"));
  EXPECT_TRUE(refused("std::unordered_set<int> s;", "sim/world.cc"));
  EXPECT_TRUE(refused("std::hash<int>{}(1);"));
  EXPECT_TRUE(refused("std::mt19937 g;"));
  EXPECT_TRUE(refused("std::uniform_int_distribution<int> d;"));
  EXPECT_TRUE(refused("std::shuffle(a, b, g);"));
  EXPECT_TRUE(refused("std::thread t;"));
  EXPECT_TRUE(refused("std::cerr << 1;"));
  EXPECT_TRUE(refused("thread_local int x;"));
  EXPECT_TRUE(refused("std::printf(\"x\");"));
  EXPECT_TRUE(refused("f = fopen(p, \"r\");", "engine/store/dict.cc"));
  EXPECT_TRUE(refused("fwrite(p, 1, n, f);", "sim/world.cc"));

  EXPECT_FALSE(refused("env_.close(handle); env->read(op); file.time(3);"));
  EXPECT_FALSE(refused("void time(Session& session) {"));
  EXPECT_FALSE(refused("Reply& time(Session& session);"));
  EXPECT_FALSE(refused("// time(nullptr) and std::thread"));
  EXPECT_FALSE(refused("auto s = \"time(nullptr)\";"));
  EXPECT_FALSE(refused("auto n = ::redoubt::round_up(3) + numeric_limits<int>::max();"));
  EXPECT_FALSE(refused("uint64_t hash(std::string_view s); x = hash(y); my::thread t;"));
  EXPECT_FALSE(refused("std::time(nullptr);", "net/uring/clock.cc"));
  EXPECT_FALSE(refused("fwrite(p, 1, n, f);", "sim/core.cc"));
  EXPECT_FALSE(refused("std::time(nullptr);", "tests/node/a_test.cc"));
}

TEST(Lines, OutOfShapeAreFound) {
  auto refused = [](const std::string& text, std::string path = "net/a.cc") {
    return !over_text(check_lines, std::move(path), text).empty();
  };
  EXPECT_TRUE(refused(std::string(101, 'x') + "\n"));
  EXPECT_TRUE(refused("// clang-format off\n// clang-format on\n" + std::string(101, 'x')));
  EXPECT_TRUE(refused("// clang-format off\n" + std::string(121, 'x')));
  EXPECT_TRUE(refused("\tint x;\n"));
  EXPECT_TRUE(refused("int x; \n"));
  EXPECT_TRUE(refused(std::string("int x;  // FIX") + "ME later\n"));
  EXPECT_TRUE(refused(std::string("/* TO") + "DO: */\n"));
  EXPECT_TRUE(refused(std::string(901, '\n')));
  EXPECT_TRUE(refused("int x;\n", "net/a.h"));

  EXPECT_FALSE(refused(std::string(100, 'x') + "\n"));
  EXPECT_FALSE(refused("// clang-format off\n" + std::string(120, 'x')));
  EXPECT_FALSE(refused("// " + std::string(90, 'x') + "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\n"));
  EXPECT_FALSE(refused(std::string("auto s = \"XX") + "X\";\n"));
  EXPECT_FALSE(refused("// A comment.\n#pragma once\n", "net/a.h"));
}

std::string function_of_lines(size_t lines, const std::string& header = "int f(int x)") {
  std::string text = header + " {\n";
  for (size_t i = 2; i < lines; ++i) text += "  g();\n";
  return text + "}\n";
}

TEST(Functions, LongerThanAScreenAreFound) {
  auto refused = [](const std::string& text) {
    return !over_text(check_functions, "net/a.cc", text).empty();
  };
  EXPECT_FALSE(refused(function_of_lines(70)));
  EXPECT_TRUE(refused(function_of_lines(71)));
  EXPECT_TRUE(
      refused("namespace a {\nclass B : C {\n public:\n" + function_of_lines(71) + "};\n}\n"));
  EXPECT_TRUE(refused(function_of_lines(71, "A::A(int b)\n    : b_{b}, c_(b), d_{1}")));
  EXPECT_TRUE(refused(function_of_lines(71, "TEST(Area, Name)")));
  EXPECT_TRUE(refused(function_of_lines(71, "auto f() const noexcept -> int")));
  EXPECT_TRUE(refused(function_of_lines(71, "template <typename T>\nstd::vector<T> f(T x = {})")));
  EXPECT_TRUE(
      refused("void f() {\n  auto g = [] {\n" + function_of_lines(70, "if (x)") + "};\n}\n"));
}

TEST(Functions, FlatSwitchesAndTablesMayBeLong) {
  std::string flat = "int f(int x) {\n  switch (x) {\n";
  for (int i = 0; i < 100; ++i) flat += "    case 1: return 2;\n";
  EXPECT_EQ(over_text(check_functions, "net/a.cc", flat + "  }\n}\n"), "");
  std::string table = "const Row rows[] = {\n";
  for (int i = 0; i < 100; ++i) table += "    {\"GET\", 2, flag(1)},\n";
  EXPECT_EQ(over_text(check_functions, "net/a.cc", table + "};\n"), "");
}

TEST(Functions, AreMeasured) {
  const auto functions = functions_of(
      "#define X(a) { a\n"
      "namespace n {\n"
      "enum class E : int { a, b };\n"
      "struct S {\n"
      "  int x = 0;\n"
      "  S() : x{1} {\n"
      "    char c = '{';\n"
      "  }\n"
      "  bool operator==(const S&) const = default;\n"
      "};\n"
      "int f() {\n"
      "  return 1'000'000;\n"
      "}\n"
      "}\n");
  ASSERT_EQ(functions.size(), 2u);
  EXPECT_EQ(functions[0].first_line, 6u);
  EXPECT_EQ(functions[0].lines, 3u);
  EXPECT_EQ(functions[1].header, "int f()");
  EXPECT_EQ(functions[1].lines, 3u);
}

TEST(Blank, KeepsOnlyCode) {
  EXPECT_EQ(blank("a /* b */ c // d\n\"e\" 'f' 1'000"), "a         c     \n\" \" ' ' 1'000");
  EXPECT_EQ(blank("R\"x(a \"b)\")x\" c"), "R\"          \" c");
  EXPECT_EQ(blank("\"a\\\"b\" c"), "\"    \" c");
  EXPECT_EQ(blank("#define A \\\n b\nc"), "           \n  \nc");
}

}  // namespace
}  // namespace redoubt::source

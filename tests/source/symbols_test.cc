// The product's libraries as the linker sees them: a node keeps nothing in globals and asks the
// world for nothing except through its Env.
#include "tests/source/symbols.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace redoubt::source {
namespace {

struct Library {
  std::string name;
  std::string folder;
};
const std::array<Library, 21> kLibraries = {
    {{"redoubt_net", "net"},
     {"redoubt_resp", "net/resp"},
     {"redoubt_store", "engine/store"},
     {"redoubt_rdb", "engine/persist/rdb"},
     {"redoubt_config", "engine/config"},
     {"redoubt_command", "engine/command"},
     {"redoubt_insight", "engine/insight"},
     {"redoubt_effects", "engine/effects"},
     {"redoubt_keyspace", "engine/keyspace"},
     {"redoubt_clients", "engine/clients"},
     {"redoubt_dispatch", "engine/dispatch"},
     {"redoubt_node", "engine/node"},
     {"redoubt_snapshots", "engine/persist/snapshots"},
     {"redoubt_aof", "engine/persist/aof"},
     {"redoubt_persist", "engine/persist"},
     {"redoubt_replication", "engine/replication"},
     {"redoubt_lua", "lua"},
     {"redoubt_script_libraries", "engine/script/libraries"},
     {"redoubt_script", "engine/script"},
     {"redoubt_commands", "engine/commands"},
     {"redoubt_assembly", "server/assembly"}}};

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  return std::string(std::istreambuf_iterator(in), {});
}

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  std::string output;
  std::array<char, 65536> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), n);
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

// The libraries beside the program that runs this: build/tests/source_test reads build/*.a. A
// folder of headers alone has no library.
std::vector<Symbol> library_symbols(bool engine_only) {
  const std::filesystem::path build =
      std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  std::vector<Symbol> symbols;
  for (const Library& library : kLibraries) {
    if (engine_only && !library.folder.starts_with("engine")) continue;
    const std::filesystem::path path = build / ("lib" + library.name + ".a");
    if (!std::filesystem::exists(path)) {
      for (const File& file : read_tree({library.folder})) {
        EXPECT_FALSE(file.path.ends_with(".cc")) << path << " is missing";
      }
      continue;
    }
    for (Symbol& symbol : parse_symbols(output_of("nm --format=sysv '" + path.string() + "'"))) {
      symbols.push_back(std::move(symbol));
    }
  }
  return symbols;
}

TEST(Symbols, LibrariesAskOnlyForWhatIsAllowed) {
  const auto symbols = library_symbols(false);
  ASSERT_GT(symbols.size(), 20u);
  const auto allowed = parse_allowed(read_file("tests/source/allowed_symbols.txt"));
  EXPECT_EQ(to_string(check_undefined(symbols, allowed)), "");
}

TEST(Symbols, TheListOfAllowedOnesIsNotLongerThanNeeded) {
  const auto allowed = parse_allowed(read_file("tests/source/allowed_symbols.txt"));
  EXPECT_EQ(to_string(check_allowed_in_use(library_symbols(false), allowed)), "");
}

TEST(Symbols, TheEngineHasNoGlobalsThatChange) {
  EXPECT_EQ(to_string(check_globals(library_symbols(true))), "");
}

constexpr std::string_view kPlanted =
    "\n\nSymbols from libx.a[a.cc.o]:\n\n"
    "Name                  Value           Class        Type         Size             Line  "
    "Section\n"
    "\n"
    "_ZN1a1fEv           |0000000000000000|   T  |              FUNC|0000000000000008|     |.text\n"
    "_ZN1a1gEv           |                |   U  |            NOTYPE|                |     |*UND*\n"
    "_ZN1a1cE            |0000000000000000|   b  |            OBJECT|0000000000000004|     |.bss\n"
    "_ZN1a1dE            |0000000000000000|   D  |            OBJECT|0000000000000004|     |.data\n"
    "_ZTVN1a1SE          |0000000000000000|   d  |            OBJECT|0000000000000018|     "
    "|.data.rel.ro._ZTVN1a1SE\n"
    "_ZN1a1rE            |0000000000000000|   d  |            OBJECT|0000000000000018|     "
    "|.data.rel.local\n"
    "\nSymbols from libx.a[b.cc.o]:\n\n"
    "_ZN1a1gEv           |0000000000000000|   T  |              FUNC|0000000000000008|     |.text\n"
    "getenv              |                |   U  |            NOTYPE|                |     |*UND*\n"
    "memcpy              |                |   U  |            NOTYPE|                |     |*UND*\n"
    "_ZNSt6chrono3nowEv  |                |   U  |            NOTYPE|                |     "
    "|*UND*\n";

TEST(Symbols, ForbiddenOnesAreFound) {
  const auto allowed =
      parse_allowed("# copies\nmemcpy  # bytes\n\n_ZNSt7__cxx11*\ngetenv a.cc.o\n");
  ASSERT_EQ(allowed.size(), 3u);
  const auto symbols = parse_symbols(kPlanted);
  EXPECT_EQ(symbols.size(), 10u);
  EXPECT_EQ(to_string(check_undefined(symbols, allowed)),
            "b.cc.o:0: asks for getenv\nb.cc.o:0: asks for _ZNSt6chrono3nowEv\n");
  EXPECT_EQ(to_string(check_allowed_in_use(symbols, allowed)),
            "tests/source/allowed_symbols.txt:0: not used: _ZNSt7__cxx11*\n"
            "tests/source/allowed_symbols.txt:0: not used: getenv\n");
}

TEST(Symbols, GlobalsAreFound) {
  EXPECT_EQ(to_string(check_globals(parse_symbols(kPlanted))),
            "a.cc.o:0: _ZN1a1cE is in .bss\n"
            "a.cc.o:0: _ZN1a1dE is in .data\n"
            "a.cc.o:0: _ZN1a1rE is in .data.rel.local\n");
}

}  // namespace
}  // namespace redoubt::source

// Random commands for the families that the model knows: from a seed, the same ones everywhere.
// A small key space makes commands collide, so that most of them meet a value that another one
// left; a few are wrong on purpose (arity, words, numbers). Used by the simulator's clients,
// property tests, fuzzers and tests/differential. A command costs a few hundred nanoseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt::sim {

// xoshiro256**, seeded with splitmix64. Not from <random>, whose distributions differ between
// libraries.
class Xoshiro {
 public:
  explicit Xoshiro(uint64_t seed);
  uint64_t next();
  // 0 to limit - 1; limit is not 0. The bias of the multiplication is of no importance here.
  uint64_t below(uint64_t limit);
  bool one_in(uint64_t n) { return below(n) == 0; }
  bool per_mille(unsigned share) { return below(1000) < share; }

 private:
  uint64_t state_[4];
};

enum class CommandFamily : uint8_t {
  string,
  generic,
  bitmap,
  server,
  list,
  set,
  hash,
  zset,
  geo,
  stream,
  hyperloglog
};
constexpr size_t command_family_count = 11;

// "string" and so on, in the order of CommandFamily.
std::span<const std::string_view> family_names();

struct GeneratorConfig {
  // How often each family is chosen, relative to the others; in the order of CommandFamily.
  unsigned weights[command_family_count] = {60, 25, 12, 3, 30, 25, 25, 25, 8, 20, 6};
  size_t keys = 24;   // how many names there are; some are empty, binary or like a pattern
  bool zipf = false;  // the n-th name is chosen 1/n as often as the first, not all alike
  int databases = 3;  // SELECT, MOVE, COPY and SWAPDB use so many
  unsigned wrong_per_mille = 20;      // commands that are broken on purpose
  unsigned extreme_per_mille = 30;    // numbers and strings at the edges of their range
  unsigned deadline_per_mille = 120;  // SET and its like that get a deadline
  int64_t ttl_ms_min = 1;
  int64_t ttl_ms_max = 5000;
  // Absolute deadlines may be this very millisecond or one beside it.
  bool deadlines_now = true;
  size_t value_bytes_max = 120;    // of most values; now and then four times as much
  bool newer = true;               // what Redis 7.0 does not have
  bool flush = true;               // FLUSHDB, FLUSHALL and SWAPDB
  bool scan = true;                // SCAN and KEYS and RANDOMKEY
  bool waiting = false;            // commands that wait
  unsigned wait_ms_max = 2;        // so long at most
  bool chance = true;              // SPOP, whose choice is the server's
  unsigned ladder_per_mille = 40;  // values and integers at the edges of encodings
  unsigned growth_per_mille = 0;   // commands that make few keys large, and many keys
  bool select = true;              // SELECT, and MOVE and COPY between databases
};

// A generated command. The views are valid until the next call of the generator.
struct GeneratedCommand {
  std::span<const std::string_view> arguments;  // name first
  bool newer = false;                           // 7.0 does not have it
};

class CommandGenerator {
 public:
  CommandGenerator(const GeneratorConfig& config, uint64_t seed);

  // `now_ms` is the wall time that EXAT, PXAT and their like are near.
  GeneratedCommand next(int64_t now_ms);

  // The i-th key name, for clients that prepare or inspect keys; i < config.keys.
  const std::string& key_name(size_t index) const { return key_names_[index]; }

  // --- For the rows of the table in generator.cc -------------------------------------------------

  // Starts a command; add() its arguments.
  void begin(std::string_view name);
  void add(std::string_view argument);
  void add_number(int64_t number);
  void add_key();
  void add_value();
  void add_text(size_t bytes_max);
  // A text of a size at which something changes in how it is stored, or one byte beside that.
  void add_ladder_text();
  // An integer beside a power of two at which its encoding changes.
  void add_ladder_integer();
  void add_integer(int64_t low, int64_t high);  // or an extreme or broken one, rarely
  // The same without what asks for billions of draws: a server answers them.
  void add_draws(int64_t low, int64_t high);
  void add_increment();
  void add_float();
  void add_index();       // for ranges of strings: small, of both signs
  void add_bit_offset();  // small enough for cheap values
  void add_pattern();
  void add_database();
  void add_digest();
  void add_expire_option(bool persist_too);  // EX n, PX n, EXAT n, PXAT n
  void add_deadline_amount(bool seconds, bool absolute);
  // Adds `word`, in upper, lower or mixed case.
  void add_word(std::string_view word);
  // A short time-out, now and then a wrong one.
  void add_wait(bool seconds);
  void mark_newer() { newer_ = true; }
  // Not to be broken on purpose: it would still do something, and what, nobody says.
  void mark_whole() { whole_ = true; }

  Xoshiro& random() { return random_; }
  const GeneratorConfig& config() const { return config_; }

 private:
  std::string& slot();
  uint64_t key_index();
  void choose();
  void spoil();
  // generator_growth.cc
  friend class GrowthCommand;

  GeneratorConfig config_;
  Xoshiro random_;
  // Sums of the weights: of the families, and of each family's rows.
  uint64_t families_total_ = 0;
  uint64_t rows_total_[command_family_count] = {};
  std::vector<std::string> key_names_;
  std::vector<uint64_t> zipf_;       // sums of the shares of the first names; empty without zipf
  std::vector<std::string> values_;  // values in circulation, so that IFEQ and LCS find something
  int64_t now_ms_ = 0;
  uint64_t growth_made_ = 0;  // commands of growth so far
  uint64_t growth_next_ = 0;  // the next new element
  bool newer_ = false;
  bool whole_ = false;
  CommandFamily family_ = CommandFamily::generic;  // of the command being made
  size_t count_ = 0;                               // arguments of the command being made
  std::vector<std::string> slots_;  // reused, so that nothing is allocated in the long run
  std::vector<std::string_view> views_;
};

}  // namespace redoubt::sim

#include "sim/model/generator.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

#include "net/assert.h"
#include "sim/model/generator_growth.h"
#include "sim/model/generator_rows.h"

namespace redoubt::sim {
namespace {

constexpr std::string_view names_of_families[] = {"string", "generic", "bitmap",     "server",
                                                  "list",   "set",     "hash",       "zset",
                                                  "geo",    "stream",  "hyperloglog"};
static_assert(std::size(names_of_families) == command_family_count);

// Types of values, and the one that a family works on.
constexpr uint64_t type_count = 6;

std::optional<uint64_t> type_of(CommandFamily family) {
  switch (family) {
    case CommandFamily::generic:
    case CommandFamily::server: return std::nullopt;
    case CommandFamily::list: return 1;
    case CommandFamily::set: return 2;
    case CommandFamily::hash: return 3;
    case CommandFamily::zset:
    case CommandFamily::geo: return 4;
    case CommandFamily::stream: return 5;
    default: return 0;
  }
}

uint64_t splitmix(uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

uint64_t rotate_left(uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}

constexpr std::string_view odd_keys[] = {
    "",  // the empty name
    std::string_view("bin\0\xff\r\n", 7),
    "a*b",
    "[x]",
    "-1",
    "0",
    "a key with spaces",
};

constexpr std::string_view billions_of_draws = "-2147483649";
constexpr std::string_view odd_integers[] = {"9223372036854775807",
                                             "-9223372036854775808",
                                             "9223372036854775808",
                                             "-9223372036854775809",
                                             "4294967296",
                                             "2147483648",
                                             billions_of_draws,
                                             "0",
                                             "-0",
                                             "+1",
                                             "01",
                                             "1.5",
                                             "",
                                             " 1",
                                             "1 ",
                                             "abc",
                                             "0x10",
                                             "18446744073709551615",
                                             "99999999999999999999"};

// Put in place of any argument, so none may be an offset that makes a value of megabytes.
constexpr std::string_view nonsense[] = {
    "", "abc", "-1", "0", "1.5", "9223372036854775808", "-9223372036854775808", " 1", "nan", "GET"};

constexpr std::string_view odd_floats[] = {
    "inf",     "-inf",    "nan",   "1e400",  "1e5000",
    "-1e5000", "1e-5000", "0x1p3", "",       "abc",
    " 1",      "1 ",      "1.5e2", "-0",     "-0.0",
    ".5",      "5.",      "+3",    "3.0e-3", "99999999999999999999.5"};

constexpr std::string_view odd_values[] = {"",
                                           "0",
                                           "-1",
                                           "1",
                                           "10",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "1.5",
                                           "-0",
                                           "007",
                                           "abc",
                                           "3.0e3",
                                           "inf",
                                           "9999",
                                           "10000",
                                           std::string_view("\0", 1),
                                           std::string_view("\xff\xff\xff\xff", 4),
                                           std::string_view("a\r\nb\0c", 6)};

constexpr std::string_view patterns[] = {
    "*",   "**",  "k*", "*1", "k?",    "k1?",    "k[0-4]", "k[^0-4]", "[kj]*", "\\k1",    "a\\*b",
    "k[1", "k[]", "",   "?",  "*k*1*", "k[4-0]", "[^",     "nosuch",  "k\\",   "k[a\\]1]"};

}  // namespace

std::span<const std::string_view> family_names() {
  return names_of_families;
}

Xoshiro::Xoshiro(uint64_t seed) {
  for (uint64_t& word : state_) {
    word = splitmix(seed);
  }
}

uint64_t Xoshiro::next() {
  const uint64_t result = rotate_left(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = rotate_left(state_[3], 45);
  return result;
}

uint64_t Xoshiro::below(uint64_t limit) {
  __extension__ using Product = unsigned __int128;
  return static_cast<uint64_t>((Product{next()} * limit) >> 64);
}

CommandGenerator::CommandGenerator(const GeneratorConfig& config, uint64_t seed)
    : config_(config), random_(seed) {
  ASSERT(config.keys > 0 && config.databases > 0);
  constexpr size_t odd_every = 4;  // with few keys, only some are odd
  for (size_t i = 0; i < config.keys; i++) {
    const size_t odd = i / odd_every;
    if (i % odd_every == odd_every - 1 && odd < std::size(odd_keys)) {
      key_names_.emplace_back(odd_keys[odd]);
    } else {
      key_names_.push_back("k" + std::to_string(i));
    }
  }
  values_.assign(16, "v");
  for (size_t family = 0; family < command_family_count; family++) {
    families_total_ += config.weights[family];
    for (const GeneratorRow& row : generator_rows(static_cast<CommandFamily>(family))) {
      rows_total_[family] += row.weight;
    }
  }
  if (!config.zipf) return;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < config.keys; i++) {
    sum += (uint64_t{1} << 40) / (i + 1);
    zipf_.push_back(sum);
  }
}

GeneratedCommand CommandGenerator::next(int64_t now_ms) {
  now_ms_ = now_ms;
  newer_ = false;
  whole_ = false;
  count_ = 0;
  if (config_.growth_per_mille > 0 && random_.per_mille(config_.growth_per_mille)) {
    family_ = CommandFamily::generic;
    make_growth_command(*this);
    whole_ = true;
  } else {
    choose();
  }
  if (!whole_ && random_.per_mille(config_.wrong_per_mille)) {
    spoil();
  }
  views_.assign(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(count_));
  return {views_, newer_};
}

void CommandGenerator::choose() {
  uint64_t pick = random_.below(families_total_);
  size_t family = 0;
  while (pick >= config_.weights[family]) {
    pick -= config_.weights[family++];
  }
  family_ = static_cast<CommandFamily>(family);
  std::span<const GeneratorRow> rows = generator_rows(family_);
  // Rows that the configuration forbids are drawn again: there is always one that is allowed.
  for (;;) {
    uint64_t chosen = random_.below(rows_total_[family]);
    const GeneratorRow* row = rows.data();
    while (chosen >= row->weight) {
      chosen -= row->weight;
      row++;
    }
    if (row->allowed(config_)) {
      newer_ = row->needs == GeneratorNeed::newer;
      row->make(*this);
      return;
    }
  }
}

// Breaks the command: an argument too few or too many, or one replaced by nonsense. The name stays,
// so that the error is the command's own.
void CommandGenerator::spoil() {
  switch (random_.below(4)) {
    case 0:
      if (count_ > 1) {
        count_--;
      }
      break;
    case 1: add("extra"); break;
    case 2: add_word("nx"); break;
    default:
      if (count_ > 2) {
        slots_[2 + random_.below(count_ - 2)] = nonsense[random_.below(std::size(nonsense))];
      }
  }
}

std::string& CommandGenerator::slot() {
  if (count_ == slots_.size()) {
    slots_.emplace_back();
  }
  return slots_[count_++];
}

void CommandGenerator::begin(std::string_view name) {
  add_word(name);
}

void CommandGenerator::add(std::string_view argument) {
  slot().assign(argument);
}

void CommandGenerator::add_word(std::string_view word) {
  std::string& out = slot();
  out.assign(word);
  if (random_.one_in(8)) {
    for (char& c : out) {
      if (c >= 'A' && c <= 'Z' && random_.one_in(2)) {
        c = static_cast<char>(c - 'A' + 'a');
      }
    }
  }
}

void CommandGenerator::add_number(int64_t number) {
  char text[24];
  char* end = std::to_chars(text, text + sizeof text, number).ptr;
  add(std::string_view(text, static_cast<size_t>(end - text)));
}

// Half of the time one of the first few, so that values live through several commands; or as Zipf's
// law has it.
uint64_t CommandGenerator::key_index() {
  if (!zipf_.empty()) {
    const uint64_t at = random_.below(zipf_.back());
    return static_cast<uint64_t>(std::upper_bound(zipf_.begin(), zipf_.end(), at) - zipf_.begin());
  }
  const uint64_t few = std::min<uint64_t>(config_.keys, 2 * type_count);
  const uint64_t limit = random_.one_in(2) ? few : config_.keys;
  return random_.below(limit);
}

void CommandGenerator::add_key() {
  // Mostly one whose place is that of the family's type, so that its commands meet their own
  // values.
  const uint64_t index = key_index();
  const std::optional<uint64_t> type = type_of(family_);
  if (!type || random_.one_in(6) || config_.keys < type_count) return add(key_names_[index]);
  const uint64_t own = index - index % type_count + *type;
  add(key_names_[own < config_.keys ? own : *type]);
}

void CommandGenerator::add_text(size_t bytes_max) {
  std::string& out = slot();
  out.clear();
  const size_t bytes = random_.below(bytes_max + 1);
  const bool binary = random_.one_in(6);
  out.resize(bytes);
  for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    uint64_t word = random_.next();
    if (!binary) {
      word = (word & 0x0707070707070707) + 0x6161616161616161;  // letters from a to h
    }
    std::memcpy(out.data() + at, &word, std::min(sizeof word, bytes - at));
  }
}

void CommandGenerator::add_ladder_text() {
  constexpr uint64_t sizes[] = {20, 44, 63, 64, 127, 128, 255, 256, 512, 4095, 4096, 16384, 65536};
  uint64_t pick = random_.below(std::size(sizes) - 2);
  if (random_.one_in(20)) {
    pick = std::size(sizes) - 1 - random_.below(2);
  }
  const uint64_t size = sizes[pick] - 1 + random_.below(3);
  const char letter = static_cast<char>('a' + random_.below(3));
  slot().assign(size, letter);
}

void CommandGenerator::add_ladder_integer() {
  constexpr int bits[] = {6, 7, 8, 12, 13, 15, 16, 23, 24, 31, 32, 63};
  const int width = bits[random_.below(std::size(bits))];
  const bool negative = random_.one_in(2);
  const uint64_t edge = uint64_t{1} << width;
  const uint64_t magnitude = edge - 1 + random_.below(width == 63 ? (negative ? 2 : 1) : 3);
  add_number(static_cast<int64_t>(negative ? ~magnitude + 1 : magnitude));
}

void CommandGenerator::add_value() {
  if (random_.per_mille(config_.ladder_per_mille)) {
    random_.one_in(2) ? add_ladder_text() : add_ladder_integer();
    return;
  }
  switch (random_.below(8)) {
    case 0:
    case 1: add_integer(-20, 200); break;
    case 2: add(odd_values[random_.below(std::size(odd_values))]); break;
    case 3: add(values_[random_.below(values_.size())]); return;
    case 4: add_text(8); break;
    case 5: add_float(); break;
    default: add_text(random_.one_in(10) ? 4 * config_.value_bytes_max : config_.value_bytes_max);
  }
  values_[random_.below(values_.size())] = slots_[count_ - 1];
}

void CommandGenerator::add_integer(int64_t low, int64_t high) {
  if (random_.per_mille(config_.extreme_per_mille)) {
    add(odd_integers[random_.below(std::size(odd_integers))]);
    return;
  }
  add_number(low + static_cast<int64_t>(random_.below(static_cast<uint64_t>(high - low + 1))));
}

void CommandGenerator::add_draws(int64_t low, int64_t high) {
  add_integer(low, high);
  std::string& count = slots_[count_ - 1];
  if (count == billions_of_draws) {
    count = "-9223372036854775808";
  }
}

void CommandGenerator::add_increment() {
  if (random_.one_in(16)) {
    add_number(random_.one_in(2) ? std::numeric_limits<int64_t>::max() - 5
                                 : std::numeric_limits<int64_t>::min() + 5);
    return;
  }
  add_integer(-50, 50);
}

void CommandGenerator::add_float() {
  if (random_.per_mille(config_.extreme_per_mille)) {
    add(odd_floats[random_.below(std::size(odd_floats))]);
    return;
  }
  add_number(static_cast<int64_t>(random_.below(2000)) - 1000);
  if (random_.one_in(2)) {
    std::string& out = slots_[count_ - 1];
    out += '.';
    out += static_cast<char>('0' + random_.below(10));
    out += static_cast<char>('1' + random_.below(9));
  }
}

void CommandGenerator::add_index() {
  add_integer(-12, 24);
}

void CommandGenerator::add_bit_offset() {
  if (random_.per_mille(config_.extreme_per_mille)) {
    // Not one that would make a value of megabytes.
    constexpr std::string_view odd[] = {"-1", "4294967296",          "abc",
                                        "",   "9223372036854775808", "1.5"};
    add(odd[random_.below(std::size(odd))]);
    return;
  }
  add_number(static_cast<int64_t>(random_.below(random_.one_in(10) ? 2000 : 100)));
}

void CommandGenerator::add_pattern() {
  add(patterns[random_.below(std::size(patterns))]);
}

void CommandGenerator::add_database() {
  if (random_.per_mille(config_.extreme_per_mille)) {
    add(random_.one_in(3) ? "999" : odd_integers[random_.below(std::size(odd_integers))]);
    return;
  }
  add_number(static_cast<int64_t>(random_.below(static_cast<uint64_t>(config_.databases))));
}

void CommandGenerator::add_wait(bool seconds) {
  constexpr std::string_view odd[] = {"-1", "x", "", "nan", "-5"};
  if (random_.one_in(20)) {
    add(odd[random_.below(std::size(odd))]);
    return;
  }
  const uint64_t ms = 1 + random_.below(config_.wait_ms_max);
  if (!seconds) {
    add_number(static_cast<int64_t>(ms));
    return;
  }
  const std::string digits = std::to_string(ms % 1000);
  add(std::to_string(ms / 1000) + "." + std::string(3 - digits.size(), '0') + digits);
}

void CommandGenerator::add_digest() {
  // Those of "", "v" and "1" would hit now and then; most are of a right or wrong length only.
  constexpr std::string_view digests[] = {"2d06800538d394c2",
                                          "2D06800538D394C2",
                                          "0000000000000000",
                                          "9555e8555c62dcfd",
                                          "zzzzzzzzzzzzzzzz",
                                          "123",
                                          "",
                                          "2d06800538d394c2a"};
  add(digests[random_.below(std::size(digests))]);
}

void CommandGenerator::add_deadline_amount(bool seconds, bool absolute) {
  if (random_.per_mille(config_.extreme_per_mille)) {
    add(odd_integers[random_.below(std::size(odd_integers))]);
    return;
  }
  const auto spread = static_cast<uint64_t>(config_.ttl_ms_max - config_.ttl_ms_min + 1);
  int64_t ms = config_.ttl_ms_min + static_cast<int64_t>(random_.below(spread));
  if (random_.one_in(8)) {
    ms = std::max<int64_t>(ms / 500 * 500, 500);  // where TTL rounds
  }
  if (absolute) {
    const uint64_t kind = random_.below(20);
    if (kind < 2) {
      ms = 1000 + ms % 1000;  // long over
    } else if (kind < 5 && config_.deadlines_now) {
      ms = now_ms_ - 1 + static_cast<int64_t>(random_.below(3));
    } else {
      ms += now_ms_;
    }
  }
  add_number(seconds ? (ms + 999) / 1000 : ms);
}

void CommandGenerator::add_expire_option(bool persist_too) {
  const uint64_t kind = random_.below(persist_too ? 5 : 4);
  constexpr std::string_view words[] = {"EX", "PX", "EXAT", "PXAT", "PERSIST"};
  add_word(words[kind]);
  if (kind < 4) {
    add_deadline_amount(kind % 2 == 0, kind >= 2);
  }
}

}  // namespace redoubt::sim

// The HyperLogLog family: the documented byte format, taken apart into registers or runs of them
// for each element and put together again.
#include <algorithm>
#include <array>
#include <cmath>

#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

constexpr size_t registers_count = 16384;
constexpr size_t header_bytes = 16;
constexpr size_t dense_bytes = header_bytes + registers_count * 6 / 8;
constexpr std::string_view corrupt_text = "INVALIDOBJ Corrupted HLL object detected";

using Registers = std::vector<int>;

unsigned byte_of(const std::string& text, size_t at) {
  return static_cast<unsigned char>(text[at]);
}

uint64_t murmur(std::string_view text) {
  constexpr uint64_t m = 0xc6a4a7935bd1e995;
  uint64_t hash = 0xadc83b19 ^ (text.size() * m);
  size_t i = 0;
  const auto take = [&](size_t bytes) {
    uint64_t word = 0;
    for (size_t k = 0; k < bytes; k++) {
      word |= uint64_t{static_cast<unsigned char>(text[i + k])} << (8 * k);
    }
    i += bytes;
    return word;
  };
  while (text.size() - i >= 8) {
    uint64_t word = take(8) * m;
    word = (word ^ (word >> 47)) * m;
    hash = (hash ^ word) * m;
  }
  if (i < text.size()) {
    hash = (hash ^ take(text.size() - i)) * m;
  }
  hash = (hash ^ (hash >> 47)) * m;
  return hash ^ (hash >> 47);
}

// --- Dense ---------------------------------------------------------------------------------------

Registers read_dense(const std::string& text) {
  Registers registers(registers_count);
  for (size_t bit = 0; bit < registers_count * 6; bit++) {
    const unsigned set = (byte_of(text, header_bytes + bit / 8) >> (bit % 8)) & 1;
    registers[bit / 6] |= static_cast<int>(set << (bit % 6));
  }
  return registers;
}

std::string write_dense(const std::string& header, const Registers& registers) {
  std::string text = header.substr(0, header_bytes);
  text[4] = 0;
  text.resize(dense_bytes, '\0');
  for (size_t bit = 0; bit < registers_count * 6; bit++) {
    if (((registers[bit / 6] >> (bit % 6)) & 1) != 0) {
      char& byte = text[header_bytes + bit / 8];
      byte = static_cast<char>(byte | (1 << (bit % 8)));
    }
  }
  return text;
}

// --- Sparse --------------------------------------------------------------------------------------

struct Run {
  size_t bytes = 1;
  size_t count = 0;
  int value = 0;
  bool wide = false;
  bool cut = false;  // a wide one at the end of the value, without its second byte
};

std::vector<Run> read_runs(const std::string& text) {
  std::vector<Run> runs;
  for (size_t i = header_bytes; i < text.size(); i += runs.back().bytes) {
    const unsigned byte = byte_of(text, i);
    if (byte >= 128) {
      runs.push_back({1, byte % 4 + 1, static_cast<int>(byte / 4 % 32) + 1});
    } else if (byte < 64) {
      runs.push_back({1, byte + 1});
    } else {
      const bool cut = i + 1 == text.size();
      const unsigned next = cut ? 0 : byte_of(text, i + 1);
      runs.push_back({2, (byte - 64) * 256 + next + 1, 0, true, cut});
    }
  }
  return runs;
}

std::string write_runs(const std::string& header, const std::vector<Run>& runs) {
  std::string text = header.substr(0, header_bytes);
  for (const Run& run : runs) {
    const size_t n = run.count - 1;
    if (run.value > 0) {
      text += static_cast<char>(128 + (run.value - 1) * 4 + static_cast<int>(n));
    } else if (run.wide) {
      text += static_cast<char>(64 + n / 256);
      if (!run.cut) {
        text += static_cast<char>(n % 256);
      }
    } else {
      text += static_cast<char>(n);
    }
  }
  return text;
}

bool runs_are_whole(const std::vector<Run>& runs) {
  size_t count = 0;
  for (const Run& run : runs) {
    count += run.count;
  }
  return count == registers_count;
}

Registers expand(const std::vector<Run>& runs) {
  Registers registers;
  for (const Run& run : runs) {
    registers.insert(registers.end(), run.count, run.value);
  }
  return registers;
}

// A run of this value: zeros of more than 64 take two bytes.
Run make_run(size_t count, int value) {
  const bool wide = value == 0 && count > 64;
  return {wide ? 2U : 1U, count, value, wide, false};
}

// Joins neighbours of one value while they fit one opcode; looks at five opcodes.
void join_runs(std::vector<Run>& runs, size_t at) {
  for (int steps = 0; steps < 5 && at < runs.size(); steps++) {
    if (runs[at].value > 0 && at + 1 < runs.size() && runs[at].value == runs[at + 1].value &&
        runs[at].count + runs[at + 1].count <= 4) {
      runs[at + 1].count += runs[at].count;
      runs.erase(runs.begin() + static_cast<ptrdiff_t>(at));
    } else {
      at++;
    }
  }
}

enum class Raised : uint8_t { no, yes, too_large, corrupt };

size_t sparse_limit(const ModelCall& call) {
  return static_cast<size_t>(call.config().hll_sparse_bytes_max);
}

Raised raise_sparse(std::string& text, size_t index, int value, size_t sparse_bytes_max) {
  if (value > 32) {
    return Raised::too_large;
  }
  std::vector<Run> runs = read_runs(text);
  size_t at = 0;
  size_t first = 0;
  while (at < runs.size() && first + runs[at].count <= index) {
    first += runs[at++].count;
  }
  if (at == runs.size() || runs[at].cut) {
    return Raised::corrupt;
  }
  const Run old = runs[at];
  if (old.value >= value) {
    return Raised::no;
  }
  std::vector<Run> parts;
  if (index > first) {
    parts.push_back(make_run(index - first, old.value));
  }
  parts.push_back(make_run(1, value));
  if (index + 1 < first + old.count) {
    parts.push_back(make_run(first + old.count - index - 1, old.value));
  }
  size_t bytes = 0;
  for (const Run& part : parts) {
    bytes += part.bytes;
  }
  if (bytes > old.bytes && text.size() + bytes - old.bytes > sparse_bytes_max) {
    return Raised::too_large;
  }
  const auto place = runs.erase(runs.begin() + static_cast<ptrdiff_t>(at));
  runs.insert(place, parts.begin(), parts.end());
  join_runs(runs, at == 0 ? 0 : at - 1);
  text = write_runs(text, runs);
  return Raised::yes;
}

// --- Both ----------------------------------------------------------------------------------------

bool is_dense(const std::string& text) {
  return text[4] == 0;
}

// Nothing: corrupt.
std::optional<Registers> registers_of(const std::string& text) {
  if (is_dense(text)) {
    return read_dense(text);
  }
  const std::vector<Run> runs = read_runs(text);
  return runs_are_whole(runs) ? std::optional<Registers>(expand(runs)) : std::nullopt;
}

Raised raise(std::string& text, size_t index, int value, size_t sparse_bytes_max) {
  if (!is_dense(text)) {
    const Raised raised = raise_sparse(text, index, value, sparse_bytes_max);
    if (raised != Raised::too_large) {
      return raised;
    }
    std::optional<Registers> registers = registers_of(text);
    if (!registers) {
      return Raised::corrupt;
    }
    text = write_dense(text, *registers);
  }
  Registers registers = read_dense(text);
  if (registers[index] >= value) {
    return Raised::no;
  }
  registers[index] = value;
  text = write_dense(text, registers);
  return Raised::yes;
}

Raised add_element(std::string& text, std::string_view element, size_t sparse_bytes_max) {
  uint64_t hash = murmur(element);
  const size_t index = hash % registers_count;
  hash /= registers_count;
  int value = 1;
  while (value <= 50 && ((hash >> (value - 1)) & 1) == 0) {
    value++;
  }
  return raise(text, index, value, sparse_bytes_max);
}

void forget_estimate(std::string& text) {
  text[15] = static_cast<char>(byte_of(text, 15) | 128);
}

int64_t estimate(const Registers& registers) {
  std::array<double, 64> counts{};
  for (int value : registers) {
    counts[static_cast<size_t>(value)] += 1;
  }
  const double m = registers_count;
  double x = (m - counts[51]) / m;
  double tau = 0;
  if (x > 0 && x < 1) {
    tau = 1 - x;
    double before = 0;
    for (double y = 0.5; before != tau; y /= 2) {
      x = std::sqrt(x);
      before = tau;
      tau -= (1 - x) * (1 - x) * y;
    }
    tau /= 3;
  }
  double z = m * tau;
  for (size_t value = 50; value > 0; value--) {
    z = 0.5 * (z + counts[value]);
  }
  x = counts[0] / m;
  if (x == 1) {
    return 0;
  }
  double sigma = x;
  double before = -1;
  for (double y = 1; before != sigma; y *= 2) {
    x *= x;
    before = sigma;
    sigma += x * y;
  }
  z += m * sigma;
  const double result = std::round(m * m / (2 * std::log(2.0)) / z);
  return result < 9.2e18 ? static_cast<int64_t>(result) : std::numeric_limits<int64_t>::min();
}

// The error of a key that holds no HyperLogLog; `entry` is not null.
std::optional<ModelReply> check_value(const ModelEntry& entry) {
  if (entry.type != ModelType::string) {
    return reply_error(wrong_type_text);
  }
  const std::string& text = entry.text;
  const bool good = text.size() >= header_bytes && text.rfind("HYLL", 0) == 0 &&
                    byte_of(text, 4) <= 1 && (!is_dense(text) || text.size() == dense_bytes);
  if (good) {
    return std::nullopt;
  }
  return reply_error("WRONGTYPE Key is not a valid HyperLogLog string value.");
}

std::string empty_text() {
  std::string text = "HYLL";
  text += '\1';
  text.resize(header_bytes, '\0');
  return text + "\x7f\xff";
}

ModelReply pfadd_command(ModelCall& call) {
  ModelEntry* entry = call.find(call.argument(1));
  if (entry != nullptr) {
    if (std::optional<ModelReply> error = check_value(*entry)) {
      return *error;
    }
  }
  bool changed = entry == nullptr;
  if (entry == nullptr) {
    entry = &call.set(call.argument(1), empty_text());
    entry->rewritten = true;
  }
  std::string text = entry->text;
  for (size_t i = 2; i < call.count(); i++) {
    const Raised raised = add_element(text, call.argument(i), sparse_limit(call));
    changed = changed || raised == Raised::yes;
    if (raised == Raised::corrupt) {
      return reply_error(corrupt_text);
    }
  }
  if (changed) {
    entry->text = text;
    entry->rewritten = true;
    forget_estimate(entry->text);
  }
  return reply_integer(changed ? 1 : 0);
}

// The largest of all keys' registers, or the error.
std::optional<Registers> united(ModelCall& call, ModelReply& error) {
  Registers all(registers_count);
  for (size_t i = 1; i < call.count(); i++) {
    const ModelEntry* entry = call.find(call.argument(i));
    if (entry == nullptr) {
      continue;
    }
    if (std::optional<ModelReply> wrong = check_value(*entry)) {
      error = *wrong;
      return std::nullopt;
    }
    std::optional<Registers> registers = registers_of(entry->text);
    if (!registers) {
      error = reply_error(corrupt_text);
      return std::nullopt;
    }
    for (size_t k = 0; k < registers_count; k++) {
      all[k] = std::max(all[k], (*registers)[k]);
    }
  }
  return all;
}

ModelReply pfcount_command(ModelCall& call) {
  if (call.count() > 2) {
    ModelReply error;
    std::optional<Registers> all = united(call, error);
    return all ? reply_integer(estimate(*all)) : error;
  }
  ModelEntry* entry = call.find(call.argument(1));
  if (entry == nullptr) {
    return reply_integer(0);
  }
  if (std::optional<ModelReply> error = check_value(*entry)) {
    return *error;
  }
  uint64_t number = 0;
  for (size_t i = 0; i < 8; i++) {
    number |= uint64_t{byte_of(entry->text, 8 + i)} << (8 * i);
  }
  if ((byte_of(entry->text, 15) & 128) != 0) {
    std::optional<Registers> registers = registers_of(entry->text);
    if (!registers) {
      return reply_error(corrupt_text);
    }
    number = static_cast<uint64_t>(estimate(*registers));
    for (size_t i = 0; i < 8; i++) {
      entry->text[8 + i] = static_cast<char>(number >> (8 * i) & 255);
    }
    entry->rewritten = true;
  }
  return reply_integer(static_cast<int64_t>(number));
}

ModelReply pfmerge_command(ModelCall& call) {
  ModelReply error;
  std::optional<Registers> all = united(call, error);
  if (!all) {
    return error;
  }
  bool dense = false;
  for (size_t i = 1; i < call.count(); i++) {
    const ModelEntry* entry = call.find(call.argument(i));
    dense = dense || (entry != nullptr && is_dense(entry->text));
  }
  if (call.find(call.argument(1)) == nullptr) {
    call.set(call.argument(1), empty_text());
  }
  ModelEntry& target = *call.find(call.argument(1));
  for (size_t i = 0; i < registers_count && !dense && !is_dense(target.text); i++) {
    if ((*all)[i] > 0) {
      raise(target.text, i, (*all)[i], sparse_limit(call));
    }
  }
  if (dense || is_dense(target.text)) {
    target.text = write_dense(target.text, *all);
  }
  forget_estimate(target.text);
  target.rewritten = true;
  return reply_ok();
}

std::string describe(const std::string& text) {
  std::string out;
  for (const Run& run : read_runs(text)) {
    out += out.empty() ? "" : " ";
    if (run.value > 0) {
      out += "v:" + std::to_string(run.value) + "," + std::to_string(run.count);
    } else {
      out += (run.wide ? "Z:" : "z:") + std::to_string(run.count);
    }
  }
  return out;
}

ModelReply pfdebug_command(ModelCall& call) {
  ModelEntry* entry = call.find(call.argument(2));
  if (entry == nullptr) {
    return reply_error("ERR The specified key does not exist");
  }
  if (std::optional<ModelReply> error = check_value(*entry)) {
    return *error;
  }
  const bool dense = is_dense(entry->text);
  if (same_word(call.argument(1), "ENCODING")) {
    return reply_status(dense ? "dense" : "sparse");
  }
  if (same_word(call.argument(1), "DECODE")) {
    return dense ? reply_error("ERR HLL encoding is not sparse")
                 : reply_bulk(describe(entry->text));
  }
  const bool get = same_word(call.argument(1), "GETREG");
  if (get || same_word(call.argument(1), "TODENSE")) {
    std::optional<Registers> registers = registers_of(entry->text);
    if (!registers) {
      return reply_error(corrupt_text);
    }
    if (!dense) {
      entry->text = write_dense(entry->text, *registers);
    }
    entry->rewritten = true;
    if (get) {
      std::string out = resp_header('*', registers->size());
      for (int value : *registers) {
        out += resp_integer(value);
      }
      return reply_exact(out);
    }
    return reply_integer(dense ? 0 : 1);
  }
  return reply_error("ERR Unknown PFDEBUG subcommand '" + std::string(call.argument(1)) + "'");
}

constexpr ModelCommand hyperloglog_table[] = {
    {"pfadd", -2, pfadd_command, true},
    {"pfcount", -2, pfcount_command, false},
    {"pfdebug", 3, pfdebug_command, true},
    {"pfmerge", -2, pfmerge_command, true},
};

}  // namespace

std::span<const ModelCommand> hyperloglog_commands() {
  return hyperloglog_table;
}

}  // namespace redoubt::sim

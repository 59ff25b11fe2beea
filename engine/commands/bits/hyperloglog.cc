// HyperLogLog: PFADD, PFCOUNT, PFMERGE. The values are strings (engine/store/hyperloglog.h).
#include "engine/store/hyperloglog.h"

#include <algorithm>

#include "engine/commands/arguments.h"
#include "engine/commands/families.h"
#include "engine/commands/strings/string_options.h"
#include "engine/store/string_type.h"
#include "net/text.h"

namespace redoubt {

namespace {

using hyperloglog::Observation;
using hyperloglog::Registers;
using hyperloglog::SparseEditor;

constexpr std::string_view kCorrupt = "INVALIDOBJ Corrupted HLL object detected";

// The bytes of a key's HyperLogLog; an error is replied when it holds something else.
std::optional<std::string_view> value_of(Context& c, const Entry* entry) {
  if (c.wrong_type(entry, Type::string)) return std::nullopt;
  StringScratch scratch;
  const std::string_view value =
      entry->layout() == Layout::integer ? std::string_view() : string_value(*entry, scratch);
  if (hyperloglog::has_header(value)) return value;
  c.error("WRONGTYPE Key is not a valid HyperLogLog string value.");
  return std::nullopt;
}

// Sets a key to these bytes, which are not those of its value.
std::span<char> store(Context& c, std::string_view key, std::string_view bytes) {
  const uint64_t hash = c.hash(key);
  const Entry* entry = c.db().find(key, hash);
  if (entry != nullptr && string_length(*entry) > bytes.size()) {
    c.db().set_text(key, hash, bytes, NewExpiry::keep());
  }
  const std::span<char> value = c.db().string_for_update(key, hash, bytes.size());
  std::memcpy(value.data(), bytes.data(), bytes.size());
  return value;
}

// Makes a sparse value dense; empty, and nothing is changed, when it is corrupt.
std::span<char> store_dense(Context& c, std::string_view key, std::string_view sparse) {
  std::array<char, hyperloglog::kDenseBytes> dense;
  if (!hyperloglog::make_dense(sparse, dense)) return {};
  return store(c, key, {dense.data(), dense.size()});
}

// --- PFADD

struct Addition {
  int64_t changes = 0;
  bool corrupt = false;
};

Addition add_dense(Context& c, std::span<char> value, size_t first) {
  Addition result;
  for (size_t i = first; i < c.args.size(); ++i) {
    if (hyperloglog::set_dense(value, hyperloglog::observe(c.args[i]))) ++result.changes;
  }
  if (result.changes > 0) hyperloglog::invalidate_estimate(value);
  return result;
}

// The value stays sparse as long as it can. When it turns out to be corrupt, nothing is changed.
Addition add_sparse(Context& c, std::string_view key, std::string_view value) {
  constexpr Addition kDamaged = {.changes = 0, .corrupt = true};
  const size_t bytes_max = c.settings().hll_sparse_max_bytes;
  Addition result;
  SparseEditor editor;
  if (!editor.load(value)) return kDamaged;
  for (size_t i = 2; i < c.args.size(); ++i) {
    const SparseEditor::Result set = editor.set(hyperloglog::observe(c.args[i]), bytes_max);
    if (set == SparseEditor::Result::corrupt) return kDamaged;
    if (set == SparseEditor::Result::too_large) {
      const std::span<char> dense = store_dense(c, key, editor.value());
      if (dense.empty()) return kDamaged;
      result.changes += add_dense(c, dense, i).changes;
      return result;
    }
    if (set == SparseEditor::Result::changed) ++result.changes;
  }
  if (result.changes > 0) store(c, key, editor.value());
  return result;
}

void pfadd_command(Context& c) {
  const std::string_view key = c.args[1];
  const Entry* entry = c.touch(key);
  Addition result;
  c.env().count_work(c.args.size() - 2);
  if (entry == nullptr) {
    result = add_sparse(c, key, hyperloglog::empty_value());
    if (result.changes == 0) {
      hyperloglog::invalidate_estimate(store(c, key, hyperloglog::empty_value()));
    }
    ++result.changes;
  } else {
    const std::optional<std::string_view> value = value_of(c, entry);
    if (!value) return;
    result = hyperloglog::is_dense(*value)
                 ? add_dense(c, c.db().string_for_update(key, c.hash(key), value->size()), 2)
                 : add_sparse(c, key, *value);
  }
  if (result.corrupt) {
    c.error(kCorrupt);
    return;
  }
  if (result.changes > 0) c.modified(key, '$', "pfadd");
  c.reply.integer(result.changes > 0 ? 1 : 0);
}

// --- PFCOUNT

// The union of these keys' registers. False, after an error.
bool read_union(Context& c, Registers& registers) {
  registers.fill(0);
  for (size_t i = 1; i < c.args.size(); ++i) {
    const Entry* entry = c.read(c.args[i]);
    if (entry == nullptr) continue;
    const std::optional<std::string_view> value = value_of(c, entry);
    if (!value) return false;
    if (!hyperloglog::merge(registers, *value)) {
      c.error(kCorrupt);
      return false;
    }
  }
  c.env().count_work(c.args.size() * 16);
  return true;
}

void pfcount_command(Context& c) {
  if (c.args.size() > 2) {
    Registers registers;
    if (!read_union(c, registers)) return;
    c.reply.integer(static_cast<int64_t>(hyperloglog::estimate(registers)));
    return;
  }
  const std::string_view key = c.args[1];
  const Entry* entry = c.read(key);
  if (entry == nullptr) {
    c.reply.integer(0);
    return;
  }
  const std::optional<std::string_view> value = value_of(c, entry);
  if (!value) return;
  std::optional<uint64_t> estimate = hyperloglog::cached_estimate(*value);
  if (!estimate) {
    estimate = hyperloglog::estimate(*value);
    if (!estimate) {
      c.error(kCorrupt);
      return;
    }
    // The cache is a part of the value, and a replica has its primary's.
    if (c.keys().removal().replica() && !c.keys().applying()) {
      c.reply.integer(static_cast<int64_t>(*estimate));
      return;
    }
    hyperloglog::set_cached_estimate(c.db().string_for_update(key, c.hash(key), 0), *estimate);
    // The bytes of the key change, so that watchers and replicas see it; there is no event.
    c.modified(key, '\0', {});
  }
  c.reply.integer(static_cast<int64_t>(*estimate));
}

// --- PFMERGE

// Raises the registers of a sparse value one by one, for as long as it may be sparse. False: it
// has become dense, or is corrupt.
bool merge_into_sparse(Context& c, std::string_view key, const Registers& registers) {
  SparseEditor editor;
  const Entry* entry = c.db().find(key, c.hash(key));
  StringScratch scratch;
  if (!editor.load(string_value(*entry, scratch))) return false;
  for (uint32_t i = 0; i < registers.size(); ++i) {
    if (registers[i] == 0) continue;
    const SparseEditor::Result set =
        editor.set({.index = i, .value = registers[i]}, c.settings().hll_sparse_max_bytes);
    if (set == SparseEditor::Result::too_large || set == SparseEditor::Result::corrupt) {
      return false;
    }
  }
  store(c, key, editor.value());
  return true;
}

void pfmerge_command(Context& c) {
  const std::string_view key = c.args[1];
  Registers registers;
  if (!read_union(c, registers)) return;
  bool dense = false;
  for (size_t i = 1; i < c.args.size() && !dense; ++i) {
    const Entry* entry = c.peek(c.args[i]);
    StringScratch scratch;
    dense = entry != nullptr && hyperloglog::is_dense(string_value(*entry, scratch));
  }
  if (c.touch(key) == nullptr) store(c, key, hyperloglog::empty_value());
  if (dense || !merge_into_sparse(c, key, registers)) {
    // The registers are the union with the target's own, and so are all of the result.
    std::array<char, hyperloglog::kDenseBytes> result;
    const std::span<char> old = c.db().string_for_update(key, c.hash(key), 0);
    std::memcpy(result.data(), old.data(), hyperloglog::kHeaderBytes);
    result[4] = 0;
    hyperloglog::write_dense(result, registers);
    store(c, key, {result.data(), result.size()});
  }
  hyperloglog::invalidate_estimate(c.db().string_for_update(key, c.hash(key), 0));
  c.modified(key, '$', "pfadd");
  c.reply.ok();
}

// --- for looking inside

// The value in dense form, converted when it is sparse. Empty, after an error.
std::span<char> dense_for_debug(Context& c, std::string_view key, std::string_view value) {
  if (hyperloglog::is_dense(value)) return c.db().string_for_update(key, c.hash(key), 0);
  const std::span<char> dense = store_dense(c, key, value);
  if (dense.empty()) {
    c.error(kCorrupt);
  } else {
    c.modified(key, '\0', {});
  }
  return dense;
}

void debug_registers(Context& c, std::string_view key, std::string_view value) {
  const std::span<char> dense = dense_for_debug(c, key, value);
  if (dense.empty()) return;
  Registers registers;
  hyperloglog::read_registers(registers, {dense.data(), dense.size()});
  c.reply.array(registers.size());
  for (const uint8_t each : registers) c.reply.integer(each);
}

void pfdebug_command(Context& c) {
  const std::string_view key = c.args[2];
  const Entry* entry = c.touch(key);
  if (entry == nullptr) {
    c.error("ERR The specified key does not exist");
    return;
  }
  const std::optional<std::string_view> value = value_of(c, entry);
  if (!value) return;
  const bool is_dense = hyperloglog::is_dense(*value);
  if (c.is(1, "GETREG")) {
    debug_registers(c, key, *value);
  } else if (c.is(1, "DECODE")) {
    is_dense ? c.error("ERR HLL encoding is not sparse")
             : c.reply.bulk(hyperloglog::describe(*value));
  } else if (c.is(1, "ENCODING")) {
    c.reply.simple(is_dense ? "dense" : "sparse");
  } else if (c.is(1, "TODENSE")) {
    if (!dense_for_debug(c, key, *value).empty()) c.reply.integer(is_dense ? 0 : 1);
  } else {
    c.error("ERR Unknown PFDEBUG subcommand '" + std::string(c.args[1].substr(0, kShownArgument)) +
            "'");
  }
}

// Registers written one by one, read in groups, and written in groups again.
bool registers_work(Context& c) {
  std::array<char, hyperloglog::kDenseBytes> value;
  if (!hyperloglog::make_dense(hyperloglog::empty_value(), value)) return false;
  Registers expected;
  for (uint32_t i = 0; i < expected.size(); ++i) {
    expected[i] = static_cast<uint8_t>(c.random().below(64));
    hyperloglog::set_dense(value, {.index = i, .value = expected[i]});
  }
  Registers read;
  hyperloglog::read_registers(read, {value.data(), value.size()});
  std::array<char, hyperloglog::kDenseBytes> again = value;
  hyperloglog::write_dense(again, read);
  return read == expected && again == value;
}

// Whether the estimate is within four standard errors, as sparse and as dense value.
bool estimates_work() {
  std::array<char, hyperloglog::kDenseBytes> value;
  if (!hyperloglog::make_dense(hyperloglog::empty_value(), value)) return false;
  constexpr int64_t kElements = 100'000;
  for (int64_t i = 1; i <= kElements; ++i) {
    hyperloglog::set_dense(value, hyperloglog::observe(IntegerText(i).view()));
    if (i != 100 && i != 1000 && i != 10'000 && i != kElements) continue;
    const auto estimate =
        static_cast<double>(*hyperloglog::estimate(std::string_view(value.data(), value.size())));
    const double wrong = estimate - static_cast<double>(i);
    if (wrong * wrong > 0.0325 * 0.0325 * static_cast<double>(i * i)) return false;
  }
  return true;
}

void pfselftest_command(Context& c) {
  c.env().count_work(100'000);
  if (!registers_work(c) || !estimates_work()) {
    c.error("ERR TESTFAILED registers or estimates are wrong");
    return;
  }
  c.reply.ok();
}

constexpr Command hyperloglog_rows[] = {
    {.name = "pfadd",
     .arity = -2,
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatHyperLogLog,
     .keys = {keys_at(kKeyRW | kKeyInsert, 1)},
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "O(1) to add every element.",
     .summary = "Adds the specified elements to the specified HyperLogLog.",
     .arguments = "key:key [element:string...]",
     .handler = pfadd_command},
    {.name = "pfcount",
     .arity = -2,
     .flags = kReadOnly | kMayReplicate,
     .categories = kCatHyperLogLog,
     .keys = {noted(keys_at(kKeyRW | kKeyAccess, 1, -1),
                    "RW because it may change the internal representation of the key, and "
                    "propagate to replicas")},
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "O(1) with a very small average constant time when called with a single key. "
                   "O(N) with N being the number of keys, and much bigger constant times, when "
                   "called with multiple keys.",
     .summary = "Return the approximated cardinality of the set(s) observed by the HyperLogLog at "
                "key(s).",
     .arguments = "key:key...",
     .handler = pfcount_command},
    {.name = "pfdebug",
     .arity = 3,
     .flags = kWrite | kDenyOom | kAdmin | kSystemCommand,
     .categories = kCatHyperLogLog,
     .keys = {keys_at(kKeyRW | kKeyAccess, 2)},
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "N/A",
     .summary = "Internal commands for debugging HyperLogLog values",
     .arguments = "subcommand:string key:key",
     .handler = pfdebug_command},
    {.name = "pfmerge",
     .arity = -2,
     .flags = kWrite | kDenyOom,
     .categories = kCatHyperLogLog,
     .keys = {keys_at(kKeyRW | kKeyAccess | kKeyInsert, 1), keys_at(kKeyRO | kKeyAccess, 2, -1)},
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "O(N) to merge N HyperLogLogs, but with high constant times.",
     .summary = "Merge N different HyperLogLogs into a single one.",
     .arguments = "destkey:key sourcekey:key#1...",
     .handler = pfmerge_command},
    {.name = "pfselftest",
     .arity = 1,
     .flags = kAdmin | kSystemCommand,
     .categories = kCatHyperLogLog,
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "N/A",
     .summary = "An internal command for testing HyperLogLog values",
     .handler = pfselftest_command},
};

}  // namespace

std::span<const Command> hyperloglog_commands() {
  return hyperloglog_rows;
}

}  // namespace redoubt

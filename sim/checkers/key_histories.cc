#include "sim/checkers/key_histories.h"

#include <algorithm>
#include <numeric>

#include "engine/commands/families.h"

namespace redoubt::sim {
namespace {

constexpr int kAllDatabases = 0xffff;

using Kind = StringOperation::Kind;

std::string key_name(int database, std::string_view key) {
  std::string name = std::to_string(database);
  name += ' ';
  name += key;
  return name;
}

// A place as a number in the order of places. Where only the offset is known: one change stands
// there, and behind it what changed nothing.
uint64_t witness_of(StreamPlace place, bool changes) {
  constexpr uint32_t kOrderBits = 24;
  constexpr uint32_t kLast = (1u << kOrderBits) - 1;
  if (!place.known()) return 0;
  const uint32_t order = place.order > 0 ? std::min(place.order, kLast) : changes ? 1 : kLast;
  return place.offset << kOrderBits | order;
}

bool is_checked(const StringOperation& operation) {
  return operation.kind != Kind::removed && operation.kind != Kind::anything;
}

}  // namespace

bool KeyOperations::step(std::string_view state, uint32_t index, std::string& next) const {
  const StringAnswer* const answer = intervals[index].unknown() ? nullptr : &answers[index];
  return operations[index].step(state, answer, next);
}

std::string KeyOperations::identity(uint32_t index) const {
  const StringOperation& one = operations[index];
  const int options = (one.only_if_absent ? 1 : 0) + (one.only_if_present ? 2 : 0) +
                      (one.answers_old ? 4 : 0) + (one.keeps_deadline ? 8 : 0);
  std::string text = std::to_string(static_cast<int>(one.kind)) + ' ' + std::to_string(options) +
                     ' ' + std::to_string(one.number) + ' ' + std::to_string(one.value.size()) +
                     ' ' + std::string(one.value);
  if (intervals[index].unknown()) return text;
  const StringAnswer& answer = answers[index];
  text += std::to_string(static_cast<int>(answer.kind)) + ' ' + std::to_string(answer.number);
  return text + ' ' + std::string(answer.text);
}

KeyHistories::KeyHistories(const History& history, const std::vector<Instant>& losses)
    : history_(history), losses_(losses), table_(all_families()) {
  for (OperationId id = 0; id < history.size(); ++id) {
    databases_ = std::max(databases_, history[id].database + 1);
  }
}

void KeyHistories::leave_out(int database, std::string_view key) {
  left_out_.insert(key_name(database, key));
}

void KeyHistories::removed(int database, std::string_view key, Instant at, StreamPlace place) {
  Moment moment;
  moment.call = moment.end = at;
  moment.place = place;
  hit(moment, database, key, Kind::removed);
}

void KeyHistories::take_all() {
  for (OperationId id = 0; id < history_.size(); ++id) take(id);
  expand_sweeps();
}

KeyHistories::Moment KeyHistories::moment_of(OperationId id) const {
  const OperationRecord& record = history_[id];
  return {id, record.call, record.end(), record.place()};
}

void KeyHistories::take(OperationId id) {
  const OperationRecord& record = history_[id];
  if (record.outcome == OperationOutcome::refused) return;
  history_.words(id, words_);
  const std::string_view reply = history_.reply(id);
  const std::optional<StringOperation> operation = read_string_operation(words_);
  if (take_queued(id, reply, operation.has_value())) return;
  if (operation) return take_string(id, *operation, reply);
  if (!reply.starts_with('-')) take_other(moment_of(id), record.database, false);
}

// Follows the transactions of the client. True when the command is part of one.
bool KeyHistories::take_queued(OperationId id, std::string_view reply, bool checked) {
  const OperationRecord& record = history_[id];
  const bool replied = record.outcome == OperationOutcome::replied;
  if (replied && reply == "+QUEUED\r\n") {
    queued_[record.client].push_back(id);
    return true;
  }
  const bool queueing = queued_.contains(record.client);
  if (checked && (replied || !queueing)) {
    // After MULTI it would have been queued, or refused.
    if (!reply.starts_with('-')) queued_.erase(record.client);
    return false;
  }
  const CommandEntry* const entry = table_.find(words_[0]);
  if (entry == nullptr) return false;
  const uint32_t flags = entry->row->flags;
  if (entry->name == "multi" && !reply.starts_with('-')) queued_[record.client].clear();
  if ((flags & kRunsQueued) != 0) execute_queued(id);
  if ((flags & (kRunsQueued | kEndsMulti)) != 0) queued_.erase(record.client);
  if (replied || !queueing) return false;
  // It was queued, or not; and who knows what became of that.
  take_other(moment_of(id), record.database, true);
  return true;
}

// Between EXEC and its reply, if it executed anything.
void KeyHistories::execute_queued(OperationId exec) {
  const auto transaction = queued_.find(history_[exec].client);
  const std::string_view reply = history_.reply(exec);
  const bool nothing = reply.starts_with('-') || reply.starts_with("*-1") || reply.starts_with('_');
  if (nothing || transaction == queued_.end()) return;
  for (const OperationId id : transaction->second) {
    history_.words(id, words_);
    take_other(moment_of(exec), history_[id].database, true);
  }
}

uint64_t KeyHistories::life_at(Instant call) const {
  return static_cast<uint64_t>(std::ranges::upper_bound(losses_, call) - losses_.begin());
}

uint64_t KeyHistories::key_number(int database, std::string_view key, Instant call) {
  return life_at(call) << 32 | names_.number_of(key_name(database, key));
}

void KeyHistories::take_string(OperationId id, const StringOperation& operation,
                               std::string_view reply) {
  const OperationRecord& record = history_[id];
  const bool known = record.outcome == OperationOutcome::replied;
  const StringAnswer answer = known ? read_string_answer(reply) : StringAnswer();
  if (known && answer.kind == StringAnswer::Kind::refusal) return;
  linearizability::Operation interval;
  interval.key = key_number(record.database, operation.key, record.call);
  interval.call = record.call.ns;
  interval.returned = record.end().ns;
  interval.pure = operation.changes_nothing(answer);
  interval.witness = witness_of(record.place(), !interval.pure);
  add(interval, operation, answer, id);
}

// A command that is not checked, in words_: what it may have done.
void KeyHistories::take_other(const Moment& moment, int database, bool queued) {
  CommandEntry* container = nullptr;
  const CommandEntry* const entry = table_.resolve(words_, &container);
  if (entry == nullptr) return;
  const Command& row = *entry->row;
  if ((row.flags & kWrite) == 0 && entry->name != "debug") return;
  std::vector<int> indexes;
  if (!row.accepts(words_.size())) return;
  if (!find_keys(row, words_, indexes)) {
    // It may run all the same, as PFMERGE does with one key: then any word may be one.
    indexes.resize(words_.size() - 1);
    std::iota(indexes.begin(), indexes.end(), 1);
  }
  if (indexes.empty()) return take_sweep(moment, *entry, database, queued);
  // In a transaction the database may have been selected by a command that was queued too.
  const bool anywhere = queued || (row.flags & kOtherDatabases) != 0;
  const int first = anywhere ? 0 : database;
  const int last = anywhere ? databases_ - 1 : database;
  for (const int index : indexes) {
    for (int at = first; at <= last; ++at) {
      hit(moment, at, words_[static_cast<size_t>(index)], Kind::anything);
    }
  }
}

void KeyHistories::take_sweep(const Moment& moment, const CommandEntry& entry, int database,
                              bool queued) {
  const bool one = entry.name == "flushdb";
  const bool removes = !queued && (one || entry.name == "flushall");
  sweeps_.push_back({moment, removes && one ? database : kAllDatabases,
                     removes ? Kind::removed : Kind::anything});
}

void KeyHistories::hit(const Moment& moment, int database, std::string_view key, Kind kind) {
  linearizability::Operation interval;
  interval.key = key_number(database, key, moment.call);
  interval.call = moment.call.ns;
  interval.returned = moment.end.ns;
  // What may have changed nothing stands among those that did not.
  const bool changes = kind == Kind::removed;
  interval.witness = witness_of(moment.place, changes);
  StringOperation operation;
  operation.kind = kind;
  add(interval, operation, {}, moment.id);
}

// Each sweep hits the keys that are checked in that life of the node.
void KeyHistories::expand_sweeps() {
  std::set<uint64_t> keys;
  for (size_t i = 0; i < taken_.operations.size(); ++i) {
    if (is_checked(taken_.operations[i])) keys.insert(taken_.intervals[i].key);
  }
  for (const Sweep& sweep : sweeps_) {
    const uint64_t life = life_at(sweep.moment.call);
    for (auto key = keys.lower_bound(life << 32); key != keys.end() && *key >> 32 == life; ++key) {
      const std::string known_as = name(*key);
      const size_t blank = known_as.find(' ');
      const int database = std::stoi(known_as.substr(0, blank));
      if (sweep.database != kAllDatabases && sweep.database != database) continue;
      hit(sweep.moment, database, std::string_view(known_as).substr(blank + 1), sweep.kind);
    }
  }
}

void KeyHistories::add(const linearizability::Operation& interval, const StringOperation& operation,
                       const StringAnswer& answer, OperationId id) {
  taken_.intervals.push_back(interval);
  taken_.operations.push_back(operation);
  taken_.answers.push_back(answer);
  taken_.ids.push_back(id);
}

KeyHistories::Kept KeyHistories::finish() {
  std::vector<bool> in_use(names_.count());
  for (size_t i = 0; i < taken_.operations.size(); ++i) {
    if (is_checked(taken_.operations[i])) in_use[taken_.intervals[i].key & UINT32_MAX] = true;
  }
  Kept kept;
  std::vector<bool> left_out(names_.count());
  for (uint32_t number = 0; number < names_.count(); ++number) {
    left_out[number] = in_use[number] && left_out_.contains(names_.text(number));
    kept.left_out_keys += left_out[number] ? 1 : 0;
  }
  size_t end = 0;
  for (size_t i = 0; i < taken_.intervals.size(); ++i) {
    const auto number = static_cast<uint32_t>(taken_.intervals[i].key & UINT32_MAX);
    const bool checked = is_checked(taken_.operations[i]);
    if (left_out[number] && checked) ++kept.left_out_operations;
    if (!in_use[number] || left_out[number]) continue;
    ++(checked ? kept.operations : kept.others);
    taken_.intervals[end] = taken_.intervals[i];
    taken_.operations[end] = taken_.operations[i];
    taken_.answers[end] = taken_.answers[i];
    taken_.ids[end++] = taken_.ids[i];
  }
  taken_.intervals.resize(end);
  taken_.operations.resize(end);
  taken_.answers.resize(end);
  taken_.ids.resize(end);
  return kept;
}

}  // namespace redoubt::sim

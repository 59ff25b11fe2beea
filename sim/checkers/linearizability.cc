#include "sim/checkers/linearizability.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/commands/families.h"
#include "engine/node/command_table.h"
#include "sim/checkers/string_operation.h"
#include "sim/core.h"
#include "sim/linearizability/string_table.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {
namespace {

// Stands for every database.
constexpr int kAllDatabases = 0xffff;

std::string key_name(int database, std::string_view key) {
  std::string name = std::to_string(database);
  name += ' ';
  name += key;
  return name;
}

// The operations that are checked, in the shape that the library wants.
struct Taken final : public linearizability::Specification {
  std::vector<linearizability::Operation> intervals;
  std::vector<StringOperation> operations;
  std::vector<StringAnswer> answers;
  std::vector<OperationId> ids;

  bool step(std::string_view state, uint32_t index, std::string& next) const override {
    const StringAnswer answer = operations[index].apply(state, next);
    return intervals[index].unknown() || answer == answers[index];
  }

  std::string identity(uint32_t index) const override {
    const StringOperation& one = operations[index];
    const int options =
        (one.only_if_absent ? 1 : 0) + (one.only_if_present ? 2 : 0) + (one.answers_old ? 4 : 0);
    std::string text = std::to_string(static_cast<int>(one.kind)) + ' ' + std::to_string(options) +
                       ' ' + std::to_string(one.number) + ' ' + std::to_string(one.value.size()) +
                       ' ' + std::string(one.value);
    if (intervals[index].unknown()) return text;
    const StringAnswer& answer = answers[index];
    text += std::to_string(static_cast<int>(answer.kind)) + ' ' + std::to_string(answer.number);
    return text + ' ' + std::string(answer.text);
  }
};

// Goes through a history and sorts it: what is checked, and which keys are not.
class Collector {
 public:
  Collector(const History& history, const LinearizabilityOptions& options)
      : history_(history), options_(options), table_(all_families()) {}

  void take_all();
  void leave_out(int database, std::string_view key) { left_out_.insert(key_name(database, key)); }
  void finish(LinearizabilityReport& report);

  const Taken& taken() const { return taken_; }
  // "0 key", by number.
  const std::string& name(uint64_t key) const {
    return names_.text(static_cast<uint32_t>(key & UINT32_MAX));
  }

 private:
  void take(OperationId id);
  bool is_queued(const OperationRecord& record, std::string_view reply, bool checked);
  void take_string(OperationId id, const StringOperation& operation, std::string_view reply);
  void take_other(const OperationRecord& record, bool queued);
  bool is_left_out(uint64_t key) const;
  uint64_t life_at(Instant call) const;

  const History& history_;
  const LinearizabilityOptions& options_;
  CommandTable table_;
  Taken taken_;
  linearizability::StringTable names_;
  std::set<std::string, std::less<>> left_out_;  // key_name()
  bool nothing_is_known_ = false;
  std::set<uint32_t> queueing_;  // clients between MULTI and EXEC
  std::vector<std::string_view> words_;
};

void Collector::take_all() {
  for (OperationId id = 0; id < history_.size(); ++id) take(id);
}

void Collector::take(OperationId id) {
  const OperationRecord& record = history_[id];
  if (record.outcome == Outcome::refused) return;
  history_.words(id, words_);
  const std::string_view reply = history_.reply(id);
  const std::optional<StringOperation> operation = read_string_operation(words_);
  const bool queued = is_queued(record, reply, operation.has_value());
  if (operation && !queued) return take_string(id, *operation, reply);
  if (!reply.starts_with('-')) take_other(record, queued);
}

// Whether the command only waits for EXEC. Where the reply is not known, the client's MULTI says
// so.
bool Collector::is_queued(const OperationRecord& record, std::string_view reply, bool checked) {
  if (record.outcome == Outcome::replied) {
    if (reply == "+QUEUED\r\n") return true;
    // After MULTI it would have been queued, or refused.
    if (checked && !reply.starts_with('-')) queueing_.erase(record.client);
    if (checked) return false;
  }
  const CommandEntry* const entry = table_.find(words_[0]);
  if (entry == nullptr) return false;
  if (entry->name == "multi") queueing_.insert(record.client);
  if ((entry->row->flags & (kEndsMulti | kRunsQueued)) != 0) queueing_.erase(record.client);
  return record.outcome != Outcome::replied && queueing_.contains(record.client);
}

void Collector::take_string(OperationId id, const StringOperation& operation,
                            std::string_view reply) {
  const OperationRecord& record = history_[id];
  const bool known = record.outcome == Outcome::replied;
  const StringAnswer answer = known ? read_string_answer(reply) : StringAnswer();
  if (known && answer.kind == StringAnswer::Kind::refusal) return;
  linearizability::Operation interval;
  interval.key =
      life_at(record.call) << 32 | names_.number_of(key_name(record.database, operation.key));
  interval.call = record.call.ns;
  interval.returned = known ? record.returned.ns : linearizability::kNever;
  interval.pure = operation.changes_nothing(answer);
  // At one place in the stream stands one change, and behind it those that change nothing.
  if (record.offset != 0) interval.witness = record.offset * 2 + (interval.pure ? 1 : 0);
  taken_.intervals.push_back(interval);
  taken_.operations.push_back(operation);
  taken_.answers.push_back(answer);
  taken_.ids.push_back(id);
}

// A command that is not checked: its keys are not either, if it may write.
void Collector::take_other(const OperationRecord& record, bool queued) {
  CommandEntry* container = nullptr;
  const CommandEntry* const entry = table_.resolve(words_, &container);
  if (entry == nullptr) return;
  const Command& row = *entry->row;
  if (entry->name == "debug") nothing_is_known_ = true;
  if ((row.flags & kWrite) == 0) return;
  std::vector<int> indexes;
  if (!row.accepts(words_.size()) || !find_keys(row, words_, indexes)) return;
  if (indexes.empty()) nothing_is_known_ = true;
  const bool anywhere = (row.flags & kOtherDatabases) != 0;
  // In a transaction the database may have been selected by a command that was queued too.
  const int database = anywhere || queued ? kAllDatabases : record.database;
  for (const int index : indexes) leave_out(database, words_[static_cast<size_t>(index)]);
}

uint64_t Collector::life_at(Instant call) const {
  const auto later = std::ranges::upper_bound(options_.losses, call);
  return static_cast<uint64_t>(later - options_.losses.begin());
}

bool Collector::is_left_out(uint64_t key) const {
  if (nothing_is_known_) return true;
  const std::string& known_as = name(key);
  const std::string_view only_key = std::string_view(known_as).substr(known_as.find(' ') + 1);
  return left_out_.contains(known_as) || left_out_.contains(key_name(kAllDatabases, only_key));
}

// Removes what is not checked.
void Collector::finish(LinearizabilityReport& report) {
  std::map<uint64_t, bool> verdicts;  // by key
  size_t kept = 0;
  for (size_t i = 0; i < taken_.intervals.size(); ++i) {
    const uint64_t key = taken_.intervals[i].key;
    const auto known = verdicts.find(key);
    const bool out = known != verdicts.end() ? known->second : is_left_out(key);
    if (known == verdicts.end()) {
      verdicts.emplace(key, out);
      report.left_out_keys += out ? 1 : 0;
    }
    if (out) {
      ++report.left_out_operations;
      continue;
    }
    taken_.intervals[kept] = taken_.intervals[i];
    taken_.operations[kept] = taken_.operations[i];
    taken_.answers[kept] = taken_.answers[i];
    taken_.ids[kept++] = taken_.ids[i];
  }
  taken_.intervals.resize(kept);
  taken_.operations.resize(kept);
  taken_.answers.resize(kept);
  taken_.ids.resize(kept);
  report.operations = kept;
}

// "client 3: GET k -> "7" (1.000000000 to 1.000100000)".
std::string operation_text(const History& history, OperationId id) {
  const OperationRecord& record = history[id];
  std::vector<std::string_view> words;
  history.words(id, words);
  std::string text = "client " + std::to_string(record.client) + ":";
  for (size_t i = 0; i < words.size(); ++i) {
    text += ' ';
    text += i == 0 ? std::string(words[i]) : quote_bytes(words[i].substr(0, 40));
  }
  const bool known = record.outcome == Outcome::replied;
  text += " -> " + (known ? describe_reply(history.reply(id)).substr(0, 80) : "(unknown)");
  return text + " (" + time_text(record.call) + " to " +
         (known ? time_text(record.returned) : "never") + ")";
}

std::string value_text(const std::string& state) {
  if (state.empty()) return "no value";
  return "the value " + quote_bytes(std::string_view(state).substr(1, 80));
}

std::string key_text(const std::string& name) {
  const size_t blank = name.find(' ');
  return "key " + quote_bytes(name.substr(blank + 1)) + " of database " + name.substr(0, blank);
}

void describe(const History& history, const LinearizabilityOptions& options,
              const Collector& collector, const linearizability::Report& found,
              LinearizabilityReport& report) {
  constexpr size_t kLines = 20;
  const linearizability::Result& result = *found.violation;
  const std::vector<OperationId>& ids = collector.taken().ids;
  const size_t count = result.order.size();
  if (count > kLines) report.lines.push_back("... " + std::to_string(count - kLines) + " before");
  for (size_t i = count > kLines ? count - kLines : 0; i < count; ++i) {
    report.lines.push_back("then    " + operation_text(history, ids[result.order[i]]));
  }
  for (const uint32_t index : result.stuck) {
    report.lines.push_back("but not " + operation_text(history, ids[index]));
  }
  const OperationRecord& due = history[ids[result.stuck.front()]];
  Violation violation;
  violation.checker = "linearizability";
  violation.at = due.returned;
  violation.node = due.node < options.node_names.size() ? options.node_names[due.node]
                                                        : "host" + std::to_string(due.node);
  violation.expected = "an order of all operations on " + key_text(collector.name(found.key)) +
                       "; the longest has " + std::to_string(count) + " and ends with " +
                       value_text(result.state);
  violation.seen = operation_text(history, ids[result.stuck.front()]) + ", which cannot follow";
  if (result.stuck.size() > 1) {
    violation.seen += ", nor can " + std::to_string(result.stuck.size() - 1) + " more under way";
  }
  report.violation = std::move(violation);
}

}  // namespace

LinearizabilityChecker::LinearizabilityChecker(LinearizabilityOptions options)
    : options_(std::move(options)) {
  ASSERT(std::ranges::is_sorted(options_.losses));
}

void LinearizabilityChecker::leave_out(int database, std::string_view key) {
  left_out_.emplace_back(database, key);
}

LinearizabilityReport LinearizabilityChecker::check(const History& history) const {
  LinearizabilityReport report;
  Collector collector(history, options_);
  for (const auto& [database, key] : left_out_) collector.leave_out(database, key);
  collector.take_all();
  collector.finish(report);
  const linearizability::Report found =
      linearizability::check(collector.taken(), collector.taken().intervals, options_.limits);
  report.keys = found.keys;
  report.by_witness = found.by_witness;
  report.by_search = found.by_search;
  report.states = found.states;
  for (const uint64_t key : found.undecided) {
    report.undecided.push_back(key_text(collector.name(key)));
  }
  if (found.violation) describe(history, options_, collector, found, report);
  return report;
}

}  // namespace redoubt::sim

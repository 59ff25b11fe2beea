#include "sim/checkers/linearizability.h"

#include <algorithm>

#include "sim/checkers/key_histories.h"
#include "sim/core.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {
namespace {

// "client 3: GET k -> "7" (1.000000000 to 1.000100000)".
std::string operation_text(const History& history, OperationId id) {
  if (id == KeyOperations::kNobody) return "the node removed the key";
  const OperationRecord& record = history[id];
  std::vector<std::string_view> words;
  history.words(id, words);
  std::string text = "client " + std::to_string(record.client) + ":";
  for (size_t i = 0; i < words.size(); ++i) {
    text += ' ';
    text += i == 0 ? std::string(words[i]) : quote_bytes(words[i].substr(0, 40));
  }
  const bool known = record.outcome == OperationOutcome::replied;
  text += " -> " + (known ? describe_reply(history.reply(id)).substr(0, 80) : "(unknown)");
  return text + " (" + time_text(record.call) + " to " +
         (known ? time_text(record.returned) : "never") + ")";
}

std::string value_text(const std::string& state) {
  if (state.empty()) return "no value";
  if (state == "?") return "whatever another command left";
  return "the value " + quote_bytes(std::string_view(state).substr(1, 80));
}

std::string key_text(const std::string& name) {
  const size_t blank = name.find(' ');
  return "key " + quote_bytes(name.substr(blank + 1)) + " of database " + name.substr(0, blank);
}

void describe(const History& history, const LinearizabilityOptions& options,
              const KeyHistories& keys, const linearizability::Report& found,
              LinearizabilityReport& report) {
  constexpr size_t kLines = 20;
  const linearizability::Result& result = *found.violation;
  const std::vector<OperationId>& ids = keys.taken().ids;
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
  violation.expected = "an order of all operations on " + key_text(keys.name(found.key)) +
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

void LinearizabilityChecker::removed(int database, std::string_view key, Instant at,
                                     StreamPlace place) {
  removals_.push_back({database, std::string(key), at, place});
}

LinearizabilityReport LinearizabilityChecker::check(const History& history) const {
  LinearizabilityReport report;
  KeyHistories keys(history, options_.losses);
  for (const auto& [database, key] : left_out_) keys.leave_out(database, key);
  for (const Removal& one : removals_) keys.removed(one.database, one.key, one.at, one.place);
  keys.take_all();
  const KeyHistories::Kept kept = keys.finish();
  report.operations = kept.operations;
  report.others = kept.others;
  report.left_out_keys = kept.left_out_keys;
  report.left_out_operations = kept.left_out_operations;
  const linearizability::Report found =
      linearizability::check(keys.taken(), keys.taken().intervals, options_.limits);
  report.keys = found.keys;
  report.by_witness = found.by_witness;
  report.by_search = found.by_search;
  report.states = found.states;
  for (const uint64_t key : found.undecided) {
    report.undecided.push_back(key_text(keys.name(key)));
  }
  if (found.violation) describe(history, options_, keys, found, report);
  return report;
}

}  // namespace redoubt::sim

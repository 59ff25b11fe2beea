// The history of a node's clients, and what is checked of it.
#include "sim/checkers/linearizability.h"
#include "sim/checkers/node_checker.h"

namespace redoubt::sim {

// What comes when the history is full leaves a hole in it, and nothing can be told from it any
// more.
void NodeChecker::called(Link& link, std::span<const std::string_view> arguments) {
  link.operations.resize(link.hashes.size(), kNoOperation);
  if (history_.size() >= history_max_) {
    history_is_cut_ = true;
    return;
  }
  const Call call = {.client = link.client, .node = host_, .database = 0, .call = world_.now()};
  link.operations.back() = history_.begin(call, arguments);
}

void NodeChecker::executed(Link& link, size_t number, int database) {
  link.places.resize(number + 1);
  const Link::Executed& now = link.places[number] = {next_place(), static_cast<uint16_t>(database)};
  // What was sent before the client hung up.
  if (!link.given_up || number >= link.operations.size()) return;
  const OperationId id = link.operations[number];
  if (id != kNoOperation) history_.executed_late(id, now.database, now.place);
}

void NodeChecker::cut_off(Link& link, size_t bytes) {
  for (size_t i = 0; i < link.operations.size(); ++i) {
    const size_t end = i + 1 < link.starts.size() ? link.starts[i + 1] : link.pipeline.size();
    if (end <= bytes || link.operations[i] == kNoOperation) continue;
    history_.refuse(link.operations[i], world_.now());
    link.operations[i] = kNoOperation;
  }
}

// Where and in which database it was executed, if it was.
StreamPlace NodeChecker::place_of(const Link& link, size_t number) {
  if (number >= link.places.size() || !link.places[number].place.known()) return {};
  history_.in_database(link.operations[number], link.places[number].database);
  return link.places[number].place;
}

void NodeChecker::returned(Link& link, std::string_view reply) {
  while (link.replying < link.silent.size() && link.silent[link.replying] != 0) ++link.replying;
  const size_t number = link.replying++;
  if (number >= link.operations.size() || link.operations[number] == kNoOperation) return;
  const StreamPlace place = place_of(link, number);
  history_.finish(link.operations[number], world_.now(), place, reply);
  link.operations[number] = kNoOperation;
}

StreamPlace NodeChecker::next_place() {
  const uint64_t offset = node_->effects().end_offset();
  last_place_ = {offset, offset == last_place_.offset ? last_place_.order + 1 : 1};
  return last_place_;
}

void NodeChecker::connection_over(Link& link) {
  if (link.given_up) return;
  for (size_t i = 0; i < link.operations.size(); ++i) {
    if (link.operations[i] == kNoOperation) continue;
    const StreamPlace place = place_of(link, i);
    history_.give_up(link.operations[i], world_.now(), place);
  }
  link.given_up = true;
}

void NodeChecker::check_history() {
  if (history_.size() == 0 || !watches("linearizability") || violation_) return;
  LinearizabilityOptions options;
  options.losses = losses_;
  for (HostId id = 0; id < world_.host_count(); ++id) {
    options.node_names.push_back(world_.host(id).name());
  }
  if (history_is_cut_) {
    remarks_.push_back("linearizability is not checked: more operations than the history keeps");
    return;
  }
  LinearizabilityChecker checker(std::move(options));
  for (const Removal& one : removals_) checker.removed(one.database, one.key, one.at, one.place);
  const LinearizabilityReport report = checker.check(history_);
  for (const std::string& key : report.undecided) {
    remarks_.push_back("linearizability of " + key + " is not decided: too much work");
  }
  if (!report.violation) return;
  std::string seen = report.violation->seen;
  for (const std::string& line : report.lines) seen += "\n            " + line;
  violate("linearizability", report.violation->expected, std::move(seen));
}

}  // namespace redoubt::sim

#include "engine/replication/stream_applier.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "engine/dispatch/dispatcher.h"
#include "engine/insight/logger.h"
#include "engine/keyspace/keyspace.h"
#include "engine/store/number.h"
#include "net/places.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr uint64_t kToldMax = 100;
// An entry of more bytes is no entry.
constexpr uint64_t kEntryBytesMax = uint64_t{64} << 30;

bool is_control(std::string_view name) {
  return equal_ignoring_case(name, "ping") || equal_ignoring_case(name, "replconf") ||
         equal_ignoring_case(name, "publish") || equal_ignoring_case(name, "spublish");
}

}  // namespace

StreamApplier::StreamApplier(const Services& services, const ReplicationSettings& settings,
                             StreamApplierOwner& owner)
    : services_(services), settings_(settings), owner_(owner) {}

void StreamApplier::begin(std::string peer) {
  entry_begin_ = services_.effects.end_offset();
  parser_ = AofParser(entry_begin_);
  const bool kept = kSimulation && settings_.plants->half_entry_kept;
  if (!kept) in_multi_ = false;
  args_.clear();
  counts_.clear();
  told_ = 0;
  applier_.emplace(services_);
  applier_->set_source(std::move(peer));
  applier_->select(
      kSimulation && settings_.plants->database_forgotten ? 0 : services_.effects.foreign_db());
}

void StreamApplier::end() {
  const bool half = kSimulation && settings_.plants->half_entry_applied && !counts_.empty();
  if (half && problem_.empty() && applier_) apply_commands();
  applier_.reset();
}

bool StreamApplier::refuse(std::string_view why) {
  problem_ = fmt::format("the stream of the primary is wrong at offset {}: {}", parser_.at(), why);
  return false;
}

bool StreamApplier::feed(std::string_view bytes) {
  parser_.feed(bytes);
  uint64_t commands = 0;
  bool good = true;
  while (good) {
    const AofParser::Item item = parser_.next();
    if (item == AofParser::Item::need_more) break;
    if (item == AofParser::Item::malformed) good = refuse(parser_.problem());
    if (item == AofParser::Item::annotation) good = refuse("a line that begins with '#'");
    if (item == AofParser::Item::command) good = take_command();
    ++commands;
  }
  if (good && incomplete_bytes() > kEntryBytesMax) good = refuse("an entry has no end");
  services_.env.count_work(commands);
  services_.dispatcher.request_turn();
  return good;
}

bool StreamApplier::take_command() {
  const std::vector<AofParser::Place>& args = parser_.args();
  const std::string_view name = parser_.view(args[0]);
  const bool exec = equal_ignoring_case(name, "exec");
  if (equal_ignoring_case(name, "multi")) {
    if (in_multi_) return refuse("MULTI within MULTI");
    in_multi_ = true;
    return true;
  }
  if (exec && !in_multi_) return refuse("EXEC without MULTI");
  if (equal_ignoring_case(name, "select")) {
    const std::optional<int64_t> db =
        args.size() == 2 ? parse_integer(parser_.view(args[1])) : std::nullopt;
    const auto count = static_cast<int64_t>(services_.keys.databases().size());
    // What follows belongs to no database that is here.
    if (!db || *db < 0 || *db >= count) {
      return refuse(
          fmt::format("it selects a database that is not one of the {} of this node "
                      "(directive databases)",
                      count));
    }
  }
  if (!exec) {
    args_.insert(args_.end(), args.begin(), args.end());
    counts_.push_back(args.size());
    if (in_multi_ || equal_ignoring_case(name, "select")) return true;
  }
  apply_entry();
  return true;
}

// The bytes from entry_begin_ on are an entry.
void StreamApplier::apply_entry() {
  const bool alone = !in_multi_ && counts_.size() == 1;
  unknown_ = false;
  if (kSimulation && settings_.plants->counted_first && in_multi_) {
    if (NodeObserver* observer = services_.dispatcher.observer()) {
      services_.effects.append_foreign(parser_.bytes(entry_begin_, parser_.at()),
                                       EntryKind::effects, applier_->db());
      observer->on_stream_position();
      entry_begin_ = parser_.at();
    }
  }
  apply_commands();
  EntryKind kind = unknown_ ? EntryKind::partly_known : EntryKind::effects;
  if (kSimulation && unknown_) {
    if (settings_.plants->unknown_not_kept) kind = EntryKind::control;
    if (settings_.plants->unknown_not_noted) kind = EntryKind::effects;
  }
  // An entry of which nothing is known here is for no file either.
  if (alone && (unknown_ || is_control(parser_.view(args_[0])))) kind = EntryKind::control;
  end_entry(kind, applier_->db());
}

void StreamApplier::apply_commands() {
  std::vector<std::string_view> words;
  size_t at = 0;
  applier_->begin();
  for (const size_t count : counts_) {
    words.clear();
    for (size_t i = 0; i < count; ++i) words.push_back(parser_.view(args_[at++]));
    apply_one(words);
  }
  applier_->end();
}

void StreamApplier::apply_one(std::span<const std::string_view> words) {
  if (equal_ignoring_case(words[0], "ping")) return;
  if (equal_ignoring_case(words[0], "replconf")) {
    if (words.size() > 1 && equal_ignoring_case(words[1], "getack")) owner_.on_getack();
    return;
  }
  const Applier::Outcome outcome = applier_->apply(words);
  if (outcome == Applier::Outcome::applied) return;
  unknown_ |= outcome == Applier::Outcome::no_command;
  const std::string why = fmt::format("a command of the primary's stream at offset {}: {}",
                                      entry_begin_, applier_->error());
  if (++told_ <= kToldMax) services_.logger.log(LogLevel::warning, why);
  if (settings_.propagation_errors != PropagationErrors::ignore) owner_.on_divergence(why);
}

void StreamApplier::end_entry(EntryKind kind, int db) {
  const uint64_t end = parser_.at();
  ASSERT(entry_begin_ == services_.effects.end_offset());
  services_.effects.append_foreign(parser_.bytes(entry_begin_, end), kind, db);
  ASSERT(end == services_.effects.end_offset());
  if (NodeObserver* observer = services_.dispatcher.observer()) observer->on_stream_position();
  last_control_bytes_ = kind == EntryKind::control ? end - entry_begin_ : 0;
  entry_begin_ = end;
  parser_.keep_from(end);
  in_multi_ = false;
  args_.clear();
  counts_.clear();
}

}  // namespace redoubt

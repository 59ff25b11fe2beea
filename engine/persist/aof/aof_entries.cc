#include "engine/persist/aof/aof_entries.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/text.h"

namespace redoubt {

void AofEntries::set_history(std::string_view id, uint64_t offset) {
  history_id_ = id;
  offset_ = offset;
}

void AofEntries::begin_entry() {
  begin_ = commands_ = parser_.at();
  mark_.reset();
  in_multi_ = whole_ = false;
  args_.clear();
  counts_.clear();
  parser_.keep_from(begin_);
}

AofEntries::Step AofEntries::fail(std::string text) {
  problem_ = std::move(text);
  return Step::damaged;
}

AofEntries::Item AofEntries::next() {
  if (whole_) {
    offset_ = entry_end_;
    begin_entry();
  }
  for (;;) {
    Step step = Step::goes_on;
    switch (parser_.next()) {
      case AofParser::Item::need_more: return Item::need_more;
      case AofParser::Item::annotation: step = take_annotation(); break;
      case AofParser::Item::command: step = take_command(); break;
      case AofParser::Item::malformed: step = fail(parser_.problem()); break;
    }
    switch (step) {
      case Step::goes_on: break;
      case Step::whole: return Item::entry;
      case Step::time: return Item::time;
      case Step::damaged: return Item::damaged;
    }
  }
}

AofEntries::Step AofEntries::take_annotation() {
  const bool between = !in_multi_ && counts_.empty() && !mark_;
  if (const auto mark = parse_entry_mark(parser_.line())) {
    if (!between) return fail(fmt::format("a mark stands within the entry at byte {}", begin_));
    mark_ = mark;
    commands_ = parser_.at();
    return Step::goes_on;
  }
  if (!between) return Step::goes_on;
  const auto history = parse_history_line(parser_.line());
  if (history) has_history_line_ = true;
  if (history && history->id != history_id_) {
    set_history(history->id, history->offset);
    gap_to_ = 0;
  } else if (history && history->effects_end > offset_) {
    // Of an increment in front of this one something is missing. That matters when entries follow.
    gap_to_ = history->effects_end;
  } else if (history) {
    offset_ = std::max(offset_, history->offset);
  }
  // What is not for a file moves the offset, too.
  const std::optional<uint64_t> synced = parse_synced_line(parser_.line());
  if (synced && gap_to_ == 0 && !history_id_.empty()) offset_ = std::max(offset_, *synced);
  const std::optional<int64_t> time_s = parse_time_line(parser_.line());
  begin_entry();
  if (!time_s) return Step::goes_on;
  time_s_ = *time_s;
  return Step::time;
}

AofEntries::Step AofEntries::take_command() {
  const std::vector<AofParser::Place>& args = parser_.args();
  const std::string_view name = parser_.view(args[0]);
  if (equal_ignoring_case(name, "multi")) {
    if (in_multi_) return fail(fmt::format("MULTI stands within the entry at byte {}", begin_));
    in_multi_ = true;
    return Step::goes_on;
  }
  if (equal_ignoring_case(name, "exec")) {
    if (in_multi_) return end_entry();
    return fail(fmt::format("EXEC without MULTI stands at byte {}", begin_));
  }
  args_.insert(args_.end(), args.begin(), args.end());
  counts_.push_back(args.size());
  if (in_multi_ || (mark_ && equal_ignoring_case(name, "select"))) return Step::goes_on;
  return end_entry();
}

AofEntries::Step AofEntries::end_entry() {
  if (gap_to_ != 0) {
    return fail(
        fmt::format("the entries from offset {} to {} of the history are missing before byte {}",
                    offset_, gap_to_, begin_));
  }
  const std::string_view bytes = parser_.bytes(commands_, parser_.at());
  entry_end_ = offset_ + bytes.size();
  if (mark_) {
    if (!ignores_checksums_ && entry_checksum(bytes, mark_->end_offset) != mark_->checksum) {
      return fail(fmt::format("the checksum of the entry at byte {} is another one", begin_));
    }
    if (mark_->end_offset <= offset_) {
      return fail(
          fmt::format("the entry at byte {} comes twice: it ends at offset {} of the "
                      "history, where {} were already",
                      begin_, mark_->end_offset, offset_));
    }
    entry_end_ = mark_->end_offset;
  }
  whole_ = true;
  return Step::whole;
}

}  // namespace redoubt

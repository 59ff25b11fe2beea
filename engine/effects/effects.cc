#include "engine/effects/effects.h"

#include <algorithm>

#include "engine/store/number.h"
#include "net/assert.h"

namespace redoubt {

namespace {

constexpr size_t kKept = 64 * 1024;

void encode(std::string& out, std::span<const std::string_view> args) {
  out += '*';
  out += IntegerText(static_cast<int64_t>(args.size())).view();
  out += "\r\n";
  for (const std::string_view arg : args) {
    out += '$';
    out += IntegerText(static_cast<int64_t>(arg.size())).view();
    out += "\r\n";
    out += arg;
    out += "\r\n";
  }
}

}  // namespace

void EffectStream::add_consumer(EffectConsumer& consumer) {
  consumers_.push_back(&consumer);
  db_ = -1;  // it has to be told the database
}

void EffectStream::remove_consumer(EffectConsumer& consumer) {
  std::erase(consumers_, &consumer);
}

void EffectStream::append(int db, std::span<const std::string_view> args) {
  if (consumers_.empty()) return;
  if (!open_) encoded_.clear();
  if (db != db_) {
    const IntegerText digits(db);
    const std::string_view select[] = {"SELECT", digits.view()};
    encode(encoded_, select);
    db_ = db;
    if (open_ && group_count_ == 0) group_start_ = encoded_.size();
  }
  encode(encoded_, args);
  if (open_) {
    ++group_count_;
  } else {
    publish(encoded_);
  }
}

void EffectStream::publish(std::string_view entry) {
  offset_ += entry.size();
  for (EffectConsumer* consumer : consumers_) consumer->on_effect(entry, offset_);
}

void EffectStream::begin() {
  ASSERT(!open_);
  open_ = true;
  db_before_ = db_;
  group_count_ = group_start_ = 0;
  encoded_.clear();
}

void EffectStream::commit() {
  ASSERT(open_);
  open_ = false;
  if (group_count_ == 0) return;
  if (group_count_ > 1) {
    constexpr std::string_view multi[] = {"MULTI"};
    constexpr std::string_view exec[] = {"EXEC"};
    std::string head;
    encode(head, multi);
    encoded_.insert(group_start_, head);
    encode(encoded_, exec);
  }
  publish(encoded_);
  // What a large transaction needed is not kept.
  if (encoded_.capacity() > kKept) std::string().swap(encoded_);
}

void EffectStream::abandon() {
  ASSERT(open_);
  open_ = false;
  db_ = db_before_;
}

}  // namespace redoubt

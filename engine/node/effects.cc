#include "engine/node/effects.h"

#include <algorithm>

#include "engine/store/number.h"

namespace redoubt {

namespace {

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
  encoded_.clear();
  if (db != db_) {
    const IntegerText digits(db);
    const std::string_view select[] = {"SELECT", digits.view()};
    encode(encoded_, select);
    db_ = db;
  }
  encode(encoded_, args);
  offset_ += encoded_.size();
  for (EffectConsumer* consumer : consumers_) consumer->on_effect(encoded_, offset_);
}

}  // namespace redoubt

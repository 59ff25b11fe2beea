// A text is its length and its bytes; the words of a command are their count and so many texts.
// Numbers take one byte below 255, otherwise a byte 255 and four.
#include "sim/history/history.h"

#include <cstring>

#include "net/assert.h"

namespace redoubt::sim {
namespace {

constexpr uint32_t kLong = 255;

size_t number_size(size_t number) {
  return number < kLong ? 1 : 5;
}

char* put_number(char* at, size_t number) {
  ASSERT(number <= UINT32_MAX);
  if (number < kLong) {
    *at = static_cast<char>(number);
    return at + 1;
  }
  const auto wide = static_cast<uint32_t>(number);
  *at = static_cast<char>(kLong);
  std::memcpy(at + 1, &wide, sizeof wide);
  return at + 5;
}

char* put_text(char* at, std::string_view text) {
  at = put_number(at, text.size());
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

const char* take_number(const char* at, uint32_t* number) {
  *number = static_cast<unsigned char>(*at);
  if (*number < kLong) return at + 1;
  std::memcpy(number, at + 1, sizeof *number);
  return at + 5;
}

const char* take_text(const char* at, std::string_view* text) {
  uint32_t size = 0;
  at = take_number(at, &size);
  *text = {at, size};
  return at + size;
}

}  // namespace

OperationId History::begin(const Call& call, std::span<const std::string_view> words) {
  ASSERT(!words.empty());
  ASSERT(call.call >= last_call_);
  ASSERT(size_ < UINT32_MAX);
  last_call_ = call.call;
  const auto id = static_cast<OperationId>(size_++);
  if (id % kBlockSize == 0) blocks_.push_back(std::make_unique<OperationRecord[]>(kBlockSize));
  OperationRecord& record = blocks_.back()[id % kBlockSize];
  record.call = call.call;
  record.client = call.client;
  record.node = call.node;
  record.database = call.database;
  size_t size = number_size(words.size());
  for (const std::string_view word : words) size += number_size(word.size()) + word.size();
  char* at = put_number(text_.add(size, &record.words_at_), words.size());
  for (const std::string_view word : words) at = put_text(at, word);
  return id;
}

OperationRecord& History::open(OperationId id) {
  ASSERT(id < size_);
  OperationRecord& record = blocks_[id / kBlockSize][id % kBlockSize];
  ASSERT(record.outcome == Outcome::pending);
  return record;
}

OperationRecord& History::end_now(OperationId id, Instant at, Outcome outcome, StreamPlace place) {
  OperationRecord& record = open(id);
  ASSERT(at >= record.call);
  record.returned = at;
  record.outcome = outcome;
  record.offset = place.offset;
  record.order = place.order;
  return record;
}

void History::finish(OperationId id, Instant returned, StreamPlace place, std::string_view reply) {
  OperationRecord& record = end_now(id, returned, Outcome::replied, place);
  put_text(text_.add(number_size(reply.size()) + reply.size(), &record.reply_at_), reply);
}

void History::give_up(OperationId id, Instant at, StreamPlace place) {
  end_now(id, at, Outcome::unknown, place);
}

void History::executed_late(OperationId id, uint16_t database, StreamPlace place) {
  ASSERT(id < size_);
  OperationRecord& record = blocks_[id / kBlockSize][id % kBlockSize];
  ASSERT(record.outcome == Outcome::unknown);
  record.database = database;
  record.offset = place.offset;
  record.order = place.order;
}

void History::refuse(OperationId id, Instant at) {
  end_now(id, at, Outcome::refused, {});
}

void History::words(OperationId id, std::vector<std::string_view>& words) const {
  ASSERT(id < size_);
  uint32_t count = 0;
  const char* at = take_number(text_.at((*this)[id].words_at_), &count);
  words.resize(count);
  for (std::string_view& word : words) at = take_text(at, &word);
}

std::string_view History::reply(OperationId id) const {
  ASSERT(id < size_);
  const OperationRecord& record = (*this)[id];
  if (record.outcome != Outcome::replied) return {};
  std::string_view reply;
  take_text(text_.at(record.reply_at_), &reply);
  return reply;
}

size_t History::memory_bytes() const {
  return text_.memory_bytes() + blocks_.size() * kBlockSize * sizeof(OperationRecord);
}

}  // namespace redoubt::sim

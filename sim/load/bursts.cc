#include "sim/load/bursts.h"

#include <algorithm>

namespace redoubt::sim {

namespace {

// Keys that many commands meet.
constexpr uint64_t kHotKeys = 12;
// Queues of each type.
constexpr uint64_t kQueues = 3;

}  // namespace

const Bursts::Words* Bursts::next(bool forever, bool calm) {
  words_.clear();
  bool made = false;
  switch (stage_) {
    case Stage::none:
      made = !calm && random_.chance(plan_.transaction_ppm) && begin_transaction();
      break;
    case Stage::watching: made = go_on_watching(); break;
    case Stage::queueing: made = go_on_queueing(); break;
  }
  if (!made && !calm && random_.chance(plan_.queue_ppm)) {
    add_queue_command(forever);
    made = true;
  }
  return made ? &words_ : nullptr;
}

// --- Transactions

std::string Bursts::key() {
  const uint64_t hot = std::min<uint64_t>(keys_, kHotKeys);
  const uint64_t limit = random_.below(4) == 0 ? keys_ : hot;
  return generator_.key_name(random_.below(limit));
}

bool Bursts::begin_transaction() {
  const uint64_t kind = random_.below(20);
  if (kind == 0) {
    words_ = {random_.coin() ? "EXEC" : "DISCARD"};  // of nothing
    return true;
  }
  if (kind == 1) {
    words_ = {"CLIENT", "TRANSACTION", "ROLLBACK", random_.coin() ? "ON" : "OFF"};
    return true;
  }
  if (kind < 10) {
    words_ = {"MULTI"};
    stage_ = Stage::queueing;
    left_ = random_.between(0, random_.between_log(1, 20));
    return true;
  }
  stage_ = Stage::watching;
  left_ = random_.between(0, 6);
  words_ = {"WATCH"};
  const uint64_t keys = 1 + random_.below(3);
  for (uint64_t i = 0; i < keys; ++i) {
    words_.push_back(random_.below(8) == 0 ? queue("list") : key());
  }
  return true;
}

bool Bursts::go_on_watching() {
  if (left_-- > 0) {
    const uint64_t kind = random_.below(12);
    if (kind == 0) {
      words_ = {"WATCH", key()};
    } else if (kind == 1) {
      words_ = {"PEXPIRE", key(), std::to_string(random_.between_log(1, 50))};
    }
    return !words_.empty();
  }
  if (random_.below(16) == 0) {
    words_ = {"UNWATCH"};
    stage_ = Stage::none;
    return true;
  }
  words_ = {"MULTI"};
  stage_ = Stage::queueing;
  left_ = random_.between(0, random_.between_log(1, 20));
  return true;
}

bool Bursts::go_on_queueing() {
  if (left_-- > 0) {
    switch (random_.below(64)) {
      case 0: words_ = {"MULTI"}; break;
      case 1: words_ = {"WATCH", key()}; break;
      case 2: words_ = {"UNWATCH"}; break;
      case 3: words_ = {"GET"}; break;  // cannot be queued
      case 4: words_ = {"INCR", key()}; break;
      case 5: words_ = {"RENAME", key(), "renamed"}; break;
      default: break;
    }
    return !words_.empty();
  }
  words_ = {random_.below(12) == 0 ? "DISCARD" : "EXEC"};
  stage_ = Stage::none;
  return true;
}

// --- Queues

std::string Bursts::queue(std::string_view type) {
  return std::string(type) + " queue " + std::to_string(random_.below(kQueues));
}

std::string Bursts::end_word() {
  return random_.coin() ? "LEFT" : "RIGHT";
}

// In milliseconds.
std::string Bursts::time_out(bool forever) {
  if (forever && random_.below(40) == 0) return "0";
  return std::to_string(random_.between_log(plan_.wait_ms_min, plan_.wait_ms_max));
}

void Bursts::add_queue_command(bool forever) {
  const uint64_t kind = random_.below(10);
  if (kind >= 6) return add_stream_command(forever);
  std::string ms = time_out(forever);
  if (ms != "0") ms = "0." + std::string(3 - std::min<size_t>(ms.size(), 3), '0') + ms;
  if (kind >= 4) return add_zset_command(ms);
  add_list_command(ms);
}

// What happens to keys that somebody waits for.
void Bursts::disturb(const std::string& key) {
  switch (random_.below(4)) {
    case 0: words_ = {"DEL", key}; break;
    case 1: words_ = {"SET", key, "of another type", "PX", "20"}; break;
    case 2: words_ = {"PEXPIRE", key, std::to_string(random_.between_log(1, 50))}; break;
    default: words_ = {"RENAME", key, key}; words_[2].back() = '0';
  }
}

void Bursts::add_list_command(const std::string& time_out) {
  const std::string name = queue("list");
  const std::string other = queue("list");
  const std::string foreign = queue("zset");
  const std::string from = end_word();
  const std::string to = end_word();
  const std::string item = std::to_string(items_++);
  switch (random_.below(16)) {
    case 0: return disturb(name);
    case 1: words_ = {"BLMOVE", name, other, from, to, time_out}; break;
    case 2: words_ = {"BRPOPLPUSH", name, other, time_out}; break;
    case 3: words_ = {"BLMPOP", time_out, "2", name, other, from}; break;
    case 4: words_ = {"BLMPOP", time_out, "1", name, from, "COUNT", "2"}; break;
    case 5: words_ = {"BLPOP", name, other, foreign, time_out}; break;
    case 6:
    case 7: words_ = {"BLPOP", name, time_out}; break;
    case 8: words_ = {"BRPOP", name, time_out}; break;
    case 9: words_ = {"RPUSH", name, item, "x"}; break;
    case 10: words_ = {"RPOP", name}; break;
    default: words_ = {random_.coin() ? "RPUSH" : "LPUSH", name, item};
  }
}

void Bursts::add_zset_command(const std::string& time_out) {
  const std::string name = queue("zset");
  const std::string score = std::to_string(random_.below(10));
  switch (random_.below(10)) {
    case 0: return disturb(name);
    case 1: words_ = {"BZPOPMIN", name, queue("zset"), time_out}; break;
    case 2: words_ = {"BZPOPMAX", name, time_out}; break;
    case 3: words_ = {"BZMPOP", time_out, "2", name, queue("zset"), "MIN"}; break;
    case 4: words_ = {"BZMPOP", time_out, "1", name, "MAX", "COUNT", "2"}; break;
    case 5: words_ = {"BZPOPMIN", name, time_out}; break;
    default: words_ = {"ZADD", name, score, "member " + score};
  }
}

void Bursts::add_stream_command(bool forever) {
  const std::string name = queue("stream");
  const std::string other = queue("stream");
  const std::string ms = time_out(forever);
  const std::string consumer = random_.coin() ? "a" : "b";
  switch (random_.below(20)) {
    case 0: return disturb(name);
    case 1: words_ = {"XGROUP", "DESTROY", name, "g"}; break;
    case 2: words_ = {"XGROUP", "DELCONSUMER", name, "g", consumer}; break;
    case 3:
    case 4:
    case 5: words_ = {"XGROUP", "CREATE", name, "g", "$", "MKSTREAM"}; break;
    case 6:
    case 7: words_ = {"XREAD", "BLOCK", ms, "STREAMS", name, "$"}; break;
    case 8: words_ = {"XREAD", "COUNT", "1", "BLOCK", ms, "STREAMS", name, other, "$", "$"}; break;
    case 9: words_ = {"XREAD", "BLOCK", ms, "STREAMS", name, "7-3"}; break;
    case 10: words_ = {"XADD", name, "MAXLEN", "2", "7-*", "field", "value"}; break;
    case 11:
    case 12:
    case 13:
      words_ = {"XREADGROUP", "GROUP", "g", consumer, "BLOCK", ms, "STREAMS", name, ">"};
      break;
    default: words_ = {"XADD", name, "7-*", "field", "value"};
  }
}

}  // namespace redoubt::sim

#include "sim/model/generator_growth.h"

#include <algorithm>
#include <iterator>

#include "sim/model/generator_parts.h"

namespace redoubt::sim {

class GrowthCommand {
 public:
  explicit GrowthCommand(CommandGenerator& generator)
      : g_(generator), random_(generator.random()) {}

  void make();

 private:
  // So many commands grow, then as many shrink.
  static constexpr uint64_t kPhase = 400;
  static constexpr uint64_t kKeysOfEach = 2;
  // Names of keys that come and go in bulk.
  static constexpr uint64_t kManyKeys = 20'000;
  // Elements are named by a number that grows, of so many at the same time, about.
  static constexpr uint64_t kElements = 6'000;

  void add_key(std::string_view type) {
    g_.add("grow:" + std::string(type) + ":" + std::to_string(random_.below(kKeysOfEach)));
  }
  uint64_t bulk();
  uint64_t recent();
  std::string element(uint64_t number, std::string_view type);
  void add_element(uint64_t number, std::string_view type) { g_.add(element(number, type)); }
  void add_new_elements(std::string_view type, uint64_t width);
  void add_old_elements(std::string_view type);
  void add_range(uint64_t most);
  void grow();
  void shrink();
  void take_many();
  void look();
  void look_at_list();
  void look_at_others();
  void combine();

  CommandGenerator& g_;
  Xoshiro& random_;
};

// Mostly some dozens; now and then around a limit, or thousands.
uint64_t GrowthCommand::bulk() {
  constexpr uint64_t kEdges[] = {1, 2, 8, 16, 32, 64, 128, 512, 1000, 1024, 2000, 3000};
  if (random_.one_in(3)) return 1 + random_.below(40);
  const uint64_t pick = random_.below(random_.one_in(3) ? std::size(kEdges) : 8);
  return kEdges[pick] - 1 + random_.below(3) + (kEdges[pick] == 1 ? 1 : 0);
}

// The number of an element that may be there.
uint64_t GrowthCommand::recent() {
  const uint64_t back = random_.below(kElements);
  return g_.growth_next_ > back ? g_.growth_next_ - back : g_.growth_next_;
}

// Of the same length, so that what is new is the last in order.
std::string GrowthCommand::element(uint64_t number, std::string_view type) {
  const std::string digits = std::to_string(1'000'000 + number);
  return type == "ints" ? digits : "e" + digits;
}

void GrowthCommand::add_new_elements(std::string_view type, uint64_t width) {
  // Of these each costs the model a walk over all registers.
  const uint64_t most = type == "hll" ? 100 : 3000;
  for (uint64_t i = std::min(bulk(), most); i > 0; i--) {
    const uint64_t number = g_.growth_next_++;
    if (type == "zset") {
      g_.add_number(static_cast<int64_t>(random_.one_in(3) ? number / 7 : number % 97));
    }
    add_element(number, type);
    if (width > 1) {
      g_.add(std::to_string(number % 13));
    }
  }
}

void GrowthCommand::add_old_elements(std::string_view type) {
  const uint64_t first = recent();
  for (uint64_t i = 0, count = bulk(); i < count; i++) {
    add_element(first + i, type);
  }
}

void GrowthCommand::add_range(uint64_t most) {
  const auto first = static_cast<int64_t>(random_.below(kElements));
  const bool from_end = random_.one_in(3);
  const int64_t width = static_cast<int64_t>(random_.below(most));
  g_.add_number(from_end ? -first - 1 : first);
  g_.add_number(from_end ? -first - 1 + width : first + width);
}

void GrowthCommand::grow() {
  switch (random_.below(12)) {
    case 0:
    case 1:
      add_one_of(g_, {"RPUSH", "RPUSH", "LPUSH"});
      add_key("list");
      return add_new_elements("list", 1);
    case 2:
      g_.begin("SADD");
      add_key("ints");
      return add_new_elements("ints", 1);
    case 3:
      g_.begin("SADD");
      add_key("set");
      return add_new_elements("set", 1);
    case 4:
    case 5:
      g_.begin("HSET");
      add_key("hash");
      return add_new_elements("hash", 2);
    case 6:
    case 7:
      g_.begin("ZADD");
      add_key("zset");
      return add_new_elements("zset", 1);
    case 8:
      g_.begin("PFADD");
      add_key("hll");
      return add_new_elements("hll", 1);
    case 9: {
      g_.begin("XADD");
      add_key("stream");
      g_.add("*");
      g_.add("field");
      return g_.add_text(random_.one_in(10) ? 3000 : 60);
    }
    case 10: {
      g_.begin("PEXPIRE");
      g_.add("many:" + std::to_string(random_.below(kManyKeys)));
      return g_.add_number(1 + static_cast<int64_t>(random_.below(5000)));
    }
    default: {
      g_.begin("MSET");
      const uint64_t first = random_.below(kManyKeys);
      for (uint64_t i = 0, count = bulk(); i < count; i++) {
        g_.add("many:" + std::to_string((first + i) % kManyKeys));
        g_.add_number(static_cast<int64_t>(i));
      }
    }
  }
}

// From the first of several that is there, or many elements to another list.
void GrowthCommand::take_many() {
  const uint64_t keys = 1 + random_.below(2);
  const bool lists = random_.one_in(2);
  if (lists && random_.one_in(3)) {
    g_.begin("LMOVEM");
    g_.mark_newer();
    add_key("list");
    add_key("list");
    add_one_of(g_, {"LEFT", "RIGHT"});
    add_one_of(g_, {"LEFT", "RIGHT"});
    g_.add("COUNT");
    g_.add_number(static_cast<int64_t>(bulk()));
    return g_.add(random_.one_in(2) ? "OBO" : "BULK");
  }
  g_.begin(lists ? "LMPOP" : "ZMPOP");
  g_.add_number(static_cast<int64_t>(keys));
  for (uint64_t i = 0; i < keys; i++) add_key(lists ? "list" : "zset");
  if (lists) {
    add_one_of(g_, {"LEFT", "RIGHT"});
  } else {
    add_one_of(g_, {"MIN", "MAX"});
  }
  g_.add("COUNT");
  g_.add_number(static_cast<int64_t>(bulk()));
}

void GrowthCommand::shrink() {
  if (random_.one_in(10)) return take_many();
  switch (random_.below(12)) {
    case 0:
      add_one_of(g_, {"LPOP", "RPOP"});
      add_key("list");
      return g_.add_number(static_cast<int64_t>(bulk()));
    case 1:
      g_.begin("LTRIM");
      add_key("list");
      g_.add_number(static_cast<int64_t>(random_.below(40)));
      return g_.add_number(-1 - static_cast<int64_t>(random_.below(600)));
    case 2:
      g_.begin("SREM");
      add_key("ints");
      return add_old_elements("ints");
    case 3:
      g_.begin("SPOP");
      add_key(random_.one_in(2) ? "set" : "ints");
      // More than go into an effect, and fewer than there are.
      return g_.add_number(
          static_cast<int64_t>(random_.one_in(3) ? 1000 + random_.below(1200) : bulk()));
    case 4:
      g_.begin("HDEL");
      add_key("hash");
      return add_old_elements("hash");
    case 5:
      g_.begin("ZREM");
      add_key("zset");
      return add_old_elements("zset");
    case 6:
      g_.begin("ZREMRANGEBYRANK");
      add_key("zset");
      return add_range(600);
    case 7:
      add_one_of(g_, {"ZPOPMIN", "ZPOPMAX"});
      add_key("zset");
      return g_.add_number(static_cast<int64_t>(bulk()));
    case 8:
      g_.begin("XTRIM");
      add_key("stream");
      g_.add("MAXLEN");
      return g_.add_number(static_cast<int64_t>(random_.below(300)));
    case 9:
      g_.begin("SREM");
      add_key("set");
      return add_old_elements("set");
    default: {
      add_one_of(g_, {"DEL", "UNLINK"});
      // Now and then so many that few are left in the end.
      const uint64_t first = random_.below(kManyKeys);
      const uint64_t count = random_.one_in(3) ? 1000 + random_.below(3000) : bulk();
      for (uint64_t i = 0; i < count; i++) {
        g_.add("many:" + std::to_string((first + i) % kManyKeys));
      }
    }
  }
}

void GrowthCommand::look_at_list() {
  const auto index =
      static_cast<int64_t>(random_.below(2 * kElements)) - static_cast<int64_t>(kElements);
  switch (random_.below(6)) {
    case 0:
      g_.begin("LINDEX");
      add_key("list");
      return g_.add_number(index);
    case 1:
      g_.begin("LSET");
      add_key("list");
      g_.add_number(random_.one_in(2) ? index : index / 64);
      return random_.one_in(3) ? g_.add_ladder_text() : g_.add_text(60);
    case 2:
    case 3:
      g_.begin("LINSERT");
      add_key("list");
      add_one_of(g_, {"BEFORE", "AFTER"});
      add_element(recent(), "list");
      return random_.one_in(4) ? g_.add_ladder_text() : g_.add_text(60);
    case 4:
      g_.begin("LREM");
      add_key("list");
      g_.add_number(static_cast<int64_t>(random_.below(5)) - 2);
      return add_element(recent(), "list");
    default:
      g_.begin("LRANGE");
      add_key("list");
      return add_range(200);
  }
}

void GrowthCommand::look_at_others() {
  switch (random_.below(14)) {
    case 0:
      g_.begin("ZRANGE");
      add_key("zset");
      add_range(200);
      return g_.add("WITHSCORES");
    case 1:
      add_one_of(g_, {"ZRANK", "ZREVRANK", "ZSCORE"});
      add_key("zset");
      return add_element(recent(), "zset");
    case 2:
      add_one_of(g_, {"ZCOUNT", "ZRANGEBYSCORE"});
      add_key("zset");
      g_.add_number(static_cast<int64_t>(random_.below(900)));
      return g_.add_number(static_cast<int64_t>(random_.below(900)));
    case 3:
      g_.begin("ZINCRBY");
      add_key("zset");
      g_.add_number(static_cast<int64_t>(random_.below(500)) - 250);
      return add_element(recent(), "zset");
    case 4:
      g_.begin("SISMEMBER");
      add_key("set");
      return add_element(recent(), "set");
    case 5:
      g_.begin("SISMEMBER");
      add_key("ints");
      return add_element(recent(), "ints");
    case 6:
      g_.begin("HGET");
      add_key("hash");
      return add_element(recent(), "hash");
    case 7:
      g_.begin("HPEXPIRE");
      g_.mark_newer();
      add_key("hash");
      g_.add_number(1 + static_cast<int64_t>(random_.below(5000)));
      g_.add("FIELDS");
      g_.add("1");
      return add_element(recent(), "hash");
    case 8:
      if (random_.one_in(2)) {
        add_one_of(g_, {"SINTERCARD", "ZINTERCARD"});
        g_.add("2");
        add_key(random_.one_in(2) ? "set" : "ints");
        add_key(random_.one_in(2) ? "set" : "ints");
        g_.add("LIMIT");
        return g_.add_number(static_cast<int64_t>(bulk()));
      }
      g_.begin("PFCOUNT");
      for (uint64_t i = 1 + random_.below(4); i > 0; i--) add_key("hll");
      return;
    case 9:
      g_.begin("XRANGE");
      add_key("stream");
      g_.add("-");
      g_.add("+");
      g_.add("COUNT");
      return g_.add("20");
    case 10: g_.begin("GET"); return g_.add("many:" + std::to_string(random_.below(kManyKeys)));
    case 11:
      add_one_of(g_, {"SRANDMEMBER", "SRANDMEMBER"});
      add_key(random_.one_in(2) ? "set" : "ints");
      return g_.add_number(static_cast<int64_t>(random_.below(200)) - 100);
    case 12: return g_.begin("DBSIZE");
    default:
      g_.begin("OBJECT");
      g_.add("ENCODING");
      return add_key(random_.one_in(2) ? "list" : "zset");
  }
}

// Of three and more sources.
void GrowthCommand::combine() {
  const uint64_t sources = 2 + random_.below(4);
  switch (random_.below(5)) {
    case 0:
      add_one_of(g_, {"SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"});
      g_.add("grow:result");
      for (uint64_t i = 0; i < sources; i++) add_key(random_.one_in(2) ? "set" : "ints");
      return;
    case 1:
      g_.begin("PFMERGE");
      add_key("hll");
      for (uint64_t i = 0; i < sources; i++) add_key("hll");
      return;
    case 2:
      g_.begin("RENAME");
      add_key("hash");
      return add_key("hash");
    case 3:
      g_.begin("COPY");
      add_key("zset");
      g_.add("grow:result");
      return g_.add("REPLACE");
    default:
      add_one_of(g_, {"ZUNIONSTORE", "ZINTERSTORE"});
      g_.add("grow:result");
      g_.add_number(static_cast<int64_t>(sources));
      for (uint64_t i = 0; i < sources; i++) add_key(random_.one_in(2) ? "zset" : "set");
      g_.add("WEIGHTS");
      for (uint64_t i = 0; i < sources; i++) {
        g_.add_number(static_cast<int64_t>(random_.below(5)) - 1);
      }
  }
}

void GrowthCommand::look() {
  random_.one_in(3) ? look_at_list() : look_at_others();
}

void GrowthCommand::make() {
  const bool grows = g_.growth_made_++ / kPhase % 2 == 0;
  if (random_.one_in(40)) return combine();
  if (!random_.one_in(3)) return look();
  const bool other_way = random_.one_in(11);
  grows != other_way ? grow() : shrink();
}

void make_growth_command(CommandGenerator& generator) {
  GrowthCommand(generator).make();
}

}  // namespace redoubt::sim

#include "sim/load/asides.h"

#include <algorithm>

namespace redoubt::sim {

std::string Asides::key() {
  switch (random_.below(6)) {
    case 0: return "set:" + std::to_string(random_.below(6));
    case 1: return "hash:" + std::to_string(random_.below(5));
    case 2: return "zset:" + std::to_string(random_.below(6));
    default: return generator_.key_name(random_.below(std::min<uint64_t>(keys_, 24)));
  }
}

Asides::Words Asides::unknown() {
  switch (random_.below(8)) {
    case 0: return {"NOSUCH"};
    case 1: return {"NOSUCH" + std::string(150, 'x'), "a"};
    case 2: return {"NOSUCHGET", key(), "and more", std::string(90, 'y'), "z"};
    case 3: return {"GET"};
    case 4: return {"SET", key()};
    case 5: return {"HSET", key(), "field"};
    case 6: return {"ZADD", key(), "1"};
    default: return {"EXPIRE", key()};
  }
}

Asides::Words Asides::settings() {
  const auto set = [](std::string_view name, std::string value) {
    return Words{"CONFIG", "SET", std::string(name), std::move(value)};
  };
  static constexpr std::string_view kLimits[] = {
      "hash-max-listpack-entries", "hash-max-listpack-value", "set-max-intset-entries",
      "set-max-listpack-entries",  "set-max-listpack-value",  "zset-max-listpack-entries",
      "zset-max-listpack-value"};
  static constexpr std::string_view kLazy[] = {"lazyfree-lazy-eviction", "lazyfree-lazy-expire",
                                               "lazyfree-lazy-server-del", "lazyfree-lazy-user-del",
                                               "lazyfree-lazy-user-flush"};
  static constexpr std::string_view kPolicies[] = {
      "allkeys-lru",  "allkeys-lfu",     "allkeys-random", "volatile-lru",
      "volatile-lfu", "volatile-random", "volatile-ttl",   "noeviction"};
  switch (random_.below(8)) {
    case 0: return set("hz", std::to_string(random_.between_log(1, 500)));
    case 1: return set("active-expire-effort", std::to_string(random_.between(1, 10)));
    case 2: {
      const std::string_view name = kLazy[random_.below(5)];
      return set(name, random_.coin() ? "yes" : "no");
    }
    case 3:
      if (evicts_) return set("maxmemory-policy", std::string(kPolicies[random_.below(8)]));
      return set("maxmemory-samples", std::to_string(random_.between(1, 10)));
    case 4:
      return set("list-max-listpack-size", random_.coin()
                                               ? std::to_string(-random_.between(1, 5))
                                               : std::to_string(random_.between_log(1, 300)));
    default: {
      const std::string_view name = kLimits[random_.below(std::size(kLimits))];
      return set(name, std::to_string(random_.between_log(1, 600)));
    }
  }
}

// Short ones follow each other, so that what was begun before one meets it.
Asides::Words Asides::pause() {
  if (random_.below(6) == 0) return {"CLIENT", "UNPAUSE"};
  const std::string ms = std::to_string(random_.between_log(1, 200));
  return {"CLIENT", "PAUSE", ms, random_.below(4) == 0 ? "ALL" : "WRITE"};
}

Asides::Words Asides::tracking(const std::string& redirect) {
  if (random_.below(4) == 0) return {"CLIENT", "TRACKING", "OFF"};
  if (random_.below(4) == 0) return {"CLIENT", "CACHING", random_.below(3) == 0 ? "NO" : "YES"};
  Words words = {"CLIENT", "TRACKING", "ON"};
  switch (random_.below(5)) {
    case 0: words.emplace_back("OPTIN"); break;
    case 1: words.emplace_back("OPTOUT"); break;
    case 2:
      words.emplace_back("BCAST");
      for (size_t i = random_.below(3); i > 0; --i) {
        words.emplace_back("PREFIX");
        words.push_back(random_.coin() ? "k" + std::to_string(random_.below(10)) : "set:");
      }
      break;
    default: break;
  }
  if (random_.below(4) == 0) words.emplace_back("NOLOOP");
  if (!redirect.empty() && random_.below(6) == 0) {
    words.emplace_back("REDIRECT");
    words.push_back(redirect);
  }
  return words;
}

Asides::Words Asides::walk() {
  const std::string count = std::to_string(random_.between_log(1, 1'000));
  switch (random_.below(8)) {
    case 0: return {"SSCAN", "set:" + std::to_string(random_.below(6)), "0", "COUNT", count};
    case 1: return {"HSCAN", "hash:" + std::to_string(random_.below(5)), "0", "COUNT", count};
    case 2: return {"ZSCAN", "zset:" + std::to_string(random_.below(6)), "0", "COUNT", count};
    case 3: return {"SSCAN", "grow:set:0", "0", "COUNT", count};
    case 4: return {"HSCAN", "grow:hash:0", "0", "COUNT", count};
    case 5: return {"ZSCAN", "grow:zset:0", "0", "COUNT", count};
    default: return {"SCAN", "0", "COUNT", count};
  }
}

Asides::Words Asides::question() {
  switch (random_.below(6)) {
    case 0: return {"MEMORY", "USAGE", key()};
    case 1: return {"OBJECT", "FREQ", key()};
    case 2: return {"OBJECT", "IDLETIME", key()};
    case 3: return {"CLIENT", "INFO"};
    default: return {"INFO", "KEYSPACE"};
  }
}

Asides::Words Asides::quiet() {
  const int64_t number = random_.between_log(1, 40);
  const std::string key = "quiet:" + std::to_string(number);
  const bool list = number % 3 == 0;
  switch (random_.below(10)) {
    case 0:
    case 1: return list ? Words{"RPUSH", key, "v"} : Words{"SET", key, "v"};
    case 2: return {"TOUCH", key};
    case 3: return {list ? "LLEN" : "GET", key};
    case 4: return list ? Words{"LINDEX", key, "0"} : Words{"STRLEN", key};
    case 5: return {"EXISTS", key};
    case 6:
    case 7: return {"OBJECT", "FREQ", key};
    default: return {"OBJECT", "IDLETIME", key};
  }
}

}  // namespace redoubt::sim

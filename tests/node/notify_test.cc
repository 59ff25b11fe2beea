#include "engine/config/event_classes.h"

#include <gtest/gtest.h>

#include "tests/node/talk.h"

namespace redoubt {
namespace {

TEST(EventClasses, TextInTheOrderOfRedis) {
  const auto canonical = [](std::string_view text) {
    const std::optional<uint32_t> classes = event_classes(text);
    return classes ? event_classes_text(*classes) : "none";
  };
  EXPECT_EQ(canonical(""), "");
  EXPECT_EQ(canonical("KEA"), "AKE");
  EXPECT_EQ(canonical("gnK"), "gnK");
  EXPECT_EQ(canonical("nKg"), "gnK");
  EXPECT_EQ(canonical("dtexzhsl$gKE"), "AKE");
  EXPECT_EQ(canonical("KEAmnoc"), "AKEmnoc");
  EXPECT_EQ(canonical("ocKE"), "KEoc");
  EXPECT_EQ(canonical("VIhTS"), "hSTIV");
  EXPECT_EQ(canonical("KEq"), "none");
}

TEST(EventClasses, EachHasABitOfItsOwn) {
  uint32_t seen = 0;
  for (const char c : std::string_view("g$lshzxetdKEmnocSTIV")) {
    EXPECT_EQ(seen & event_class_bit(c), 0u);
    seen |= event_class_bit(c);
  }
  EXPECT_EQ(event_class_bit('A'), 0u);
}

// The events that a connection sees, as "event key" each.
class Events {
 public:
  explicit Events(Talk& talk) : talk_(talk), client_(talk.connect()) {
    talk.say(client_, "PSUBSCRIBE __keyevent@*\r\n");
  }
  std::string take() {
    talk_.run(Duration::milliseconds(10));
    const std::string bytes = talk_.client(client_).take();
    std::string events;
    size_t at = 0;
    while ((at = bytes.find("__keyevent@", at)) != std::string::npos) {
      const size_t line = bytes.rfind("\r\n", at) + 2;
      // Not the pattern, which stands in front of each.
      if (bytes.compare(at, 12, "__keyevent@*") == 0) {
        at += 12;
        continue;
      }
      const size_t end = bytes.find("\r\n", line);
      const size_t key = bytes.find("\r\n", end + 2) + 2;
      const std::string_view channel(bytes.data() + line, end - line);
      if (!events.empty()) events += ", ";
      events += channel.substr(channel.find(':') + 1);
      events += " " + bytes.substr(key, bytes.find("\r\n", key) - key);
      at = key;
    }
    return events;
  }

 private:
  Talk& talk_;
  const size_t client_;
};

TEST(Notify, ReplacedValues) {
  Talk talk({"--notify-keyspace-events", "EAoc"});
  Events events(talk);
  const size_t c = talk.connect();
  const auto after = [&](std::string_view command) {
    talk.say(c, std::string(command) + "\r\n");
    return events.take();
  };
  EXPECT_EQ(after("SET a 1"), "set a");
  EXPECT_EQ(after("SET a 2"), "overwritten a, set a");
  EXPECT_EQ(after("SET a word"), "overwritten a, set a");
  EXPECT_EQ(after("APPEND a x"), "append a") << "a part of a value is no replacement";
  EXPECT_EQ(after("SETRANGE a 100 x"), "setrange a");
  EXPECT_EQ(after("SET n 1"), "set n");
  EXPECT_EQ(after("INCR n"), "incrby n");
  EXPECT_EQ(after("INCRBYFLOAT n 1.5"), "incrbyfloat n");
  EXPECT_EQ(after("SETBIT n 70 1"), "setbit n");
  EXPECT_EQ(after("MSET a 1 b 2 n 3"), "overwritten a, set a, set b, overwritten n, set n");
  EXPECT_EQ(after("GETSET a 5"), "overwritten a, set a");
  EXPECT_EQ(after("BITOP NOT a b"), "overwritten a, set a");
  EXPECT_EQ(after("RENAME b a"), "rename_from b, rename_to a, overwritten a");
  EXPECT_EQ(after("COPY n a REPLACE"), "copy_to a, overwritten a");
  EXPECT_EQ(after("COPY n fresh"), "copy_to fresh");
  EXPECT_EQ(after("RPUSH l x"), "rpush l");
  EXPECT_EQ(after("RPUSH l y"), "rpush l");
  EXPECT_EQ(after("SET l 1"), "overwritten l, type_changed l, set l");
}

TEST(Notify, AnUndoneTransactionTellsNothing) {
  Talk talk({"--notify-keyspace-events", "EAnoc", "--transaction-on-error", "rollback"});
  Events events(talk);
  const size_t c = talk.connect();
  talk.say(c, "SET a 1\r\n");
  EXPECT_EQ(events.take(), "new a, set a");
  talk.say(c, "MULTI\r\nSET b 1\r\nSET a 2\r\nINCRBY a x\r\nEXEC\r\n");
  EXPECT_EQ(events.take(), "");
  talk.say(c, "APPEND a 1\r\n");
  EXPECT_EQ(events.take(), "append a");
}

// What a connection sees of the channels "__subkey*", as "channel message" each.
class PartEvents {
 public:
  explicit PartEvents(Talk& talk) : talk_(talk), client_(talk.connect()) {
    talk.say(client_, "PSUBSCRIBE __subkey*\r\n");
  }
  std::vector<std::string> take() {
    talk_.run(Duration::milliseconds(10));
    const std::string bytes = talk_.client(client_).take();
    std::vector<std::string> events;
    size_t at = 0;
    const auto next = [&] {
      const size_t begin = bytes.find("\r\n", at) + 2;
      const size_t size = std::stoul(bytes.substr(bytes.find('$', at) + 1));
      at = begin + size + 2;
      return bytes.substr(begin, size);
    };
    while ((at = bytes.find("pmessage\r\n", at)) != std::string::npos) {
      at += 10;
      next();
      const std::string channel = next();
      events.push_back(channel + " " + next());
    }
    return events;
  }

 private:
  Talk& talk_;
  const size_t client_;
};

TEST(Notify, FieldsOnFourKindsOfChannels) {
  Talk talk({"--notify-keyspace-events", "hSTIV"});
  PartEvents events(talk);
  const size_t c = talk.connect();
  talk.say(c, "HSET myhash f1 v1 \"f,2\" v2\r\n");
  EXPECT_EQ(
      events.take(),
      (std::vector<std::string>{
          "__subkeyspace@0__:myhash hset|2:f1,3:f,2", "__subkeyevent@0__:hset 6:myhash|2:f1,3:f,2",
          "__subkeyspaceitem@0__:myhash\nf1 hset", "__subkeyspaceitem@0__:myhash\nf,2 hset",
          "__subkeyspaceevent@0__:hset|myhash 2:f1,3:f,2"}));
  talk.say(c, "SELECT 3\r\nHSET \"a\\nb\" f v\r\n");
  EXPECT_EQ(events.take(), (std::vector<std::string>{"__subkeyspace@3__:a\nb hset|1:f",
                                                     "__subkeyevent@3__:hset 3:a\nb|1:f",
                                                     "__subkeyspaceevent@3__:hset|a\nb 1:f"}));
}

TEST(Notify, FieldsOfEachCommandOfHashes) {
  Talk talk({"--notify-keyspace-events", "hS"});
  PartEvents events(talk);
  const size_t c = talk.connect();
  const auto after = [&](std::string_view command) {
    talk.say(c, std::string(command) + "\r\n");
    std::string all;
    for (const std::string& event : events.take()) {
      if (!all.empty()) all += ", ";
      all += event.substr(event.find(' ') + 1);
    }
    return all;
  };
  EXPECT_EQ(after("HMSET h a 1 b 2"), "hset|1:a,1:b");
  EXPECT_EQ(after("HSETNX h a 1"), "");
  EXPECT_EQ(after("HSETNX h c 1"), "hset|1:c");
  EXPECT_EQ(after("HINCRBY h a 1"), "hincrby|1:a");
  EXPECT_EQ(after("HINCRBYFLOAT h a 1"), "hincrbyfloat|1:a");
  EXPECT_EQ(after("HEXPIRE h 100 FIELDS 2 a none"), "hexpire|1:a");
  EXPECT_EQ(after("HPERSIST h FIELDS 2 a b"), "hpersist|1:a");
  EXPECT_EQ(after("HGETEX h EX 100 FIELDS 2 a b"), "hexpire|1:a,1:b");
  EXPECT_EQ(after("HGETEX h PERSIST FIELDS 1 b"), "hpersist|1:b");
  EXPECT_EQ(after("HSETEX h EX 100 FIELDS 2 d 1 e 2"), "hset|1:d,1:e, hexpire|1:d,1:e");
  EXPECT_EQ(after("HSETEX h KEEPTTL FIELDS 1 d 1"), "hset|1:d");
  EXPECT_EQ(after("HGETDEL h FIELDS 2 d none"), "hdel|1:d");
  EXPECT_EQ(after("HEXPIRE h 0 FIELDS 1 e"), "hdel|1:e");
  EXPECT_EQ(after("HDEL h c none"), "hdel|1:c");
  EXPECT_EQ(after("HPEXPIRE h 20 FIELDS 2 a b"), "hexpire|1:a,1:b, hexpired|1:a,1:b");
  EXPECT_EQ(after("HIMPORT PREPARE s x y\r\nHIMPORT SET h s 1 2"), "hset|1:x,1:y");
  EXPECT_EQ(after("SADD set m"), "") << "only hashes have such events";
}

TEST(Notify, FieldsOfATransactionAreToldWhenItHasSucceeded) {
  Talk talk({"--notify-keyspace-events", "hT", "--transaction-on-error", "rollback"});
  PartEvents events(talk);
  const size_t c = talk.connect();
  talk.say(c, "MULTI\r\nHSET h f v\r\nINCRBY h x\r\nEXEC\r\n");
  EXPECT_TRUE(events.take().empty());
  talk.say(c, "MULTI\r\nHSET h f v\r\nHSET h g v\r\nEXEC\r\n");
  EXPECT_EQ(events.take(), (std::vector<std::string>{"__subkeyevent@0__:hset 1:h|1:f",
                                                     "__subkeyevent@0__:hset 1:h|1:g"}));
}

TEST(Notify, NewKeysComeBeforeWhatMadeThem) {
  Talk talk({"--notify-keyspace-events", "En$g"});
  Events events(talk);
  const size_t c = talk.connect();
  talk.say(c, "SET a 1\r\nSET a 2\r\nMSET a 1 b 1\r\nRENAME a c\r\nMOVE c 1\r\n");
  EXPECT_EQ(events.take(),
            "new a, set a, set a, set a, new b, set b, new c, rename_from a, rename_to c, "
            "new c, move_from c, move_to c");
}

TEST(Notify, OnlyWhatWasAskedFor) {
  Talk talk({"--notify-keyspace-events", "E$"});
  Events events(talk);
  const size_t c = talk.connect();
  talk.say(c, "SET a 1\r\nDEL a\r\nGET a\r\nEXPIRE a 1\r\n");
  EXPECT_EQ(events.take(), "set a");
  talk.say(c, "CONFIG SET notify-keyspace-events K$g\r\nSET a 1\r\nDEL a\r\n");
  EXPECT_EQ(events.take(), "");
  talk.say(c, "CONFIG SET notify-keyspace-events Em\r\nGET a\r\nGET a\r\n");
  EXPECT_EQ(events.take(), "keymiss a, keymiss a");
  talk.say(c, "CONFIG SET notify-keyspace-events \"\"\r\nGET a\r\nSET a 1\r\n");
  EXPECT_EQ(events.take(), "");
}

TEST(Notify, MembersThatExpire) {
  Talk talk({"--notify-keyspace-events", "Esgxo"});
  Events events(talk);
  const size_t c = talk.connect();
  talk.say(c, "SADD s a b c d\r\nSEXPIRE s 0 MEMBERS 1 a\r\nSPEXPIRE s 3500 MEMBERS 1 b\r\n");
  talk.say(c, "SPEXPIRE s 100 NX MEMBERS 1 b\r\nSPEXPIRE s 9000 MEMBERS 2 c d\r\n");
  EXPECT_EQ(events.take(), "sadd s, srem s, sexpire s, sexpire s");
  talk.say(c, "SPERSIST s MEMBERS 1 d\r\nSPERSIST s MEMBERS 1 d\r\nSTTL s MEMBERS 1 d\r\n");
  EXPECT_EQ(events.take(), "spersist s");
  talk.run();
  EXPECT_EQ(events.take(), "sexpired s");
  talk.say(c, "SREM s d\r\n");
  EXPECT_EQ(events.take(), "srem s");
  talk.run(Duration::seconds(9));
  EXPECT_EQ(events.take(), "sexpired s, del s");
  talk.say(c, "SADD s a\r\nSEXPIRE s 0 MEMBERS 1 a\r\n");
  EXPECT_EQ(events.take(), "sadd s, srem s, del s");
}

TEST(Notify, ExpiredKeysWithoutAnybodyAsking) {
  Talk talk({"--notify-keyspace-events", "Ex"});
  Events events(talk);
  const size_t c = talk.connect();
  talk.say(c, "SET a 1 PX 500\r\nSELECT 3\r\nSET b 1 PX 500\r\n");
  talk.run();
  EXPECT_EQ(events.take(), "expired a, expired b");
}

TEST(Notify, EvictedKeys) {
  Talk talk({"--notify-keyspace-events", "Ee", "--maxmemory-policy", "allkeys-random"});
  Events events(talk);
  const size_t c = talk.connect();
  talk.say(c, "SET a 1\r\n");
  talk.say(c, "CONFIG SET maxmemory 1\r\nSET b 1\r\n");
  EXPECT_EQ(events.take(), "evicted a");
}

}  // namespace
}  // namespace redoubt

// Keyspace events, and who watches keys.
#include <gtest/gtest.h>

#include "engine/config/event_classes.h"
#include "tests/keyspace/subject.h"

namespace redoubt {
namespace {

struct KeyEventsTest : testing::Test, Subject {
  void notify(std::string_view classes) {
    settings.notify_events = *event_classes(classes);
    keys.settings_changed();
  }
};

TEST_F(KeyEventsTest, AreOffUntilAChannelAndAClassAreChosen) {
  for (const std::string_view classes : {"", "K", "KE", "g$"}) {
    notify(classes);
    EXPECT_FALSE(keys.feed().events().on()) << classes;
    keys.feed().modified(0, "a", '$', "set");
    EXPECT_EQ(channels.take(), "") << classes;
  }
  notify("KE$");
  keys.feed().modified(3, "a", '$', "set");
  keys.feed().modified(3, "a", 'g', "del");
  EXPECT_EQ(channels.take(), "__keyspace@3__:a set\n__keyevent@3__:set a\n");
  channels.listening = false;
  keys.feed().modified(3, "a", '$', "set");
  EXPECT_EQ(channels.take(), "");
}

TEST_F(KeyEventsTest, SayWhatTheDatabasesHaveNotedFirst) {
  notify("E$noc");
  set("a", "1");
  keys.feed().modified(0, "a", '$', "set");
  EXPECT_EQ(channels.take(), "__keyevent@0__:new a\n__keyevent@0__:set a\n");
  set("a", "2");
  keys.feed().modified(0, "a", '$', "set");
  EXPECT_EQ(channels.take(), "__keyevent@0__:overwritten a\n__keyevent@0__:set a\n");
  // A command that says nothing of it: at its end.
  set("b", "1", 0, 4);
  EXPECT_TRUE(keys.feed().events().has_notes());
  keys.feed().events().emit_notes();
  EXPECT_EQ(channels.take(), "__keyevent@4__:new b\n");
  EXPECT_FALSE(keys.feed().events().has_notes());
}

TEST_F(KeyEventsTest, FollowADatabaseThatWasSwappedAndForgetOneThatWasFlushed) {
  notify("En");
  set("a", "1", 0, 1);
  keys.swap(1, 2);
  keys.feed().events().emit_notes();
  EXPECT_EQ(channels.take(), "__keyevent@2__:new a\n");
  set("b", "1");
  keys.flush(0, false);
  set("c", "1", 0, 3);
  keys.feed().events().emit_notes();
  EXPECT_EQ(channels.take(), "__keyevent@3__:new c\n");
}

TEST_F(KeyEventsTest, OfMissedKeysAndOfWhatWasUndone) {
  notify("Emn$");
  keys.read(0, "a", keys.hash("a"), true);
  EXPECT_EQ(channels.take(), "__keyevent@0__:keymiss a\n");
  keys.begin_rollback();
  keys.rollback()->keep(0, "a");
  set("a", "1");
  keys.feed().modified(0, "a", '$', "set");
  keys.undo_rollback();
  keys.feed().events().emit_notes();
  EXPECT_EQ(channels.take(), "");
}

struct WatchedKeysTest : testing::Test, Subject {
  ~WatchedKeysTest() override {
    watched.remove(first);
    watched.remove(second);
  }

  Watches first{1};
  Watches second{2};
  WatchedKeys& watched = keys.feed().watched();
};

TEST_F(WatchedKeysTest, AClientWhoseKeyIsTouchedFails) {
  watched.add(first, 0, "a");
  watched.add(first, 0, "b");
  watched.add(first, 0, "b");
  watched.add(second, 0, "a");
  EXPECT_EQ(watched.keys(), 2U);
  EXPECT_EQ(watched.clients(), 2U);
  EXPECT_EQ(first.places.size(), 2U);
  keys.feed().modified(1, "a", '$', "set");
  keys.feed().modified(0, "c", '$', "set");
  EXPECT_FALSE(first.failed || second.failed);
  set("b", "1");
  keys.feed().modified(0, "b", '$', "set");
  EXPECT_TRUE(first.failed);
  EXPECT_FALSE(second.failed);
  EXPECT_EQ(watched.keys(), 1U);
  EXPECT_EQ(watched.clients(), 1U);
  EXPECT_EQ(first.memory_bytes(), 0U);
  watched.add(first, 0, "c");
  EXPECT_TRUE(first.places.empty()) << "it must fail already";
}

TEST_F(WatchedKeysTest, RemovingAKeyThatHadExpiredChangesNothing) {
  set("a", "1", now_ms() + 10);
  pass_ms(11);
  watched.add(first, 0, "a");
  EXPECT_FALSE(watched.any_expired(first));
  EXPECT_EQ(keys.peek(0, "a", keys.hash("a")), nullptr);
  EXPECT_FALSE(first.failed);
  set("a", "2");
  keys.feed().modified(0, "a", '$', "set");
  EXPECT_TRUE(first.failed);
}

TEST_F(WatchedKeysTest, AKeyThatExpiresMeanwhileIsNoticed) {
  set("a", "1", now_ms() + 10);
  watched.add(first, 0, "a");
  EXPECT_FALSE(watched.any_expired(first));
  keys.removal().set_decides(false);
  pass_ms(11);
  EXPECT_TRUE(watched.any_expired(first));
}

TEST_F(WatchedKeysTest, FlushedAndSwappedDatabasesTouchWhatIsThere) {
  set("a", "1");
  watched.add(first, 0, "a");
  watched.add(second, 0, "b");
  keys.swap(1, 2);
  EXPECT_FALSE(first.failed || second.failed);
  keys.flush(0, false);
  EXPECT_TRUE(first.failed);
  EXPECT_FALSE(second.failed) << "b was not there";
  set("b", "1", 0, 1);
  keys.swap(0, 1);
  EXPECT_TRUE(second.failed);
  EXPECT_TRUE(watched.idle());
}

}  // namespace
}  // namespace redoubt

// The report of a run: what led to what, what is left out of a large run, and that hostile texts
// stay texts.
#include "sim/report/report.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>
#include <string>

#include "sim/report/escape.h"
#include "sim/report/thin.h"
#include "sim/report/viewer.h"

namespace redoubt::sim {
namespace {

struct RecordedRun {
  RecordedRun() { recorder.follow(&now); }

  Instant now;
  RunRecorder recorder;
  uint64_t message = 0;

  void at(int64_t us) { now = Instant() + Duration::microseconds(us); }
  void turn(uint32_t host) {
    recorder.turn_begins(host);
    recorder.turn_ends(Duration{1'000});
  }
  // A client asks and is answered, from `us` on; as a world tells it.
  void exchange(int64_t us, std::string_view word, std::string_view reply) {
    at(us);
    recorder.turn_begins(1);
    recorder.called(1, {&word, 1}, false);
    recorder.sent(1, 0, ++message, MessageKind::data, word.size(), word);
    recorder.turn_ends(Duration{1'000});
    at(us + 100);
    recorder.arrived(0, message, 0, false);
    recorder.turn_begins(0);
    recorder.remark(0, word);
    recorder.sent(0, 1, ++message, MessageKind::data, reply.size(), reply);
    recorder.turn_ends(Duration{1'000});
    at(us + 200);
    recorder.arrived(1, message, 0, false);
    recorder.turn_begins(1);
    recorder.returned(1, reply);
    recorder.turn_ends(Duration{1'000});
  }
  void begin() {
    recorder.add_host(0, "node");
    recorder.add_host(1, "client");
    recorder.boot(0, 1);
    recorder.boot(1, 1);
  }
  Timeline timeline() const { return make_timeline(recorder, now, std::nullopt); }
};

std::vector<ItemKind> path(const Timeline& timeline, uint32_t item) {
  std::vector<ItemKind> kinds;
  for (; item != kNoItem; item = timeline.items[item].cause) {
    kinds.push_back(timeline.items[item].kind);
  }
  return kinds;
}

uint32_t find(const Timeline& timeline, ItemKind kind) {
  for (uint32_t i = 0; i < timeline.items.size(); ++i) {
    if (timeline.items[i].kind == kind) return i;
  }
  return kNoItem;
}

TEST(Timeline, FollowsAReplyBackToItsCall) {
  RecordedRun r;
  r.begin();
  r.exchange(1'000, "GET", "$-1");
  r.recorder.violation(0);
  const Timeline timeline = r.timeline();
  const Item& called = timeline.items[find(timeline, ItemKind::operation)];
  EXPECT_EQ(called.begin.ns, 1'000'000);
  EXPECT_EQ(called.end.ns, 1'200'000);
  EXPECT_EQ(called.reply, "$-1");
  using enum ItemKind;
  const std::vector<ItemKind> all = {turn, message, turn, message, turn, boot};
  EXPECT_EQ(path(timeline, called.result), all);
  std::vector<ItemKind> from_violation = all;
  from_violation.insert(from_violation.begin(), violation);
  EXPECT_EQ(path(timeline, timeline.violation), from_violation);
}

TEST(Timeline, AFaultMakesAHostStopAndItsEndMakesItStart) {
  RecordedRun r;
  r.begin();
  r.at(500);
  r.recorder.fault_begins(0, static_cast<uint8_t>(Fault::rack), 1, "");
  r.recorder.fault_joins(1, 1);
  r.recorder.stop(0, 2, 0);
  r.recorder.stop(1, 2, 0);
  r.at(900);
  r.recorder.speed(0, 10);  // the machine is slow, whatever runs on it
  r.recorder.fault_ends(1);
  r.recorder.boot(0, 2);
  r.recorder.boot(1, 2);
  const Timeline timeline = r.timeline();
  const uint32_t ended = find(timeline, ItemKind::stop);
  using enum ItemKind;
  EXPECT_EQ(path(timeline, ended), (std::vector<ItemKind>{stop, fault_span}));
  const Item& span = timeline.items[timeline.items[ended].cause];
  EXPECT_EQ(span.begin.ns, 500'000);
  EXPECT_EQ(span.end.ns, 900'000);
  EXPECT_EQ(timeline.items.back().kind, boot);
  EXPECT_EQ(timeline.items[timeline.items.back().cause].kind, fault_span);
  std::vector<HostState> states;
  for (const auto& since : timeline.hosts[0].states) states.push_back(since.value);
  EXPECT_EQ(states, (std::vector<HostState>{HostState::running, HostState::off, HostState::off,
                                            HostState::slow}));
}

// A checker that does not tell the recorder: the violation is put behind what had begun by then.
TEST(Timeline, PutsInAViolationThatNobodyToldOf) {
  RecordedRun r;
  r.begin();
  r.exchange(1'000, "GET", "$-1");
  r.exchange(5'000, "SET", "+OK");
  const Timeline timeline = make_timeline(r.recorder, r.now, Found{Instant{2'000'000}, "node"});
  ASSERT_NE(timeline.violation, kNoItem);
  EXPECT_EQ(timeline.items[timeline.violation].begin.ns, 2'000'000);
  EXPECT_EQ(timeline.items[timeline.items[timeline.violation].cause].host, 0);
  for (uint32_t i = 0; i < timeline.items.size(); ++i) {
    const Item& item = timeline.items[i];
    EXPECT_TRUE(item.cause == kNoItem || item.cause < i);
    if (item.kind != ItemKind::operation) continue;
    EXPECT_EQ(timeline.items[item.result].kind, ItemKind::turn);
    EXPECT_EQ(timeline.items[item.result].begin, item.end);
    using enum ItemKind;
    std::vector<ItemKind> kinds = path(timeline, item.result);
    ASSERT_GE(kinds.size(), 5u);
    kinds.resize(5);
    EXPECT_EQ(kinds, (std::vector<ItemKind>{turn, message, turn, message, turn}));
  }
}

TEST(Thin, KeepsAllThatFits) {
  RecordedRun r;
  r.begin();
  for (int i = 0; i < 50; ++i) r.exchange(1'000 * i, "PING", "+PONG");
  const Timeline timeline = r.timeline();
  const Thinned thinned = thin(timeline, 10'000);
  EXPECT_EQ(thinned.left_out, 0u);
  ASSERT_EQ(thinned.kept.size(), timeline.items.size());
  for (size_t i = 0; i < thinned.kept.size(); ++i) {
    EXPECT_EQ(thinned.kept[i].cause, timeline.items[i].cause);
    EXPECT_EQ(thinned.kept[i].steps_left_out, 0u);
  }
}

TEST(Thin, KeepsFewerAndFewerFarFromTheViolation) {
  RecordedRun r;
  r.begin();
  for (int i = 0; i < 20'000; ++i) r.exchange(1'000 * i, "PING", "+PONG");
  r.recorder.violation(0);
  const Timeline timeline = r.timeline();
  const size_t all = timeline.items.size();
  const Thinned thinned = thin(timeline, 4'000);
  EXPECT_GT(thinned.kept.size(), 3'000u);
  EXPECT_LE(thinned.kept.size(), 5'100u);  // and the path to the violation
  EXPECT_EQ(thinned.kept.size() + thinned.left_out, all);
  uint64_t left_out = thinned.left_out_behind;
  std::vector<size_t> in_sixteenth(16, 0);
  for (size_t i = 0; i < thinned.kept.size(); ++i) {
    const Kept& kept = thinned.kept[i];
    left_out += kept.items_left_out;
    ++in_sixteenth[kept.item * 16 / all];
    EXPECT_TRUE(kept.cause == kNoItem || kept.cause < i);
  }
  EXPECT_EQ(left_out, thinned.left_out);
  // Half of them are all of the nearest, then ever fewer.
  for (size_t i = 0; i < 1'990; ++i) {
    EXPECT_EQ(thinned.kept[thinned.kept.size() - 1 - i].item, all - 1 - i);
  }
  EXPECT_GT(in_sixteenth[15], 2'000u);
  EXPECT_GT(in_sixteenth[14], 0u);
  EXPECT_LT(in_sixteenth[0], in_sixteenth[14]);
  EXPECT_GT(in_sixteenth[0], 10u);
  // The path is whole, as far as it is kept.
  uint32_t at = static_cast<uint32_t>(thinned.kept.size() - 1);
  for (int steps = 0; steps < 900; ++steps) {
    EXPECT_EQ(thinned.kept[at].steps_left_out, 0u);
    at = thinned.kept[at].cause;
    ASSERT_NE(at, kNoItem);
  }
}

// The last thing that somebody did was long ago.
TEST(Thin, KeepsWhatLedToTheViolation) {
  RecordedRun r;
  r.begin();
  r.recorder.add_host(2, "other");
  r.exchange(1'000, "GET", "$-1");
  for (int i = 0; i < 20'000; ++i) {
    r.at(2'000 + i);
    r.turn(2);
  }
  r.turn(1);
  r.recorder.violation(1);
  const Timeline timeline = r.timeline();
  const Thinned thinned = thin(timeline, 200);
  ASSERT_GT(thinned.left_out, 19'000u);
  std::vector<ItemKind> kinds;
  uint32_t at = static_cast<uint32_t>(thinned.kept.size() - 1);
  for (; at != kNoItem; at = thinned.kept[at].cause) {
    EXPECT_EQ(thinned.kept[at].steps_left_out, 0u);
    kinds.push_back(timeline.items[thinned.kept[at].item].kind);
  }
  using enum ItemKind;
  EXPECT_EQ(kinds,
            (std::vector<ItemKind>{violation, turn, turn, message, turn, message, turn, boot}));
}

// What a JSON parser makes of it, for strings as append_json() writes them.
std::string parsed(const std::string& json) {
  std::string text;
  for (size_t i = 1; i + 1 < json.size(); ++i) {
    if (json[i] != '\\') {
      text += json[i];
    } else if (json[++i] == 'u') {
      text += static_cast<char>(std::stoi(json.substr(i + 1, 4), nullptr, 16));
      i += 4;
    } else {
      text += json[i];
    }
  }
  return text;
}

// What the reader's eye makes of it.
std::string read(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'x') {
      bytes += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      bytes += c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c;
    }
  }
  return bytes;
}

bool is_harmless(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }) &&
         text.find_first_of("<>&'") == std::string::npos;
}

TEST(Escape, JsonIsHarmlessAndSaysTheSame) {
  rc::check("append_json()", [](const std::string& bytes) {
    std::string json;
    append_json(json, bytes, TextKind::raw);
    RC_ASSERT(is_harmless(json));
    RC_ASSERT(json.front() == '"' && json.back() == '"');
    RC_ASSERT(json.substr(1, json.size() - 2).find('"') == std::string::npos);
    RC_ASSERT(read(parsed(json)) == bytes);
  });
  std::string json;
  append_json(json, "</script><!--\\u003c\"\\", TextKind::raw);
  EXPECT_TRUE(is_harmless(json)) << json;
  EXPECT_EQ(read(parsed(json)), "</script><!--\\u003c\"\\");
}

TEST(Escape, HtmlIsHarmless) {
  rc::check("append_html()", [](const std::string& bytes) {
    std::string html;
    append_html(html, bytes);
    RC_ASSERT(html.find_first_of("<>\"'") == std::string::npos);
    for (size_t at = html.find('&'); at != std::string::npos; at = html.find('&', at + 1)) {
      const size_t end = html.find(';', at);
      RC_ASSERT(end != std::string::npos && end - at <= 5);
    }
    for (const char c : html) RC_ASSERT(c >= ' ' && c <= '~');
  });
}

size_t count(std::string_view text, std::string_view what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
    ++found;
  }
  return found;
}

TEST(Report, HostileTextsDoNothing) {
  const std::string evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>{{data}}";
  RecordedRun r;
  r.recorder.add_host(0, evil);
  r.recorder.add_host(1, "client");
  r.recorder.boot(0, 1);
  r.exchange(10, evil, evil);
  r.recorder.log(0, evil);
  r.recorder.role(0, evil, 1);
  r.recorder.fault_begins(0, 1, 1, evil);
  r.recorder.violation(0);
  RunResult result;
  result.violation = Violation{evil, r.now, evil, evil, evil};
  result.drawn = evil;
  result.digest = evil;
  result.log = {evil};
  const std::string page = make_report(r.recorder, {evil, 1, evil, result});
  EXPECT_EQ(count(page, "<script"), 2u);
  EXPECT_EQ(count(page, "</script"), 2u);
  EXPECT_EQ(count(page, "<img"), 0u);
  EXPECT_EQ(count(page, "alert(1)") > 5, true);  // it is all there to be read
}

TEST(Report, AsksForNothing) {
  const std::string viewer =
      std::string(viewer_html()) + std::string(viewer_css()) + std::string(viewer_js());
  for (const char* word : {"http:", "https:", "//www", "@import", "fetch(", "XMLHttpRequest",
                           "innerHTML", "eval(", "document.write", "src="}) {
    EXPECT_EQ(count(viewer, word), 0u) << word;
  }
}

// A million records, all texts different.
TEST(Report, OfALargeRunIsSmall) {
  RecordedRun r;
  r.begin();
  for (int i = 0; i < 100'000; ++i) {
    r.exchange(1'000 * i, "SET key:" + std::to_string(i) + std::string(60, 'v'), "+OK");
  }
  r.recorder.violation(0);
  EXPECT_GT(r.recorder.record_count(), 1'000'000u);
  RunResult result;
  result.violation = Violation{"model", r.now, "node", "this", "that"};
  result.simulated = r.now - Instant();
  const std::string page = make_report(r.recorder, {"large", 1, "replay", result});
  EXPECT_LE(page.size(), 2'000'000u);
  EXPECT_GT(page.size(), 1'500'000u);  // what there is room for is there
  const std::string smaller =
      make_report(r.recorder, {"large", 1, "replay", result}, {.bytes_max = 400'000});
  EXPECT_LE(smaller.size(), 400'000u);
}

}  // namespace
}  // namespace redoubt::sim

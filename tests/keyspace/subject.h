// A keyspace without a node: what it would tell others is written down.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/keyspace/keyspace.h"
#include "tests/net/fake_backend.h"

namespace redoubt {

class ClockBackend final : public FakeBackend {
 public:
  WallTime wall() override { return now; }

  WallTime now{1'000'000'000'000};
};

// Writes down what it is told, one line each.
class Witness final : public KeyListener {
 public:
  std::string take() { return std::exchange(seen_, {}); }

 private:
  void on_key_changed(int db, std::string_view key) override { write("changed", db, key); }
  void on_database_changed(int db) override { write("database", db, {}); }
  void on_flushed() override { seen_ += "flushed\n"; }
  void on_expired(int db, std::string_view key) override { write("expired", db, key); }
  void on_evicted(int db, std::string_view key) override { write("evicted", db, key); }
  void on_parts_expired(int db, std::string_view key,
                        std::span<const std::string_view> names) override {
    write("parts", db, key);
    for (const std::string_view name : names) seen_ += std::string(name) + "\n";
  }
  void write(std::string_view what, int db, std::string_view key) {
    seen_ += std::string(what) + " " + std::to_string(db) + " " + std::string(key) + "\n";
  }

  std::string seen_;
};

// Keeps what was published, one line each.
class Channels final : public EventChannels {
 public:
  bool has_listeners() const override { return listening; }
  int64_t publish(std::string_view channel, std::string_view message) override {
    published += std::string(channel) + " " + std::string(message) + "\n";
    return 1;
  }
  std::string take() { return std::exchange(published, {}); }

  bool listening = true;
  std::string published;
};

// Keeps the stream of effects.
class Effects final : public EffectConsumer {
 public:
  void on_effect(std::string_view bytes, uint64_t) override { text += bytes; }

  std::string text;
};

class Subject {
 public:
  Subject() {
    effects.attach(consumer);
    keys.feed().events().publish_to(channels);
  }

  void set(std::string_view key, std::string_view value, int64_t expiry_ms = 0, int db = 0) {
    keys.database(db).set_string(key, keys.hash(key), value,
                                 expiry_ms == 0 ? NewExpiry::none() : NewExpiry::at(expiry_ms));
  }
  bool there(std::string_view key, int db = 0) {
    return keys.database(db).find(key, keys.hash(key)) != nullptr;
  }
  void pass_ms(int64_t ms) {
    backend.now.unix_us += ms * 1000;
    backend.time.ns += ms * 1'000'000;
    env.begin_turn();
  }
  int64_t now_ms() const { return env.wall().unix_ms(); }
  std::string take_effects() { return std::exchange(consumer.text, {}); }

  ClockBackend backend;
  Env env{backend};
  Settings settings;
  Stats stats;
  LatencyMonitor latency;
  EffectLog effects{env};
  Effects consumer;
  ReplyGate gate;
  Random random{1};
  Channels channels;
  Keyspace keys{{.env = env,
                 .settings = settings,
                 .stats = stats,
                 .latency = latency,
                 .effects = effects,
                 .gate = gate,
                 .random = random}};
};

}  // namespace redoubt

#include "sim/checkers/replay.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "server/assembly/assemble.h"
#include "sim/model/resp_value.h"
#include "sim/random.h"

namespace redoubt::sim {
namespace {

// So much is applied later, at most.
constexpr size_t kPendingMost = 5'000;
constexpr size_t kPendingBytesMost = 4 * 1024 * 1024;
// So many effects are remembered, to say what touched a key last.
constexpr size_t kRecent = 5'000;
constexpr size_t kRecentText = 120;

// Values are packed up to other sizes. A HyperLogLog shows how it is packed.
std::unique_ptr<Config> copy_config(const Settings& settings) {
  auto config = make_config();
  std::string error;
  const auto other = [](auto value, auto initial) {
    return std::to_string(value == initial ? decltype(initial){4} : initial);
  };
  const Settings initial;
  const std::vector<std::string> words = {
      "--databases", std::to_string(settings.databases),
      // Nobody asks the copy how long its commands took.
      "--latency-tracking", "no", "--hll-sparse-max-bytes",
      std::to_string(settings.hll_sparse_max_bytes), "--proto-max-bulk-len",
      std::to_string(settings.proto_max_bulk_len), "--stream-node-max-entries",
      std::to_string(settings.stream_node_max_entries), "--stream-node-max-bytes",
      std::to_string(settings.stream_node_max_bytes), "--stream-idmp-duration",
      std::to_string(settings.stream_idmp_duration_s), "--stream-idmp-maxsize",
      std::to_string(settings.stream_idmp_maxsize), "--hash-max-listpack-entries",
      other(settings.hash_max_listpack_entries, initial.hash_max_listpack_entries),
      "--set-max-intset-entries",
      other(settings.set_max_intset_entries, initial.set_max_intset_entries),
      "--set-max-listpack-entries",
      other(settings.set_max_listpack_entries, initial.set_max_listpack_entries),
      "--zset-max-listpack-entries",
      other(settings.zset_max_listpack_entries, initial.zset_max_listpack_entries),
      "--list-max-listpack-size",
      other(settings.list_max_listpack_size, initial.list_max_listpack_size)};
  const bool right = config->parse_arguments(words, &error);
  ASSERT(right);
  return config;
}

std::string digest_of(Node& node, int db) {
  redoubt::Digest digest;
  node.keyspace().database(db).digest(digest, db);
  return digest.hex();
}

// Takes a line such as "*3" or "$12" off the front of the bytes.
size_t take_number(std::string_view& bytes) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(bytes.data() + 1, bytes.data() + bytes.size(), value);
  ASSERT(error == std::errc());
  bytes.remove_prefix(static_cast<size_t>(end - bytes.data()) + 2);
  return value;
}

// Takes one command, an array of bulk strings, off the front of the bytes.
void take_command(std::string_view& bytes, std::vector<std::string_view>& words) {
  words.resize(take_number(bytes));
  for (std::string_view& word : words) {
    const size_t size = take_number(bytes);
    word = bytes.substr(0, size);
    bytes.remove_prefix(size + 2);
  }
}

}  // namespace

class LaggingBackend final : public Backend {
 public:
  explicit LaggingBackend(Backend& backend) : backend_(backend), chance_(0x7f4a7c15) {}

  Instant now() override { return backend_.now(); }
  WallTime wall() override {
    constexpr int64_t kYearsUs = int64_t{5} * 365 * 24 * 3600 * 1'000'000;
    WallTime wall = backend_.wall();
    wall.unix_us = std::max(wall.unix_us - kYearsUs, at_least_us_);
    return wall;
  }
  // For what is about a time that may not be in the future: XCLAIM with TIME. 0: as usual.
  void set_at_least(int64_t unix_ms) { at_least_us_ = unix_ms * 1'000; }
  uint64_t entropy() override { return chance_.next(); }
  Expected<Handle> listen(const Address&, int, uint32_t) override { return Error::refused; }
  Address local_address(Handle handle) override { return backend_.local_address(handle); }
  void submit(Op& op) override { backend_.submit(op); }
  void cancel(Op& op) override { backend_.cancel(op); }
  void abandon(Op& op) override { backend_.abandon(op); }
  void close(Handle handle) override { backend_.close(handle); }
  void give_back(Chunk chunk) override { backend_.give_back(chunk); }
  void set_keepalive(Handle handle, int idle_s) override { backend_.set_keepalive(handle, idle_s); }
  void stall(Duration) override {}
  void log(Level, std::string_view) override {}
  ProcessFacts process_facts() override { return backend_.process_facts(); }
  void request_exit(int) override {}

 private:
  Backend& backend_;
  int64_t at_least_us_ = 0;
  Random chance_;
};

ReplayChecker::ReplayChecker(Node& node, Detached /*unused*/)
    : node_(node),
      backend_(std::make_unique<LaggingBackend>(node.env().backend())),
      env_(std::make_unique<Env>(*backend_)),
      copy_(make_node(*env_, copy_config(node.settings()))),
      session_(&copy_->clients().make_local()) {
  copy_->upkeep().set_active_expiry(false);
}

ReplayChecker::ReplayChecker(Node& node) : ReplayChecker(node, Detached{}) {
  for (int db = 0; db < node.keyspace().count(); ++db) {
    Database& to = copy_->keyspace().database(db);
    node.keyspace().database(db).dict().for_each([&](const Entry& entry) {
      const std::optional<int64_t> expiry =
          entry.has_expiry() ? std::optional<int64_t>(entry.expiry_ms()) : std::nullopt;
      to.insert_copy(entry, entry.key(), to.hash(entry.key()), expiry);
    });
  }
  node_.effects().attach(*this);
}

std::unique_ptr<ReplayChecker> ReplayChecker::detached(Node& node) {
  return std::unique_ptr<ReplayChecker>(new ReplayChecker(node, Detached{}));
}

ReplayChecker::~ReplayChecker() {
  if (attached()) node_.effects().detach(*this);
  copy_->clients().drop_local(*session_);
}

void ReplayChecker::on_effect(std::string_view bytes, uint64_t) {
  ++effects_;
  const bool lost = lost_ != 0 && effects_ % lost_ == 0;
  if (listener_) {
    for (std::string_view rest = bytes; !rest.empty();) {
      take_command(rest, words_);
      listener_(words_);
    }
  }
  pending_.emplace_back(bytes, lost);
  pending_bytes_ += bytes.size();
  if (pending_.size() >= kPendingMost || pending_bytes_ >= kPendingBytesMost) apply_pending();
}

// A turn of the copy.
void ReplayChecker::apply_pending() {
  env_->begin_turn();
  while (!pending_.empty()) {
    const auto [bytes, lost] = std::move(pending_.front());
    pending_.pop_front();
    set_clock_for(bytes);
    apply(bytes, lost);
  }
  pending_bytes_ = 0;
  env_->end_turn();
}

void ReplayChecker::apply(std::string_view bytes, bool lost) {
  while (!bytes.empty()) {
    take_command(bytes, words_);
    std::string text;
    for (const std::string_view word : words_) {
      if (text.size() > kRecentText) break;
      text += (text.empty() ? "" : " ") + std::string(word.substr(0, kRecentText));
    }
    recent_.push_back(std::move(text));
    if (recent_.size() > kRecent) recent_.pop_front();
    if (lost) continue;
    const std::string reply = copy_->dispatcher().execute(*session_, words_);
    if (!reply.starts_with('-') || !failure_.empty()) continue;
    failure_ = "the effect";
    for (const std::string_view word : words_) failure_ += " " + quote_bytes(word.substr(0, 100));
    failure_ += " is refused: " + describe_reply(reply);
  }
}

// A delivery is not later than the clock of who is told of it: for the entry with an XCLAIM the
// copy's clock is at its time.
void ReplayChecker::set_clock_for(std::string_view bytes) {
  int64_t latest_ms = 0;
  while (!bytes.empty()) {
    take_command(bytes, words_);
    if (words_[0] != "XCLAIM") continue;
    for (size_t i = 5; i + 1 < words_.size(); ++i) {
      if (words_[i] != "TIME") continue;
      int64_t ms = 0;
      std::from_chars(words_[i + 1].data(), words_[i + 1].data() + words_[i + 1].size(), ms);
      latest_ms = std::max(latest_ms, ms);
      break;
    }
  }
  if (latest_ms == clock_ms_) return;
  clock_ms_ = latest_ms;
  backend_->set_at_least(latest_ms);
  env_->begin_turn();
}

std::string ReplayChecker::last_words_about(std::string_view key) const {
  for (auto text = recent_.rbegin(); text != recent_.rend(); ++text) {
    const size_t at = text->find(key);
    if (at != std::string::npos && at > 0 && (*text)[at - 1] == ' ') {
      return "; the last effect that names it is " + quote_bytes(*text);
    }
  }
  return "; no effect of the last names it";
}

// The first key that is not the same in both.
std::string ReplayChecker::difference(int db) const {
  const Database& mine = node_.keyspace().database(db);
  const Database& theirs = copy_->keyspace().database(db);
  std::string text;
  const auto compare = [&](const Database& from, const Database& with, std::string_view missing) {
    from.dict().for_each([&](const Entry& entry) {
      if (!text.empty()) return;
      const Entry* other = with.find(entry.key(), with.hash(entry.key()));
      if (other == nullptr) {
        text = quote_bytes(entry.key()) + std::string(missing);
      } else {
        redoubt::Digest a;
        redoubt::Digest b;
        digest_entry(entry, a);
        digest_entry(*other, b);
        a.end_element();
        b.end_element();
        if (a.hex() == b.hex()) return;
        text = quote_bytes(entry.key()) + " is " + std::string(ops_of(entry).name) + " of " +
               std::to_string(ops_of(entry).length(entry)) +
               (entry.has_expiry() ? " until " + std::to_string(entry.expiry_ms()) : "") +
               ", replayed " + std::string(ops_of(*other).name) + " of " +
               std::to_string(ops_of(*other).length(*other)) +
               (other->has_expiry() ? " until " + std::to_string(other->expiry_ms()) : "");
      }
      text += last_words_about(entry.key());
    });
  };
  compare(mine, theirs, " is missing where the effects are applied");
  if (text.empty()) compare(theirs, mine, " is there only where the effects are applied");
  return text;
}

void ReplayChecker::drop_expired(int64_t now_ms) {
  apply_pending();
  for (int db = 0; db < node_.keyspace().count(); ++db) {
    const Database& mine = node_.keyspace().database(db);
    std::vector<std::string> gone;
    copy_->keyspace().database(db).dict().for_each([&](const Entry& entry) {
      const bool expired = entry.has_expiry() && entry.expiry_ms() <= now_ms;
      if (expired && mine.find(entry.key(), mine.hash(entry.key())) == nullptr) {
        gone.emplace_back(entry.key());
      }
    });
    env_->begin_turn();
    const std::string number = std::to_string(db);
    copy_->dispatcher().execute(*session_, std::vector<std::string_view>{"SELECT", number});
    for (const std::string& key : gone) {
      copy_->dispatcher().execute(*session_, std::vector<std::string_view>{"DEL", key});
    }
    env_->end_turn();
  }
}

std::optional<std::string> ReplayChecker::compare() {
  apply_pending();
  if (!failure_.empty()) return failure_;
  for (int db = 0; db < node_.keyspace().count(); ++db) {
    if (digest_of(node_, db) == digest_of(*copy_, db)) continue;
    return "database " + std::to_string(db) + " differs from what its effects give: " +
           std::to_string(node_.keyspace().database(db).size()) + " keys, replayed " +
           std::to_string(copy_->keyspace().database(db).size()) + "; " + difference(db);
  }
  return std::nullopt;
}

}  // namespace redoubt::sim

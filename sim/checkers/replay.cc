#include "sim/checkers/replay.h"

#include <charconv>
#include <utility>
#include <vector>

#include "engine/commands/families.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {
namespace {

std::unique_ptr<Config> copy_config(const Settings& settings) {
  auto config = std::make_unique<Config>();
  std::string error;
  // Nobody asks the copy how long its commands took.
  const std::vector<std::string> words = {"--databases", std::to_string(settings.databases),
                                          "--latency-tracking", "no"};
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

ReplayChecker::ReplayChecker(Node& node)
    : node_(node),
      copy_(std::make_unique<Node>(node.env(), copy_config(node.settings()), all_families())),
      session_(&copy_->make_local_session()) {
  copy_->set_active_expiry(false);
  node_.effects().attach(*this);
}

ReplayChecker::~ReplayChecker() {
  node_.effects().detach(*this);
  copy_->drop_local_session(*session_);
}

void ReplayChecker::on_effect(std::string_view bytes, uint64_t) {
  ++effects_;
  const bool lost = lost_ != 0 && effects_ % lost_ == 0;
  while (!bytes.empty()) {
    take_command(bytes, words_);
    if (listener_) listener_(words_);
    if (lost) continue;
    const std::string reply = copy_->execute(*session_, words_);
    if (!reply.starts_with('-') || !failure_.empty()) continue;
    failure_ = "the effect";
    for (const std::string_view word : words_) failure_ += " " + quote_bytes(word.substr(0, 100));
    failure_ += " is refused: " + describe_reply(reply);
  }
}

std::optional<std::string> ReplayChecker::compare() {
  if (!failure_.empty()) return failure_;
  for (int db = 0; db < node_.keyspace().count(); ++db) {
    if (digest_of(node_, db) == digest_of(*copy_, db)) continue;
    return "database " + std::to_string(db) + " differs from what its effects give: " +
           std::to_string(node_.keyspace().database(db).size()) + " keys, replayed " +
           std::to_string(copy_->keyspace().database(db).size());
  }
  return std::nullopt;
}

}  // namespace redoubt::sim

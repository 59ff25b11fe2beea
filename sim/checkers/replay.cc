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
  const std::vector<std::string> words = {"--databases", std::to_string(settings.databases)};
  const bool right = config->parse_arguments(words, &error);
  ASSERT(right);
  return config;
}

std::string digest_of(Node& node, int db) {
  Digest digest;
  node.database(db).digest(digest, db);
  return digest.hex();
}

// Takes one command, an array of bulk strings, off the front of the bytes.
std::vector<std::string_view> take_command(std::string_view& bytes) {
  const auto number = [&] {
    const size_t end = bytes.find("\r\n");
    size_t value = 0;
    std::from_chars(bytes.data() + 1, bytes.data() + end, value);
    bytes.remove_prefix(end + 2);
    return value;
  };
  std::vector<std::string_view> words(number());
  for (std::string_view& word : words) {
    const size_t size = number();
    word = bytes.substr(0, size);
    bytes.remove_prefix(size + 2);
  }
  return words;
}

}  // namespace

ReplayChecker::ReplayChecker(Node& node)
    : node_(node),
      copy_(std::make_unique<Node>(node.env(), copy_config(node.settings()), all_families())),
      session_(&copy_->make_local_session()) {
  copy_->set_active_expiry(false);
  node_.effects().add_consumer(*this);
}

ReplayChecker::~ReplayChecker() {
  node_.effects().remove_consumer(*this);
  copy_->drop_local_session(*session_);
}

void ReplayChecker::on_effect(std::string_view bytes, uint64_t) {
  ++effects_;
  const bool lost = lost_ != 0 && effects_ % lost_ == 0;
  while (!bytes.empty()) {
    const std::vector<std::string_view> words = take_command(bytes);
    if (listener_) listener_(words);
    if (lost) continue;
    const std::string reply = copy_->execute(*session_, words);
    if (!reply.starts_with('-') || !failure_.empty()) continue;
    failure_ = "the effect";
    for (const std::string_view word : words) failure_ += " " + quote_bytes(word.substr(0, 100));
    failure_ += " is refused: " + describe_reply(reply);
  }
}

std::optional<std::string> ReplayChecker::compare() {
  if (!failure_.empty()) return failure_;
  for (int db = 0; db < node_.database_count(); ++db) {
    if (digest_of(node_, db) == digest_of(*copy_, db)) continue;
    return "database " + std::to_string(db) +
           " differs from what its effects give: " + std::to_string(node_.database(db).size()) +
           " keys, replayed " + std::to_string(copy_->database(db).size());
  }
  return std::nullopt;
}

}  // namespace redoubt::sim

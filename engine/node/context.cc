#include "engine/node/context.h"

#include "engine/node/text.h"
#include "engine/store/number.h"

namespace redoubt {

void Context::effect(std::span<const std::string_view> arguments) {
  effect_given_ = true;
  node.effects().append(session.db, arguments);
}

void Context::remove_empty(std::string_view key) {
  node.erase(session.db, key, hash(key), false);
  announce(key, 'g', "del");
}

std::optional<int64_t> Context::integer(size_t index, std::string_view message) {
  const std::optional<int64_t> value = parse_integer(args[index]);
  if (!value) error(message.empty() ? "ERR value is not an integer or out of range" : message);
  return value;
}

std::optional<int64_t> Context::integer_between(size_t index, int64_t low, int64_t high,
                                                std::string_view message) {
  const std::optional<int64_t> value = integer(index, message);
  if (!value || (*value >= low && *value <= high)) return value;
  error(message.empty() ? "ERR value is out of range" : message);
  return std::nullopt;
}

Blob Context::take_blob(size_t index) {
  if (batch_ == nullptr) return {};
  for (RequestBatch::Owned& owned : batch_->owned) {
    if (owned.arg == first_arg_ + index) return std::move(owned.blob);
  }
  return {};
}

bool Context::is(size_t index, std::string_view option) const {
  return equal_ignoring_case(args[index], option);
}

}  // namespace redoubt

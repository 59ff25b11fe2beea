#include "engine/dispatch/key_access.h"

#include <vector>

namespace redoubt {

void KeyAccess::publish_fields(std::string_view key, std::string_view event,
                               std::span<const std::string_view> names, size_t step) {
  std::vector<std::string_view> fields;
  for (size_t i = 0; i < names.size(); i += step) fields.push_back(names[i]);
  keys().feed().announce_parts(db_, key, 'h', event, fields);
}

void KeyAccess::remove_empty(std::string_view key) {
  keys().erase(db_, key, hash(key), false);
  announce(key, 'g', "del");
}

}  // namespace redoubt

// The classes of keyspace events, as the directive notify-keyspace-events names them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace redoubt {

// The bit of a class, such as 'g'; K and E, which say where events are published, have bits too. 0:
// there is no such class.
uint32_t event_class_bit(char event_class);
// The bits of a text such as "KEA"; nothing when it holds a character that is no class.
std::optional<uint32_t> event_classes(std::string_view text);
// The text of these bits, in the order in which CONFIG GET has it.
std::string event_classes_text(uint32_t classes);

}  // namespace redoubt

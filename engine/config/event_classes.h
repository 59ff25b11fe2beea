// The classes of keyspace events, as the directive notify-keyspace-events names them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace redoubt {

inline constexpr std::string_view kEventClassesOfA = "g$lshzxetd";  // what A stands for
inline constexpr std::string_view kOtherEventClasses = "KEmnocSTIV";

// The bit of a class, such as 'g'. K and E, which say where events are published, have bits too; so
// have S, T, I and V, which do so for events that name parts of a value. 0: there is no such class.
constexpr uint32_t event_class_bit(char event_class) {
  const size_t among_all = kEventClassesOfA.find(event_class);
  if (among_all != std::string_view::npos) return 1u << among_all;
  const size_t among_others = kOtherEventClasses.find(event_class);
  if (among_others == std::string_view::npos) return 0;
  return 1u << (kEventClassesOfA.size() + among_others);
}

// The bits of a text such as "KEA"; nothing when it holds a character that is no class.
std::optional<uint32_t> event_classes(std::string_view text);
// The text of these bits, in the order in which CONFIG GET has it.
std::string event_classes_text(uint32_t classes);

}  // namespace redoubt

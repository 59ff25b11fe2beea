#include "engine/config/event_classes.h"

namespace redoubt {

namespace {

constexpr uint32_t kAllBits = (1u << kEventClassesOfA.size()) - 1;

}  // namespace

std::optional<uint32_t> event_classes(std::string_view text) {
  uint32_t classes = 0;
  for (const char c : text) {
    const uint32_t bits = c == 'A' ? kAllBits : event_class_bit(c);
    if (bits == 0) return std::nullopt;
    classes |= bits;
  }
  return classes;
}

std::string event_classes_text(uint32_t classes) {
  std::string text;
  const bool all = (classes & kAllBits) == kAllBits;
  if (all) text += 'A';
  for (const char c : kEventClassesOfA) {
    if (!all && (classes & event_class_bit(c)) != 0) text += c;
  }
  // As Redis 7.0 has it, which forgets about n behind A.
  const bool new_first = !all && (classes & event_class_bit('n')) != 0;
  if (new_first) text += 'n';
  for (const char c : kOtherEventClasses) {
    if ((classes & event_class_bit(c)) != 0 && !(c == 'n' && new_first)) text += c;
  }
  return text;
}

}  // namespace redoubt

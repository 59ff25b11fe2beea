// Values whose parts may expire (fields of a hash, members of a set), as commands read and change
// them. An expired part is a missing part, whether it has been removed already or not.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "engine/dispatch/context.h"
#include "engine/store/deadlines.h"

namespace redoubt {

// So many expired parts are removed when a command meets their value; the rest is left to the
// active expiry.
inline constexpr size_t kExpiredAtOnce = 64;

// The value of a key while a command changes it: opened on an entry, or on none for a new value.
// The command ends it with finish(). `Kind` says what the value is:
//
//   Editor, Limits, Part          of the store; a Part has deadline_ms
//   kType                         of the entry
//   limits(const Settings&)       the settings
//   open(c, limits, entry, more)  an Editor to which `more` parts may be added; without an entry:
//                                 a new value
template <typename Kind>
class PartWriter {
 public:
  using Editor = typename Kind::Editor;
  using Part = typename Kind::Part;

  PartWriter(Context& c, std::string_view key, Entry* entry, size_t more = 0)
      : context_(c),
        key_(key),
        entry_(entry),
        limits_(Kind::limits(c.settings())),
        editor_(Kind::open(c, limits_, entry, more)),
        earliest_before_ms_(editor_.view().earliest_ms()) {}
  PartWriter(const PartWriter&) = delete;
  PartWriter& operator=(const PartWriter&) = delete;

  Editor& editor() { return editor_; }
  // Whether some parts have expired that are still there.
  bool has_expired() const {
    const int64_t earliest_ms = editor_.view().earliest_ms();
    return earliest_ms != kNeverExpires && earliest_ms < context_.past_ms();
  }
  // A part that is there. One that has expired is removed instead, with its effect.
  std::optional<Part> find(std::string_view name);
  // Puts the value into its key again. An empty one is left to remove_if_empty().
  void finish();
  // After finish() and the announcement of the change.
  void remove_if_empty() {
    if (entry_ != nullptr && editor_.size() == 0) context_.remove_empty(key_);
  }

 private:
  Context& context_;
  std::string_view key_;
  Entry* entry_;
  typename Kind::Limits limits_;
  Editor editor_;
  int64_t earliest_before_ms_;
};

template <typename Kind>
std::optional<typename Kind::Part> PartWriter<Kind>::find(std::string_view name) {
  std::optional<Part> part = editor_.view().find(name);
  if (!part || part->deadline_ms >= context_.past_ms()) return part;
  editor_.remove(name);
  context_.keys().removal().parts_expired(context_.db_index(), key_, Kind::kType, {&name, 1});
  return std::nullopt;
}

template <typename Kind>
void PartWriter<Kind>::finish() {
  if (entry_ != nullptr) {
    editor_.store(*entry_);
    const int64_t earliest_ms = editor_.view().earliest_ms();
    if (earliest_ms != earliest_before_ms_) {
      context_.db().expiring_parts().changed(key_, earliest_before_ms_, earliest_ms);
    }
  } else if (editor_.size() == 0) {
    editor_.discard();
  } else {
    context_.db().insert_value(key_, context_.hash(key_), Kind::kType, editor_.encoding(),
                               editor_.value());
  }
}

}  // namespace redoubt

// What the commands of the set family share.
#pragma once

#include "engine/node/context.h"
#include "engine/store/set_type.h"

namespace redoubt {

inline SetLimits set_limits(const Node& node) {
  const Settings& settings = node.settings();
  return {.intset_entries = settings.set_max_intset_entries,
          .listpack_entries = settings.set_max_listpack_entries,
          .listpack_value = settings.set_max_listpack_value};
}

inline void reply_member(ReplyWriter& reply, const SetElement& element) {
  element.is_number ? reply.bulk_integer(element.number) : reply.bulk(element.text);
}

// Replies with all members, as an array or a set.
inline void reply_members(Context& c, const SetView& set) {
  set.for_each([&](const SetElement& element) { reply_member(c.reply, element); });
  c.node.env().count_work(set.size());
}

}  // namespace redoubt

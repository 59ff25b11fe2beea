// HIMPORT: the names of fields are the session's, the hash is set as a whole.
#include <set>

#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

ModelReply prepare(ModelCall& call) {
  std::vector<std::string> fields;
  std::set<std::string_view> different;
  for (size_t i = 3; i < call.count(); i++) {
    fields.emplace_back(call.argument(i));
    different.insert(call.argument(i));
  }
  if (different.size() != fields.size()) {
    return reply_error("ERR duplicate field name in fieldset");
  }
  call.session.fieldsets[std::string(call.argument(2))] = fields;
  return reply_ok();
}

ModelReply set_hash(ModelCall& call) {
  const auto found = call.session.fieldsets.find(call.argument(3));
  if (found == call.session.fieldsets.end()) {
    return reply_error("ERR no such fieldset");
  }
  const std::vector<std::string>& fields = found->second;
  if (call.count() != fields.size() + 4) {
    return reply_error("ERR value count does not match fieldset field count");
  }
  std::optional<ModelReply> error;
  call.find(call.argument(2), ModelType::hash, error);
  if (error) {
    return *error;
  }
  ModelEntry& entry = call.remake(call.argument(2), ModelType::hash, false);
  for (size_t i = 0; i < fields.size(); i++) {
    entry.hash[fields[i]] = {std::string(call.argument(i + 4)), ModelEntry::no_deadline};
  }
  return reply_ok();
}

ModelReply himport_command(ModelCall& call) {
  const std::string what = lower(call.argument(1));
  const size_t count = call.count();
  if (what == "prepare") {
    return count < 4 ? wrong_arity("himport|prepare") : prepare(call);
  }
  if (what == "set") {
    return count < 5 ? wrong_arity("himport|set") : set_hash(call);
  }
  if (what == "discard") {
    return count != 3 ? wrong_arity("himport|discard")
                      : reply_integer(static_cast<int64_t>(
                            call.session.fieldsets.erase(std::string(call.argument(2)))));
  }
  if (what == "discardall") {
    if (count != 2) {
      return wrong_arity("himport|discardall");
    }
    const size_t gone = call.session.fieldsets.size();
    call.session.fieldsets.clear();
    return reply_integer(static_cast<int64_t>(gone));
  }
  return reply_rule(ModelReply::Rule::anything);
}

constexpr ModelCommand hash_import_table[] = {
    {"himport", -2, himport_command, true},
};

}  // namespace

std::span<const ModelCommand> hash_import_commands() {
  return hash_import_table;
}

}  // namespace redoubt::sim

#include "sim/model/model.h"

#include "net/assert.h"
#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// All commands by name, in a hash table that ends its searches at an empty place.
class CommandTable {
 public:
  CommandTable() : places_(place_count) {
    for (std::span<const ModelCommand> family :
         {string_commands(), numeric_string_commands(), bitmap_commands(), generic_commands(),
          server_commands(), list_commands(), sort_commands(), set_commands(), hash_commands(),
          hash_import_commands(), zset_commands(), zset_combination_commands(), geo_commands(),
          stream_commands(), stream_group_commands(), stream_pending_commands(),
          stream_newer_commands(), stream_idempotent_commands(), hyperloglog_commands()}) {
      for (const ModelCommand& row : family) {
        add(row);
      }
    }
    ASSERT(count_ < place_count / 2);
  }

  const ModelCommand* find(std::string_view name) const {
    for (size_t at = place_of(name); places_[at] != nullptr; at = (at + 1) % place_count) {
      if (is_name(name, places_[at]->name)) {
        return places_[at];
      }
    }
    return nullptr;
  }

 private:
  static constexpr size_t place_count = 1024;

  static size_t place_of(std::string_view name) {
    size_t sum = name.size();
    for (char c : name) {
      sum = sum * 31 + static_cast<unsigned char>(lower_case(c));
    }
    return sum % place_count;
  }

  static bool is_name(std::string_view text, std::string_view lower_case_name) {
    if (text.size() != lower_case_name.size()) {
      return false;
    }
    for (size_t i = 0; i < text.size(); i++) {
      if (lower_case(text[i]) != lower_case_name[i]) {
        return false;
      }
    }
    return true;
  }

  void add(const ModelCommand& row) {
    size_t at = place_of(row.name);
    while (places_[at] != nullptr) {
      at = (at + 1) % place_count;
    }
    places_[at] = &row;
    count_++;
  }

  std::vector<const ModelCommand*> places_;
  size_t count_ = 0;
};

const ModelCommand* find_command(std::string_view name) {
  static const CommandTable table;
  return table.find(name);
}

bool accepts(const ModelCommand& command, ModelArguments arguments) {
  const auto given = static_cast<int>(arguments.size());
  return command.arity >= 0 ? given == command.arity : given >= -command.arity;
}

}  // namespace

Model::Model(ModelConfig config)
    : config_(config), databases_(static_cast<size_t>(config.databases)) {
  ASSERT(config.databases > 0);
}

ModelReply Model::apply(ModelSession& session, ModelArguments arguments, int64_t now_ms) {
  ASSERT(!arguments.empty());
  if (std::optional<ModelReply> unknown = unknown_command(arguments)) {
    return *unknown;
  }
  const ModelCommand* command = find_command(arguments[0]);
  if (command == nullptr) {
    return reply_rule(ModelReply::Rule::anything);
  }
  if (!accepts(*command, arguments)) {
    return wrong_arity(command->name);
  }
  ModelCall call{*this, session, arguments, now_ms};
  return command->handler(call);
}

void Model::learn(ModelSession& session, ModelArguments arguments, std::string_view reply,
                  int64_t now_ms) {
  if (same_word(arguments[0], "SPOP") && !reply.starts_with('-')) {
    ModelCall call{*this, session, arguments, now_ms};
    learn_popped(call, reply);
  }
}

void Model::forget(int database_index, std::string_view key) {
  Database& keys = databases_[static_cast<size_t>(database_index)];
  auto found = keys.find(key);
  if (found != keys.end()) {
    keys.erase(found);
  }
}

void Model::forget_part(int database_index, std::string_view key, std::string_view name) {
  Database& keys = databases_[static_cast<size_t>(database_index)];
  auto found = keys.find(key);
  if (found == keys.end()) {
    return;
  }
  ModelEntry& entry = found->second;
  entry.hash.erase(std::string(name));
  entry.set.erase(std::string(name));
  entry.member_deadlines.erase(std::string(name));
  const bool empty = (entry.type == ModelType::hash && entry.hash.empty()) ||
                     (entry.type == ModelType::set && entry.set.empty());
  if (empty) {
    keys.erase(found);
  }
}

bool Model::part_exists(int database_index, std::string_view key, std::string_view name,
                        int64_t now_ms) const {
  const Database& keys = database(database_index);
  auto found = keys.find(key);
  if (found == keys.end()) {
    return false;
  }
  const ModelEntry& entry = found->second;
  if (entry.set.contains(name)) {
    return entry.member_lives(name, now_ms);
  }
  auto there = entry.hash.find(name);
  return there != entry.hash.end() && (there->second.deadline_ms == ModelEntry::no_deadline ||
                                       there->second.deadline_ms >= now_ms);
}

void Model::clear() {
  for (Database& keys : databases_) {
    keys.clear();
  }
}

bool Model::exists(int database_index, std::string_view key, int64_t now_ms) const {
  const Database& keys = database(database_index);
  auto found = keys.find(key);
  return found != keys.end() && !found->second.expired_at(now_ms);
}

bool Model::denied_when_out_of_memory(ModelArguments arguments) {
  const ModelCommand* command = find_command(arguments[0]);
  return command != nullptr && command->denied_when_out_of_memory;
}

std::optional<ModelReply> Model::wrong_number_of_arguments(ModelArguments arguments) {
  const ModelCommand* command = find_command(arguments[0]);
  if (command == nullptr || accepts(*command, arguments)) {
    return std::nullopt;
  }
  return wrong_arity(command->name);
}

void Model::restore(int index, std::string_view key, const std::optional<ModelEntry>& entry) {
  Database& keys = databases_[static_cast<size_t>(index)];
  if (entry) {
    keys[std::string(key)] = *entry;
  } else {
    keys.erase(std::string(key));
  }
}

std::optional<ModelReply> Model::unknown_command(ModelArguments arguments) {
  constexpr size_t shown_most = 128;
  if (!arguments[0].starts_with("NOSUCH")) {
    return std::nullopt;
  }
  std::string shown;
  for (size_t i = 1; i < arguments.size() && shown.size() < shown_most; i++) {
    shown += "'" + std::string(arguments[i].substr(0, shown_most - shown.size())) + "' ";
  }
  return reply_error("ERR unknown command '" + std::string(arguments[0].substr(0, shown_most)) +
                     "', with args beginning with: " + shown);
}

bool Model::knows(std::string_view name) {
  return find_command(name) != nullptr;
}

ModelEntry* ModelCall::find_in(int database_index, std::string_view key) {
  Model::Database& keys = database(database_index);
  auto found = keys.find(key);
  if (found == keys.end()) {
    return nullptr;
  }
  if (found->second.expired_at(now_ms)) {
    if (!config().expiry_is_reported) {
      keys.erase(found);
    }
    return nullptr;
  }
  return &found->second;
}

ModelEntry& ModelCall::create(std::string_view key) {
  if (ModelEntry* entry = find(key)) {
    return *entry;
  }
  ModelEntry& fresh = database()[std::string(key)];
  fresh = ModelEntry();
  return fresh;
}

ModelEntry* ModelCall::find(std::string_view key, ModelType type,
                            std::optional<ModelReply>& error) {
  ModelEntry* entry = find(key);
  if (entry != nullptr && entry->type != type) {
    error = reply_error(wrong_type_text);
    return nullptr;
  }
  return entry;
}

ModelEntry& ModelCall::set(std::string_view key, std::string text, bool keep_deadline) {
  ModelEntry& entry = remake(key, ModelType::string, keep_deadline);
  entry.text = std::move(text);
  return entry;
}

ModelEntry& ModelCall::remake(std::string_view key, ModelType type, bool keep_deadline) {
  ModelEntry& entry = create(key);
  const int64_t deadline = keep_deadline ? entry.deadline_ms : ModelEntry::no_deadline;
  entry = ModelEntry();
  entry.type = type;
  entry.deadline_ms = deadline;
  return entry;
}

bool ModelCall::erase(std::string_view key) {
  if (find(key) == nullptr) {
    return false;
  }
  Model::Database& keys = database();
  keys.erase(keys.find(key));
  return true;
}

void ModelCall::set_deadline_or_erase(std::string_view key, int64_t deadline_ms) {
  if (deadline_ms <= now_ms) {
    erase(key);
  } else {
    create(key).deadline_ms = deadline_ms;
  }
}

}  // namespace redoubt::sim

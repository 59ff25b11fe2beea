#include "engine/keyspace/rollback.h"

#include <optional>

#include "engine/keyspace/keyspace.h"

namespace redoubt {

namespace {

std::optional<int64_t> expiry_of(const Entry& entry) {
  if (!entry.has_expiry()) return std::nullopt;
  return entry.expiry_ms();
}

bool is_large(const Entry& entry, size_t effort_max) {
  if (effort_max == SIZE_MAX) return false;
  return ops_of(entry).free_effort(entry) > effort_max || entry_bytes(entry) > 64 * effort_max;
}

}  // namespace

bool Rollback::keeps(int db, std::string_view key) const {
  return kept_.contains(Order::View(db, key));
}

bool Rollback::keep(int db, std::string_view key, size_t effort_max) {
  if (keeps(db, key)) return true;
  const uint64_t hash = keyspace_.hash(key);
  const Entry* entry = keyspace_.database(db).find(key, hash);
  if (entry != nullptr && is_large(*entry, effort_max)) return false;
  kept_.emplace(Key{db, std::string(key)}, entry != nullptr);
  if (entry == nullptr) return true;
  std::unique_ptr<Database>& copies = copies_[db];
  if (copies == nullptr) copies = std::make_unique<Database>(keyspace_.hash_key());
  copies->insert_copy(*entry, key, hash, expiry_of(*entry));
  copies->find(key, hash)->set_fine_access(entry->fine_access());
  keyspace_.env().count_work(ops_of(*entry).free_effort(*entry));
  return true;
}

void Rollback::undo() {
  for (const auto& [key, was_there] : kept_) {
    const uint64_t hash = keyspace_.hash(key.name);
    Database& database = keyspace_.database(key.db);
    database.erase(key.name, hash, true);
    if (!was_there) continue;
    const Entry* entry = copies_[key.db]->find(key.name, hash);
    ASSERT(entry != nullptr);
    database.insert_copy(*entry, key.name, hash, expiry_of(*entry));
    database.find(key.name, hash)->set_fine_access(entry->fine_access());
  }
}

std::vector<std::unique_ptr<Database>> Rollback::take_copies() {
  std::vector<std::unique_ptr<Database>> taken;
  taken.reserve(copies_.size());
  for (auto& [db, copies] : copies_) taken.push_back(std::move(copies));
  copies_.clear();
  return taken;
}

}  // namespace redoubt

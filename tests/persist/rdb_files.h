// RDB files in memory: databases are written and read again.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/persist/rdb/reader.h"
#include "engine/persist/rdb/writer.h"
#include "engine/store/database.h"
#include "engine/store/snapshot.h"

namespace redoubt {

// Databases that a file is loaded into.
class LoadedFile : public RdbListener {
 public:
  static constexpr size_t kDatabases = 16;

  explicit LoadedFile(const HashKey& hash_key);

  // Reads a file that comes in chunks of this size, with this budget a step. False: error().
  bool load(std::string_view file, size_t chunk, size_t budget, const RdbLimits& limits = {},
            const RdbReaderOptions& options = {});

  Database* database(uint64_t index) override {
    return index < databases.size() ? databases[index].get() : nullptr;
  }
  void aux(std::string_view name, std::string_view value) override {
    aux_fields.emplace_back(name, value);
  }
  void function(std::string_view source) override { functions.emplace_back(source); }
  void skipped(const RdbKey& key, std::string_view) override {
    skipped_keys.emplace_back(key.name);
  }

  std::string digest() const;
  // The first key that is another one, or has another value, than in this database; empty: none.
  std::string difference(size_t index, const Database& other) const;

  std::vector<std::unique_ptr<Database>> databases;
  std::vector<std::pair<std::string, std::string>> aux_fields;
  std::vector<std::string> functions;
  std::vector<std::string> skipped_keys;
  RdbError error;
  std::string rest;
  RdbVersion version;

 private:
  const HashKey& hash_key_;
};

// The file of a snapshot of these databases. Whatever is wrong is in *error.
std::string written_file(const std::vector<Snapshot::Source>& sources, RdbWriterOptions options,
                         const SnapshotLimits& limits, std::string* error);

}  // namespace redoubt

// Any bytes as an RDB file or as a RESTORE payload: what is loaded can be looked at, written again
// and is the same then, and took memory and time in proportion to the input only.
//
// The first byte says which of both; how large chunks and steps are; and which limits of encodings
// are in force. A payload's second byte chooses the version in its footer, which is made right.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/persist/rdb/crc64.h"
#include "engine/persist/rdb/json.h"
#include "engine/persist/rdb/payload.h"
#include "engine/store/type_ops.h"
#include "tests/persist/rdb_files.h"
#include "tests/store/random_hash_key.h"

namespace {

using namespace redoubt;

constexpr RdbLimits kSmall{.list_fill = 4,
                           .set = {.intset_entries = 8, .listpack_entries = 4, .listpack_value = 8},
                           .hash = {.listpack_entries = 4, .listpack_value = 8},
                           .zset = {.entries_max = 4, .value_bytes_max = 8}};

// A compressed string is up to 88 times as long, and an element of two bytes may take a hundred.
size_t memory_max(size_t input) {
  return 100'000 + 88 * 200 * input;
}

void check_databases(LoadedFile& loaded, const HashKey& hash_key, size_t input) {
  std::vector<Snapshot::Source> sources;
  for (size_t i = 0; i < loaded.databases.size(); ++i) {
    Database& database = *loaded.databases[i];
    ASSERT(database.used_bytes() < memory_max(input));
    database.dict().check_invariants();
    database.dict().for_each([&](Entry& entry) { rdb_json_line({}, entry); });
    if (database.size() > 0) sources.push_back({static_cast<int>(i), &database});
  }
  std::string error;
  RdbWriterOptions options;
  options.form = RdbForm::automatic;
  const std::string file = written_file(sources, options, {.whole_parts = 8}, &error);
  ASSERT(error.empty());
  LoadedFile again(hash_key);
  const bool whole = again.load(file, file.size() + 1, SIZE_MAX);
  ASSERT(whole && again.rest.empty());
  ASSERT(again.digest() == loaded.digest());
}

void read_file(uint8_t how, std::string_view bytes) {
  constexpr std::array<size_t, 4> kChunks = {SIZE_MAX, 1, 7, 64};
  constexpr std::array<size_t, 4> kBudgets = {SIZE_MAX, 1, 10, 1000};
  const HashKey hash_key = make_hash_key();
  LoadedFile loaded(hash_key);
  const RdbLimits limits = (how & 32) != 0 ? kSmall : RdbLimits{};
  const bool whole = loaded.load(bytes, kChunks[how >> 1 & 3], kBudgets[how >> 3 & 3], limits,
                                 {.verify_checksum = false, .skip_modules = true});
  ASSERT(whole == loaded.error.text.empty());
  check_databases(loaded, hash_key, bytes.size());
}

void read_payload(uint8_t how, std::string_view bytes) {
  constexpr std::array<uint16_t, 8> kVersions = {6, 9, 10, 11, 12, 15, 80, kRedoubtPayloadVersion};
  if (bytes.empty()) return;
  std::string payload(bytes.substr(1));
  const uint16_t version = kVersions[static_cast<uint8_t>(bytes[0]) % kVersions.size()];
  payload.append(reinterpret_cast<const char*>(&version), sizeof version);
  const uint64_t crc = crc64(0, payload);
  payload.append(reinterpret_cast<const char*>(&crc), sizeof crc);

  const HashKey hash_key = make_hash_key();
  Database database(hash_key);
  const RdbLimits limits = (how & 32) != 0 ? kSmall : RdbLimits{};
  const RdbMaker maker{database.allocator(), hash_key, limits};
  Restored restored = restore_payload(payload, maker);
  ASSERT(database.used_bytes() < memory_max(payload.size()));
  if (restored.end != RestoreEnd::restored) return;
  ASSERT(restored.value.length() > 0 || restored.value.type() == Type::string ||
         restored.value.type() == Type::stream);
  const uint64_t hash = database.hash("k");
  restored.value.store(database, "k", hash, NewExpiry::none());
  const Entry* entry = database.find("k", hash);
  rdb_json_line({}, *entry);
  const std::optional<std::string> dumped = dump_payload(*entry, true);
  Restored again = restore_payload(*dumped, maker);
  ASSERT(again.end == RestoreEnd::restored);
  Digest digests[2];
  digest_entry(*entry, digests[0]);
  again.value.store(database, "k", hash, NewExpiry::none());
  digest_entry(*database.find("k", hash), digests[1]);
  for (Digest& digest : digests) digest.end_element();
  ASSERT(digests[0].hex() == digests[1].hex());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0) {
    read_payload(data[0], bytes);
  } else {
    read_file(data[0], bytes);
  }
  return 0;
}

// Any bytes as files of an append-only log: the first byte says whether they are a manifest or
// entries, and in which pieces entries come. Entries are the same whatever the pieces are; a
// manifest that is read is read again as it was written.
#include <cstdint>
#include <string>
#include <vector>

#include "engine/persist/aof/aof_entries.h"
#include "engine/persist/aof/aof_format.h"
#include "engine/persist/aof/manifest.h"
#include "net/assert.h"

namespace {

using namespace redoubt;

struct Seen {
  std::string words;
  uint64_t good = 0;
  bool damaged = false;

  bool operator==(const Seen&) const = default;
};

Seen read(std::string_view file, size_t piece) {
  Seen seen;
  AofEntries entries;
  for (;;) {
    const AofEntries::Item item = entries.next();
    if (item == AofEntries::Item::need_more) {
      if (file.empty()) break;
      const std::string_view bytes = file.substr(0, piece);
      bytes.copy(entries.room(bytes.size()), bytes.size());
      entries.took(bytes.size());
      file.remove_prefix(bytes.size());
      // Memory is for bytes that are there, and for their places.
      ASSERT(entries.memory_bytes() <= 8 * entries.fed() + (size_t{4} << 20));
    } else if (item == AofEntries::Item::damaged) {
      ASSERT(!entries.problem().empty());
      seen.damaged = true;
      break;
    } else if (item == AofEntries::Item::entry) {
      entries.for_each_command([&](std::span<const std::string_view> words) {
        ASSERT(!words.empty());
        for (const std::string_view word : words) seen.words.append(word).append(1, ' ');
        return true;
      });
      seen.words += '\n';
    }
  }
  seen.good = entries.begin();
  return seen;
}

void check_entries(std::string_view file, size_t piece) {
  const Seen whole = read(file, file.size() + 1);
  ASSERT(whole.good <= file.size());
  ASSERT(read(file, piece) == whole);
  static_cast<void>(says_synced_above(file, 1));
}

void check_manifest(std::string_view text) {
  AofManifest manifest;
  std::string error;
  if (!AofManifest::parse(text, &manifest, &error)) {
    ASSERT(!error.empty());
    return;
  }
  if (manifest.empty() && manifest.history.empty()) return;
  AofManifest again;
  ASSERT(AofManifest::parse(manifest.text(), &again, &error));
  ASSERT(again == manifest);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if ((data[0] & 1) != 0) {
    check_manifest(bytes);
  } else {
    check_entries(bytes, 1 + (data[0] >> 1));
  }
  return 0;
}

#include "tests/persist/rdb_files.h"

#include <algorithm>

namespace redoubt {

LoadedFile::LoadedFile(const HashKey& hash_key) : hash_key_(hash_key) {
  for (size_t i = 0; i < kDatabases; ++i) {
    databases.push_back(std::make_unique<Database>(hash_key));
  }
}

bool LoadedFile::load(std::string_view file, size_t chunk, size_t budget, const RdbLimits& limits,
                      const RdbReaderOptions& options) {
  RdbReader reader(*this, hash_key_, limits, options);
  RdbReader::Status status = RdbReader::Status::needs_bytes;
  do {
    if (status == RdbReader::Status::needs_bytes) {
      if (file.empty()) {
        reader.end();
      } else {
        reader.feed(file.substr(0, chunk));
        file.remove_prefix(std::min(chunk, file.size()));
      }
    }
    size_t left = budget;
    status = reader.step(left);
  } while (status == RdbReader::Status::needs_bytes || status == RdbReader::Status::more_steps);
  error = reader.error();
  rest = std::string(reader.rest()) + std::string(file);
  version = reader.version();
  return status == RdbReader::Status::done;
}

std::string LoadedFile::digest() const {
  Digest digest;
  for (size_t i = 0; i < databases.size(); ++i) {
    databases[i]->digest(digest, static_cast<int>(i));
  }
  return digest.hex();
}

std::string LoadedFile::difference(size_t index, const Database& other) const {
  const Database& ours = *databases[index];
  std::string found;
  if (ours.size() != other.size()) {
    found = std::to_string(ours.size()) + " keys, not " + std::to_string(other.size());
  }
  other.dict().for_each([&](Entry& entry) {
    if (!found.empty()) return;
    const Entry* same = ours.find(entry.key(), ours.hash(entry.key()));
    Digest digests[2];
    if (same != nullptr) digest_entry(*same, digests[0]);
    digest_entry(entry, digests[1]);
    for (Digest& digest : digests) digest.end_element();
    if (digests[0].hex() == digests[1].hex()) return;
    found = std::string(entry.key()) + ", a " + std::string(ops_of(entry).name) + " as " +
            std::string(encoding_name(entry.encoding())) + " of " +
            std::to_string(ops_of(entry).length(entry)) + ", " +
            (same == nullptr ? std::string("is not there")
                             : "is " + std::string(encoding_name(same->encoding())) + " of " +
                                   std::to_string(ops_of(*same).length(*same)));
  });
  return found;
}

std::string written_file(const std::vector<Snapshot::Source>& sources, RdbWriterOptions options,
                         const SnapshotLimits& limits, std::string* error) {
  options.waiting_bytes_max = 1000;
  RdbWriter writer(std::move(options));
  Snapshot snapshot(sources, limits);
  std::string file;
  for (;;) {
    size_t budget = 50;
    const bool ended = snapshot.step(writer, budget);
    std::string taken = writer.take();
    file += taken;
    writer.recycle(std::move(taken));
    if (ended) break;
  }
  *error = writer.error();
  writer.finish();
  file += writer.take();
  file.replace(0, writer.magic().size(), writer.magic());
  return file;
}

}  // namespace redoubt

// What tests/persist/rdb_files.py does with files: reads and writes them as the server does.
//
//   rdbtool dump FILE              contents as JSON lines; status 1 and the reason when it is
//   damaged rdbtool check FILE             one line rdbtool payload FILE           the value of a
//   DUMP payload as a JSON line rdbtool convert FILE FORM OUT  reads a file and writes it: 10, 11,
//   12, 80, 1 (ours) or auto rdbtool random SEED FORM OUT   writes databases at random, without
//   what the form does not hold
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/persist/rdb/json.h"
#include "engine/persist/rdb/payload.h"
#include "tests/persist/rdb_files.h"
#include "tests/store/random_hash_key.h"
#include "tests/store/random_writer.h"

namespace redoubt {
namespace {

std::string contents(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) {
    std::perror(path);
    std::exit(2);
  }
  std::string bytes;
  char chunk[4096];
  for (size_t count; (count = std::fread(chunk, 1, sizeof chunk, file)) > 0;) {
    bytes.append(chunk, count);
  }
  std::fclose(file);
  return bytes;
}

void write_file(const char* path, const std::string& bytes) {
  std::FILE* file = std::fopen(path, "wb");
  if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) {
    std::perror(path);
    std::exit(2);
  }
  std::fclose(file);
}

// The bytes in chunks of a size that divides nothing.
RdbRead reader_of(std::string_view& bytes) {
  return [&bytes] {
    const std::string_view chunk = bytes.substr(0, 1021);
    bytes.remove_prefix(chunk.size());
    return chunk;
  };
}

int dump(const char* path, bool only_check) {
  const HashKey hash_key = make_hash_key();
  const std::string bytes = contents(path);
  std::string_view left = bytes;
  const RdbRead read = reader_of(left);
  const RdbSummary summary =
      only_check ? check_rdb(read, hash_key) : dump_rdb(read, hash_key, [](std::string_view text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
      });
  std::fprintf(stderr, "%s\n", describe(summary).c_str());
  return summary.whole ? 0 : 1;
}

int payload(const char* path) {
  const HashKey hash_key = make_hash_key();
  Database database(hash_key);
  const RdbLimits limits;
  Restored restored = restore_payload(contents(path), {database.allocator(), hash_key, limits});
  if (restored.end != RestoreEnd::restored) {
    std::fprintf(stderr, "%s\n",
                 restored.end == RestoreEnd::wrong_checksum
                     ? "DUMP payload version or checksum are wrong"
                     : restored.error.text.c_str());
    return 1;
  }
  const uint64_t hash = database.hash("k");
  restored.value.store(database, "k", hash, NewExpiry::none());
  RdbKey key;
  key.name = "k";
  std::printf("%s\n", rdb_json_line(key, *database.find("k", hash)).c_str());
  return 0;
}

RdbForm form_of(const std::string& name) {
  if (name == "10") return RdbForm::redis10;
  if (name == "11") return RdbForm::redis11;
  if (name == "12") return RdbForm::redis12;
  if (name == "80") return RdbForm::valkey80;
  return name == "1" ? RdbForm::redoubt1 : RdbForm::automatic;
}

int write_databases(const std::vector<Snapshot::Source>& sources, const std::string& form,
                    const std::vector<std::string>& functions, size_t whole_parts,
                    const char* path) {
  RdbWriterOptions options;
  options.form = form_of(form);
  options.functions = functions;
  options.aux = {{"redis-ver", "7.0.15"}, {"redis-bits", "64"}};
  for (const Snapshot::Source& source : sources) {
    options.sizes.push_back({source.index, source.database->size(), source.database->expiring()});
  }
  SnapshotLimits limits;
  limits.whole_parts = whole_parts;
  std::string error;
  const std::string file = written_file(sources, options, limits, &error);
  if (!error.empty()) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }
  write_file(path, file);
  return 0;
}

int convert(const char* from, const std::string& form, const char* to) {
  const HashKey hash_key = make_hash_key();
  LoadedFile loaded(hash_key);
  if (!loaded.load(contents(from), 4096, 1000, {}, {.skip_modules = true})) {
    std::fprintf(stderr, "%s\n", loaded.error.text.c_str());
    return 1;
  }
  std::vector<Snapshot::Source> sources;
  for (size_t i = 0; i < loaded.databases.size(); ++i) {
    if (loaded.databases[i]->size() == 0) continue;
    sources.push_back({static_cast<int>(i), loaded.databases[i].get()});
  }
  return write_databases(sources, form, loaded.functions, 64, to);
}

int random(uint64_t seed, const std::string& form, const char* to) {
  RandomWriter writer(seed, PassBug::none);
  for (int i = 0; i < 500; ++i) writer.write();
  // Without what the form does not hold.
  for (size_t i = 0; i < writer.database_count(); ++i) {
    Database& database = writer.database(i);
    std::vector<std::string> names;
    database.dict().for_each([&](Entry& entry) {
      if (!dump_payload(entry, false, form_of(form))) names.emplace_back(entry.key());
    });
    for (const std::string& name : names) database.erase(name, database.hash(name));
  }
  return write_databases(writer.sources(), form, {}, 1 + seed % 40, to);
}

int run(const std::vector<std::string>& args) {
  if (args.size() == 3 && args[1] == "dump") return dump(args[2].c_str(), false);
  if (args.size() == 3 && args[1] == "check") return dump(args[2].c_str(), true);
  if (args.size() == 3 && args[1] == "payload") return payload(args[2].c_str());
  if (args.size() == 5 && args[1] == "convert") {
    return convert(args[2].c_str(), args[3], args[4].c_str());
  }
  if (args.size() == 5 && args[1] == "random") {
    return random(std::strtoull(args[2].c_str(), nullptr, 10), args[3], args[4].c_str());
  }
  std::fprintf(stderr,
               "usage: rdbtool dump|check|payload FILE | convert FILE FORM OUT | "
               "random SEED FORM OUT\n");
  return 2;
}

}  // namespace
}  // namespace redoubt

int main(int argc, char** argv) {
  return redoubt::run({argv, argv + argc});
}

#include "server/check_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engine/persist/aof/aof_check.h"
#include "engine/persist/aof/manifest.h"
#include "engine/persist/rdb/json.h"
#include "engine/store/hash.h"

namespace redoubt {

namespace {

// A file that is read from its beginning to its end.
class FileReader {
 public:
  explicit FileReader(const std::string& path) : file_(open(path)) {
    if (file_ == nullptr) error_ = std::strerror(errno);
  }
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader() {
    if (file_ != nullptr) std::fclose(file_);
  }

  // Why it could not be opened or read; empty: nothing went wrong.
  const std::string& error() const { return error_; }
  // Puts bytes back in front of what is read next.
  void put_back(std::string bytes) { back_ = std::move(bytes); }
  std::string_view read() {
    if (!back_.empty()) {
      held_ = std::move(back_);
      back_.clear();
      return held_;
    }
    if (file_ == nullptr) return {};
    const size_t size = std::fread(room_, 1, sizeof room_, file_);
    if (size == 0 && std::ferror(file_) != 0) error_ = std::strerror(errno);
    return {room_, size};
  }
  bool seek(uint64_t to) { return std::fseek(file_, static_cast<long>(to), SEEK_SET) == 0; }

 private:
  // Null, with errno: also for a pipe, whose other end may never be there.
  static std::FILE* open(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return nullptr;
    struct stat status{};
    if (::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode)) {
      ::close(descriptor);
      errno = ESPIPE;
      return nullptr;
    }
    return ::fdopen(descriptor, "rb");
  }

  std::FILE* file_;
  std::string error_;
  std::string back_;
  std::string held_;
  char room_[64 * 1024];
};

// Nothing of a checked file depends on it.
HashKey fixed_hash_key() {
  return HashKey([] { return uint64_t{0x9e3779b97f4a7c15}; });
}

int fail(const std::string& path, const std::string& why) {
  fmt::print(stderr, "{}: {}\n", path, why);
  return 1;
}

int check_rdb_file(const std::string& path, bool print) {
  const auto file = std::make_unique<FileReader>(path);
  if (!file->error().empty()) return fail(path, file->error());
  const HashKey hash_key = fixed_hash_key();
  const RdbRead read = [&] { return file->read(); };
  const RdbSummary summary = print ? dump_rdb(read, hash_key,
                                              [](std::string_view text) {
                                                std::fwrite(text.data(), 1, text.size(), stdout);
                                              })
                                   : check_rdb(read, hash_key);
  if (!file->error().empty()) return fail(path, file->error());
  if (!summary.whole) {
    return fail(path, fmt::format("{} at byte {}", summary.error.text, summary.error.offset));
  }
  if (!print) fmt::print("{}: {}\n", path, describe(summary));
  return 0;
}

bool is_rdb(std::string_view bytes) {
  return bytes.starts_with("REDIS") || bytes.starts_with("VALKEY") || bytes.starts_with("REDOUBT");
}

// One file of a log. False: it is not whole, and was not or could not be mended.
bool check_log_file(const std::string& path, bool is_last, bool fix) {
  const auto file = std::make_unique<FileReader>(path);
  if (!file->error().empty()) {
    fail(path, file->error());
    return false;
  }
  uint64_t from = 0;
  const std::string beginning(file->read());
  file->put_back(beginning);
  if (is_rdb(beginning)) {
    const RdbSummary summary = check_rdb([&] { return file->read(); }, fixed_hash_key());
    if (!summary.whole) {
      fail(path, fmt::format("{} at byte {}", summary.error.text, summary.error.offset));
      return false;
    }
    fmt::print("{}: {}\n", path, describe(summary));
    from = summary.bytes;
    if (!file->seek(from)) return false;
  }
  const AofCheck check = check_aof([&] { return file->read(); }, from);
  if (!file->error().empty()) {
    fail(path, file->error());
    return false;
  }
  fmt::print("{}: {} entries, {} of them with a checksum; whole up to byte {}\n", path,
             check.entries, check.marked, check.good_bytes);
  if (check.problem.empty()) return true;
  fmt::print("{}: {}\n", path, check.problem);
  if (!fix) return false;
  if (check.good_bytes == 0) {
    fmt::print("{}: nothing of it is an append-only file; it was not changed\n", path);
    return false;
  }
  if (!is_last) {
    fmt::print("{}: only the last file of a log can be mended: others follow this one\n", path);
    return false;
  }
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool cut = descriptor >= 0 &&
                   ::ftruncate(descriptor, static_cast<off_t>(check.good_bytes)) == 0 &&
                   ::fsync(descriptor) == 0;
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!cut) {
    fail(path, std::strerror(error));
    return false;
  }
  fmt::print("{}: what is behind byte {} was cut off\n", path, check.good_bytes);
  return true;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

// A manifest with all that it lists, or a single file.
int check_log(const std::string& path, bool fix) {
  if (!path.ends_with(".manifest")) return check_log_file(path, true, fix) ? 0 : 1;
  FileReader file(path);
  std::string text;
  for (std::string_view bytes = file.read(); !bytes.empty(); bytes = file.read()) text += bytes;
  if (!file.error().empty()) return fail(path, file.error());
  AofManifest manifest;
  std::string problem;
  if (!AofManifest::parse(text, &manifest, &problem)) return fail(path, problem);
  std::vector<std::string> names;
  if (manifest.base) names.push_back(manifest.base->name);
  for (const AofManifest::File& increment : manifest.increments) names.push_back(increment.name);
  bool good = true;
  for (size_t i = 0; i < names.size(); ++i) {
    good = check_log_file(folder_of(path) + names[i], i + 1 == names.size(), fix) && good;
  }
  fmt::print("{}: {}\n", path, good ? "all files are whole" : "not all files are whole");
  return good ? 0 : 1;
}

}  // namespace

bool run_file_mode(const std::vector<std::string>& arguments, int* status) {
  if (arguments.empty()) return false;
  const std::string& mode = arguments[0];
  const bool rdb = mode == "--check-rdb" || mode == "--dump-rdb";
  if (!rdb && mode != "--check-aof") return false;
  const bool fix = arguments.size() == 3 && !rdb && arguments[2] == "--fix";
  if (arguments.size() != 2 && !fix) {
    fmt::print(stderr, "redoubt-server: {} FILE{}\n", mode, rdb ? "" : " [--fix]");
    *status = 1;
    return true;
  }
  *status = rdb ? check_rdb_file(arguments[1], mode == "--dump-rdb") : check_log(arguments[1], fix);
  return true;
}

}  // namespace redoubt

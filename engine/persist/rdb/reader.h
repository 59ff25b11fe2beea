// RdbReader: loads an RDB file, in steps, from bytes as they come.
//
// The owner feeds bytes of any number and calls step() with a budget; the reader builds values
// straight into the databases that the owner gives it, and tells it of everything through an
// RdbListener. No step is longer than its budget, but for an item that has to be looked at as a
// whole: a string, or a block of elements of a small collection. Memory is taken for bytes that
// have come, never for what a length claims.
//
// It reads what Redis writes in versions 1 to 12, and of 13 to 15 what is known of them; Valkey's
// version 80; and our own (format.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/persist/rdb/format.h"
#include "engine/persist/rdb/input.h"
#include "engine/persist/rdb/limits.h"
#include "engine/persist/rdb/value_parser.h"
#include "engine/store/database.h"

namespace redoubt {

// A key of a file.
struct RdbKey {
  uint64_t database = 0;
  std::string_view name;
  uint64_t hash = 0;  // of the name
  std::optional<int64_t> expiry_ms;
  std::optional<uint64_t> idle_s;    // since it was used last
  std::optional<uint8_t> frequency;  // the counter of an LFU policy
};

// Views are valid until the call returns.
class RdbListener {
 public:
  virtual ~RdbListener() = default;

  // The database with this index, which outlives the reader; null: there is none, an error. Keys in
  // front of all others belong to database 0.
  virtual Database* database(uint64_t index) = 0;
  // How many keys the file says that the database has.
  virtual void sizes(uint64_t /*keys*/, uint64_t /*expiring*/) {}
  // Whether a key is to be kept, asked before its value is read. The value of one that is not is
  // read and checked nevertheless.
  virtual bool keeps(const RdbKey& /*key*/) { return true; }
  // Whether a key that the database has is to be replaced. False: an error.
  virtual bool replaces(const RdbKey& /*key*/) { return false; }
  // The key is in the database now. It may be taken out again.
  virtual void loaded(const RdbKey& /*key*/, Database& /*database*/) {}
  // A key without a value was passed over: `what` says why.
  virtual void skipped(const RdbKey& /*key*/, std::string_view /*what*/) {}

  virtual void aux(std::string_view /*name*/, std::string_view /*value*/) {}
  // The source of a library of functions.
  virtual void function(std::string_view /*source*/) {}
  // Data of a module beside keys was passed over.
  virtual void module_data(std::string_view /*module*/) {}
};

struct RdbReaderOptions {
  bool verify_checksum = true;
  // Values and data of modules are passed over; otherwise they are an error.
  bool skip_modules = false;
};

class RdbReader {
 public:
  enum class Status : uint8_t {
    needs_bytes,  // all that came has been read
    more_steps,   // the budget was used up
    done,         // the file is complete; rest() is what came behind it
    failed,       // error() says why
  };

  // Listener and hash key outlive it.
  RdbReader(RdbListener& listener, const HashKey& hash_key, const RdbLimits& limits,
            const RdbReaderOptions& options);

  // The next bytes of the file. They are copied.
  void feed(std::string_view bytes);
  // No more bytes come: where more are needed, it fails.
  void end() { ended_ = true; }
  // Goes on. Takes from the budget an element each, and more for long ones.
  Status step(size_t& budget);

  const RdbError& error() const { return error_; }
  // How far it has read, in bytes of the file.
  uint64_t offset() const { return offset_; }
  uint64_t keys() const { return keys_; }
  // Keys that are not there because their values were a module's, or empty.
  uint64_t skipped_keys() const { return skipped_keys_; }
  // What the file is, once its first bytes have been read.
  const RdbVersion& version() const { return version_; }
  // Bytes that are there and have not been read: behind the end of the file, once it is done.
  std::string_view rest() const { return std::string_view(buffer_).substr(position_); }

 private:
  enum class State : uint8_t { magic, record, value, module_aux, key_meta, checksum, done, failed };

  // A key whose hash was computed ahead of its turn.
  struct Ahead {
    uint64_t offset = 0;
    uint64_t hash = 0;
  };
  static constexpr size_t kAhead = 16;

  RdbStep run(RdbInput& in, size_t& budget);
  RdbStep run_magic(RdbInput& in);
  RdbStep run_record(RdbInput& in, size_t& budget);
  RdbStep run_opcode(RdbInput& in, RdbOpcode opcode);
  RdbStep run_opcode_243(RdbInput& in);
  RdbStep run_key(RdbInput& in, size_t& budget);
  RdbStep run_value(RdbInput& in, size_t& budget);
  RdbStep run_module_aux(RdbInput& in, size_t& budget);
  RdbStep run_key_meta(RdbInput& in, size_t& budget);
  RdbStep run_module_unit(RdbInput& in, bool& end);
  RdbStep run_checksum(RdbInput& in);
  RdbStep run_texts(RdbInput& in, size_t count);
  bool select(uint64_t index);
  const char* begin_key(std::string_view name, uint64_t hash, bool& keep);
  void end_key();
  void look_ahead(RdbInput in);
  uint64_t hash_of(std::string_view name, uint64_t offset);
  void consume(const RdbInput& in);
  void fail(const RdbInput& in);

  RdbListener& listener_;
  const RdbReaderOptions options_;
  RdbValueParser parser_;

  std::string buffer_;
  size_t position_ = 0;  // in the buffer
  uint64_t offset_ = 0;
  uint64_t wanted_ = 0;  // bytes that have to be there before it is worth while to go on
  bool ended_ = false;

  State state_ = State::magic;
  RdbVersion version_;
  RdbError error_;
  uint64_t crc_ = 0;
  uint64_t keys_ = 0;
  uint64_t skipped_keys_ = 0;

  Database* database_ = nullptr;
  RdbKey key_;            // with what stood in front of it
  std::string key_name_;  // when its value comes in parts
  bool keep_ = true;
  uint64_t parts_left_ = 0;
  RdbText texts_[2];
  std::array<Ahead, kAhead> ahead_;
  size_t ahead_count_ = 0;
  size_t ahead_next_ = 0;
  uint64_t ahead_to_ = 0;  // a record from here on has not been looked at
};

// Text for an error: a key with its bytes that are no printable ASCII written as \xNN, and cut.
std::string rdb_printable(std::string_view bytes);

// The name of a module from its id: nine letters of six bits.
std::string rdb_module_name(uint64_t id);

}  // namespace redoubt

#include "engine/persist/rdb/reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/persist/rdb/crc64.h"

namespace redoubt {

namespace {

constexpr int kNewestRedis = 15;
constexpr int kValkey = 80;
constexpr int kRedoubt = 1;
// From this version on there is a checksum.
constexpr int kFirstWithChecksum = 5;
// From this version on opcode 243 is that of Redis.
constexpr int kFirstWithKeyMeta = 13;
constexpr int64_t kMsPerSecond = 1000;

std::optional<int> number_of(std::string_view digits) {
  int number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

}  // namespace

std::string rdb_printable(std::string_view bytes) {
  constexpr size_t kMost = 64;
  std::string text;
  for (const char c : bytes.substr(0, kMost)) {
    if (c >= ' ' && c <= '~' && c != '\\') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
    }
  }
  return bytes.size() > kMost ? text + "..." : text;
}

std::string rdb_module_name(uint64_t id) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string name;
  for (int shift = 58; shift >= 10; shift -= 6) name += kLetters[id >> shift & 63];
  return name;
}

RdbReader::RdbReader(RdbListener& listener, const HashKey& hash_key, const RdbLimits& limits,
                     const RdbReaderOptions& options)
    : listener_(listener), options_(options), parser_(hash_key, limits) {}

void RdbReader::feed(std::string_view bytes) {
  ASSERT(!ended_);
  if (position_ > 0) {
    buffer_.erase(0, position_);
    position_ = 0;
  }
  // What a large item needed is not kept.
  constexpr size_t kKeptBytes = 4 << 20;
  if (buffer_.capacity() > kKeptBytes && buffer_.size() + bytes.size() < kKeptBytes) {
    buffer_.shrink_to_fit();
  }
  buffer_.append(bytes);
}

RdbReader::Status RdbReader::step(size_t& budget) {
  if (state_ == State::failed) return Status::failed;
  if (state_ == State::done) return Status::done;
  if (rest().size() < wanted_ && !ended_) return Status::needs_bytes;
  const std::string_view there = rest();
  RdbInput in({reinterpret_cast<const uint8_t*>(there.data()), there.size()}, offset_);
  const RdbStep step = run(in, budget);
  consume(in);
  wanted_ = 0;
  switch (step) {
    case RdbStep::done: state_ = State::done; return Status::done;
    case RdbStep::more_steps: return Status::more_steps;
    case RdbStep::more_bytes:
      if (!ended_) {
        wanted_ = in.left() + in.missing();
        return Status::needs_bytes;
      }
      error_ = {offset_ + in.left(), "the file ends too early"};
      break;
    case RdbStep::failed: fail(in); break;
  }
  parser_.reset();
  state_ = State::failed;
  return Status::failed;
}

// What has been read leaves the buffer.
void RdbReader::consume(const RdbInput& in) {
  const auto count = static_cast<size_t>(in.offset() - offset_);
  if (state_ != State::done && state_ != State::checksum) {
    crc_ = crc64(crc_, rest().substr(0, count));
  }
  position_ += count;
  offset_ += count;
}

void RdbReader::fail(const RdbInput& in) {
  error_.offset = in.offset();
  error_.text = in.fault();
  const bool in_key = state_ == State::value || !key_.name.empty();
  if (in_key) error_.text += fmt::format(", in key '{}'", rdb_printable(key_.name));
}

RdbStep RdbReader::run(RdbInput& in, size_t& budget) {
  for (;;) {
    if (budget == 0) return RdbStep::more_steps;
    RdbStep step = RdbStep::done;
    switch (state_) {
      case State::magic: step = run_magic(in); break;
      case State::record: step = run_record(in, budget); break;
      case State::value: step = run_value(in, budget); break;
      case State::module_aux: step = run_module_aux(in, budget); break;
      case State::key_meta: step = run_key_meta(in, budget); break;
      case State::checksum: step = run_checksum(in); break;
      case State::done: return RdbStep::done;
      case State::failed: UNREACHABLE();
    }
    if (step != RdbStep::done) return step;
  }
}

// --- head and end

RdbStep RdbReader::run_magic(RdbInput& in) {
  RdbInput item = in;
  const std::string_view magic = item.bytes(kRdbMagicBytes);
  if (!in.take_failure(item)) return stopped(in);
  std::optional<int> number;
  if (magic.starts_with("REDIS")) {
    version_.family = RdbFamily::redis;
    number = number_of(magic.substr(5));
  } else if (magic.starts_with("VALKEY")) {
    version_.family = RdbFamily::valkey;
    number = number_of(magic.substr(6));
  } else if (magic.starts_with("REDOUBT")) {
    version_.family = RdbFamily::redoubt;
    number = number_of(magic.substr(7));
  } else {
    return failed(in, "no RDB file: it does not begin like one");
  }
  if (!number) return failed(in, "no RDB file: its version is no number");
  version_.number = *number;
  const bool known = version_.family == RdbFamily::redis
                         ? *number >= 1 && *number <= kNewestRedis
                         : *number == (version_.family == RdbFamily::valkey ? kValkey : kRedoubt);
  if (!known) return failed(in, "an RDB version that is not known here");
  in = item;
  state_ = State::record;
  return RdbStep::done;
}

RdbStep RdbReader::run_checksum(RdbInput& in) {
  RdbInput item = in;
  const auto told = item.little<uint64_t>();
  if (!in.take_failure(item)) return stopped(in);
  if (options_.verify_checksum && told != 0 && told != crc_) {
    return failed(in, "the checksum is not that of the file");
  }
  in = item;
  state_ = State::done;
  return RdbStep::done;
}

// --- opcodes

RdbStep RdbReader::run_record(RdbInput& in, size_t& budget) {
  RdbInput item = in;
  const uint8_t first = item.u8();
  if (!in.take_failure(item)) return stopped(in);
  if (first < kRdbFirstOpcode) return run_key(in, budget);
  spend(budget, 0);
  return run_opcode(in, static_cast<RdbOpcode>(first));
}

// Whether the opcode and `count` strings are there; reads them.
RdbStep RdbReader::run_texts(RdbInput& in, size_t count) {
  RdbInput whole = in;
  whole.skip(1);
  for (size_t i = 0; i < count; ++i) whole.skip_text();
  if (!in.take_failure(whole)) return stopped(in);
  RdbInput item = in;
  item.skip(1);
  for (size_t i = 0; i < count; ++i) item.text(texts_[i]);
  return in.take(item) ? RdbStep::done : stopped(in);
}

RdbStep RdbReader::run_opcode(RdbInput& in, RdbOpcode opcode) {
  RdbInput item = in;
  item.skip(1);
  switch (opcode) {
    case RdbOpcode::eof: {
      in = item;
      // The checksum covers the opcode.
      consume(in);
      state_ = State::checksum;
      const bool has_checksum =
          version_.family != RdbFamily::redis || version_.number >= kFirstWithChecksum;
      if (!has_checksum) state_ = State::done;
      return RdbStep::done;
    }
    case RdbOpcode::select_db: {
      const uint64_t index = item.length();
      if (!in.take_failure(item)) return stopped(in);
      if (!select(index)) return failed(in, "a database that is not there");
      break;
    }
    case RdbOpcode::resize_db: {
      const uint64_t keys = item.length();
      const uint64_t expiring = item.length();
      if (item.good()) listener_.sizes(keys, expiring);
      break;
    }
    case RdbOpcode::expire_s: {
      const auto seconds = item.little<int32_t>();
      if (item.good()) key_.expiry_ms = std::max(seconds, 0) * kMsPerSecond;
      break;
    }
    case RdbOpcode::expire_ms: {
      const auto ms = item.little<int64_t>();
      // What is before 1970 is over, however long.
      if (item.good()) key_.expiry_ms = std::max<int64_t>(ms, 0);
      break;
    }
    case RdbOpcode::frequency: {
      const uint8_t counter = item.u8();
      if (item.good()) key_.frequency = counter;
      break;
    }
    case RdbOpcode::idle: {
      const uint64_t seconds = item.length();
      if (item.good()) key_.idle_s = seconds;
      break;
    }
    case RdbOpcode::slot_info:
      for (int i = 0; i < 3; ++i) item.length();
      break;
    case RdbOpcode::aux: {
      const RdbStep step = run_texts(in, 2);
      if (step == RdbStep::done) listener_.aux(texts_[0].view(), texts_[1].view());
      return step;
    }
    case RdbOpcode::function2: {
      const RdbStep step = run_texts(in, 1);
      if (step == RdbStep::done) listener_.function(texts_[0].view());
      return step;
    }
    case RdbOpcode::function_before_release:
      return failed(in, "a function in the form of before Redis 7.0's release");
    case RdbOpcode::module_aux: {
      const uint64_t id = item.length();
      const uint64_t tag = item.length();
      item.length();
      if (!in.take_failure(item)) return stopped(in);
      if (tag != 2) return failed(in, "data of a module that has no beginning");
      if (!options_.skip_modules) return failed(in, "data of a module that is not there");
      listener_.module_data(rdb_module_name(id));
      in = item;
      state_ = State::module_aux;
      return RdbStep::done;
    }
    case RdbOpcode::key_meta: return run_opcode_243(in);
  }
  return in.take(item) ? RdbStep::done : stopped(in);
}

// Two opcodes: Valkey's for slots that are being imported, Redis's for what modules know of a key.
RdbStep RdbReader::run_opcode_243(RdbInput& in) {
  RdbInput item = in;
  item.skip(1);
  if (version_.family == RdbFamily::redis) {
    if (version_.number < kFirstWithKeyMeta) return failed(in, "an unknown type");
    const uint64_t classes = item.length();
    if (!in.take_failure(item)) return stopped(in);
    if (classes > 0 && !options_.skip_modules) {
      return failed(in, "data of a module that is not there");
    }
    constexpr uint64_t kClasses = 1024;
    if (classes > kClasses) return failed(in, "a key with too many modules");
    in = item;
    parts_left_ = 2 * classes;  // each is a word of 4 bytes and units
    state_ = State::key_meta;
    return RdbStep::done;
  }
  item.skip_text();
  const uint64_t ranges = item.length();
  if (!in.take_failure(item)) return stopped(in);
  constexpr uint64_t kSlots = 16384;
  if (ranges > kSlots) return failed(in, "a list of slots that is too long");
  for (uint64_t i = 0; i < 2 * ranges; ++i) item.length();
  return in.take(item) ? RdbStep::done : stopped(in);
}

RdbStep RdbReader::run_module_unit(RdbInput& in, bool& end) {
  RdbInput unit = in;
  const uint64_t tag = unit.length();
  end = tag == 0;
  switch (tag) {
    case 0: break;
    case 1:
    case 2: unit.length(); break;
    case 3: unit.skip(4); break;
    case 4: unit.skip(8); break;
    case 5: unit.skip_text(); break;
    default: unit.fail("an unknown part of a module's data");
  }
  return in.take(unit) ? RdbStep::done : stopped(in);
}

RdbStep RdbReader::run_module_aux(RdbInput& in, size_t& budget) {
  bool end = false;
  const RdbStep step = run_module_unit(in, end);
  spend(budget, 0);
  if (end && step == RdbStep::done) state_ = State::record;
  return step;
}

RdbStep RdbReader::run_key_meta(RdbInput& in, size_t& budget) {
  if (parts_left_ == 0) {
    state_ = State::record;
    return RdbStep::done;
  }
  spend(budget, 0);
  if (parts_left_ % 2 == 0) {
    RdbInput word = in;
    word.skip(4);
    if (!in.take(word)) return stopped(in);
    --parts_left_;
    return RdbStep::done;
  }
  bool end = false;
  const RdbStep step = run_module_unit(in, end);
  if (end && step == RdbStep::done) --parts_left_;
  return step;
}

// --- keys

bool RdbReader::select(uint64_t index) {
  database_ = listener_.database(index);
  key_.database = index;
  ahead_count_ = ahead_next_ = 0;
  ahead_to_ = 0;
  return database_ != nullptr;
}

// Where most keys go is not in a processor's cache, and nothing can be done before it is. So the
// hashes of the keys of the next strings are computed together, and their buckets are fetched.
void RdbReader::look_ahead(RdbInput in) {
  ahead_count_ = ahead_next_ = 0;
  while (ahead_count_ < kAhead) {
    const uint64_t offset = in.offset();
    const uint8_t first = in.u8();
    switch (first) {
      case static_cast<uint8_t>(RdbOpcode::expire_ms): in.skip(8); continue;
      case static_cast<uint8_t>(RdbOpcode::frequency): in.skip(1); continue;
      case static_cast<uint8_t>(RdbOpcode::idle): in.length(); continue;
      default: break;
    }
    if (!in.good() || first != static_cast<uint8_t>(RdbType::string)) break;
    RdbInput key = in;
    const std::string_view name = key.bytes(key.length());
    if (!key.good()) break;  // perhaps a number
    const uint64_t hash = database_->hash(name);
    database_->dict().prefetch_bucket(hash);
    ahead_[ahead_count_++] = {offset, hash};
    in = key;
    in.skip_text();
    if (!in.good()) break;
  }
  ahead_to_ = std::max(ahead_to_ + 1, ahead_count_ > 0 ? ahead_[ahead_count_ - 1].offset + 1 : 0);
}

uint64_t RdbReader::hash_of(std::string_view name, uint64_t offset) {
  while (ahead_next_ < ahead_count_ && ahead_[ahead_next_].offset < offset) ++ahead_next_;
  if (ahead_next_ < ahead_count_ && ahead_[ahead_next_].offset == offset) {
    return ahead_[ahead_next_].hash;
  }
  return database_->hash(name);
}

// What is wrong with the key, or null.
const char* RdbReader::begin_key(std::string_view name, uint64_t hash, bool& keep) {
  key_.name = name;
  key_.hash = hash;
  keep = listener_.keeps(key_);
  if (keep && database_->find(name, hash) != nullptr && !listener_.replaces(key_)) {
    return "a key that is there twice";
  }
  return nullptr;
}

// The next record is another key's.
void RdbReader::end_key() {
  key_.name = {};
  key_.expiry_ms.reset();
  key_.idle_s.reset();
  key_.frequency.reset();
}

RdbStep RdbReader::run_key(RdbInput& in, size_t& budget) {
  if (database_ == nullptr && !select(0)) return failed(in, "a database that is not there");
  if (in.offset() >= ahead_to_) {
    ahead_to_ = in.offset();
    look_ahead(in);
  }
  RdbInput item = in;
  const uint8_t type = item.u8();
  RdbInput whole = item;
  whole.skip_text();
  if (!in.take_failure(whole)) return stopped(in);
  const uint64_t key_offset = in.offset();
  item.text(texts_[0]);
  if (!in.take_failure(item)) return stopped(in);
  const std::string_view name = texts_[0].view();
  bool keep = true;
  const uint64_t hash = hash_of(name, key_offset);

  // Most values are short strings, which are there as a whole.
  constexpr uint64_t kShort = 4096;
  RdbInput value = item;
  if (type == static_cast<uint8_t>(RdbType::string)) value.skip_text();
  if (type == static_cast<uint8_t>(RdbType::string) && value.good() &&
      value.offset() - item.offset() < kShort) {
    item.text(texts_[1]);
    if (!in.take_failure(item)) return stopped(in);
    if (const char* why = begin_key(name, hash, keep)) return failed(in, why);
    if (keep) {
      const NewExpiry expiry = key_.expiry_ms ? NewExpiry::at(*key_.expiry_ms) : NewExpiry::none();
      database_->set_string(name, hash, texts_[1].view(), expiry);
      ++keys_;
      listener_.loaded(key_, *database_);
    }
    spend(budget, name.size() + texts_[1].view().size());
    in = item;
    end_key();
    return RdbStep::done;
  }

  key_.name = name;
  if (!parser_.begin(type, version_, database_->allocator())) return failed(in, "an unknown type");
  if (parser_.is_module() && !options_.skip_modules) {
    return failed(in, "a value of a module that is not there");
  }
  key_name_ = texts_[0].take();
  if (const char* why = begin_key(key_name_, hash, keep)) return failed(in, why);
  keep_ = keep;
  spend(budget, key_name_.size());
  in = item;
  state_ = State::value;
  return RdbStep::done;
}

RdbStep RdbReader::run_value(RdbInput& in, size_t& budget) {
  const RdbStep step = parser_.run(in, budget);
  if (step != RdbStep::done) return step;
  const bool module = parser_.is_module();
  RdbValue value = parser_.take();
  if (!value.there()) {
    ++skipped_keys_;
    listener_.skipped(key_, module ? "a value of a module" : "a value without elements");
  } else if (keep_) {
    const NewExpiry expiry = key_.expiry_ms ? NewExpiry::at(*key_.expiry_ms) : NewExpiry::none();
    value.store(*database_, key_.name, key_.hash, expiry);
    ++keys_;
    listener_.loaded(key_, *database_);
  }
  end_key();
  state_ = State::record;
  return RdbStep::done;
}

}  // namespace redoubt

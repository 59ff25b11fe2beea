#include "engine/persist/rdb/writer.h"

#include <fmt/format.h>

#include "engine/persist/rdb/crc64.h"
#include "engine/persist/rdb/reader.h"

namespace redoubt {

namespace {

std::string_view name_of(RdbForm form) {
  switch (form) {
    case RdbForm::redis11: return "version 11";
    case RdbForm::redis12: return "version 12";
    case RdbForm::valkey80: return "Valkey's version 80";
    default: return "version 10";
  }
}

}  // namespace

RdbWriter::RdbWriter(RdbWriterOptions options)
    : options_(std::move(options)), out_(options_.compress), values_(out_, options_.form) {
  if (options_.loses_field_deadline) values_.lose_field_deadline();
  ASSERT(options_.use == RdbUse::none || options_.use_of != nullptr);
  sized_.resize(options_.sizes.size());
  write_head();
}

void RdbWriter::write_head() {
  out_.raw(rdb_magic(options_.form));
  for (const auto& [name, value] : options_.aux) {
    out_.opcode(RdbOpcode::aux);
    out_.text(name);
    out_.text(value);
  }
  for (const std::string& source : options_.functions) {
    out_.opcode(RdbOpcode::function2);
    out_.text(source);
  }
}

std::string_view RdbWriter::magic() const {
  return rdb_magic(options_.form == RdbForm::automatic ? values_.needed() : options_.form);
}

std::string RdbWriter::take() {
  std::string taken = std::move(out_.bytes());
  out_.bytes() = std::move(spare_);
  out_.bytes().clear();
  spare_.clear();
  taken_bytes_ += taken.size();
  if (options_.checksum) crc_ = crc64(crc_, taken);
  return taken;
}

void RdbWriter::finish() {
  if (!good()) return;
  out_.opcode(RdbOpcode::eof);
  uint64_t checksum = 0;
  if (options_.checksum) {
    checksum = crc64(crc_, out_.bytes());
    // The difference that another beginning makes.
    const uint64_t other = crc64(0, rdb_magic(options_.form)) ^ crc64(0, magic());
    checksum = crc64_combine(other, checksum, bytes() - kRdbMagicBytes);
  }
  // Not part of what has the checksum.
  out_.little(checksum);
}

void RdbWriter::refuse(std::string_view key, const char* why) {
  error_ = fmt::format("key '{}' of database {}: {} cannot be written as RDB {}",
                       rdb_printable(key), database_, why, name_of(options_.form));
}

void RdbWriter::database(int index) {
  if (!good()) return;
  database_ = index;
  out_.opcode(RdbOpcode::select_db);
  out_.length(static_cast<uint64_t>(index));
  for (size_t i = 0; i < options_.sizes.size(); ++i) {
    const RdbWriterOptions::DatabaseSize& size = options_.sizes[i];
    if (size.index != index || sized_[i]) continue;
    sized_[i] = true;
    out_.opcode(RdbOpcode::resize_db);
    out_.length(size.keys);
    out_.length(size.expiring);
  }
}

void RdbWriter::write_attributes(const Entry& entry) {
  if (entry.has_expiry() && !options_.drops_deadlines) {
    out_.opcode(RdbOpcode::expire_ms);
    out_.little(entry.expiry_ms());
  }
  switch (options_.use) {
    case RdbUse::none: break;
    case RdbUse::idle_s:
      out_.opcode(RdbOpcode::idle);
      out_.length(options_.use_of(entry));
      break;
    case RdbUse::frequency:
      out_.opcode(RdbOpcode::frequency);
      out_.u8(static_cast<uint8_t>(options_.use_of(entry)));
      break;
  }
}

void RdbWriter::entry(const Entry& entry) {
  if (!good()) return;
  RdbType type = RdbType::string;
  if (const char* why = values_.choose(entry, type)) {
    refuse(entry.key(), why);
    return;
  }
  write_attributes(entry);
  out_.type(type);
  out_.text(entry.key());
  values_.write(type, entry);
  ++keys_;
}

// --- a value in parts

void RdbWriter::begin_value(const Entry& header, uint64_t count) {
  const bool deadlines = std::exchange(deadlines_, false);
  if (!good()) return;
  key_ = header.key();
  write_attributes(header);
  // The type of a stream follows from its facts, which come next.
  if (header.type() == Type::stream) return;
  if (const char* why = values_.choose_parts(header.type(), deadlines, type_)) {
    refuse(key_, why);
    return;
  }
  out_.type(type_);
  out_.text(key_);
  values_.begin_parts(type_, count);
  ++keys_;
}

void RdbWriter::end_value() {
  if (!good()) return;
  const bool stream =
      type_ == RdbType::stream2 || type_ == RdbType::stream3 || type_ == RdbType::stream_redoubt;
  if (stream) values_.stream().end();
  type_ = RdbType::string;
}

void RdbWriter::string_bytes(std::string_view bytes) {
  if (good()) out_.raw(bytes);
}

void RdbWriter::list_element(std::string_view text) {
  if (good()) out_.text(text);
}

void RdbWriter::set_member(std::string_view member, int64_t deadline_ms) {
  if (good()) values_.set_member(type_, member, deadline_ms);
}

void RdbWriter::hash_field(std::string_view name, std::string_view value, int64_t deadline_ms) {
  if (!good()) return;
  if (const char* why = values_.check_deadline(deadline_ms)) {
    refuse(key_, why);
    return;
  }
  values_.hash_field(type_, name, value, deadline_ms);
}

void RdbWriter::zset_member(std::string_view member, double score) {
  if (good()) values_.zset_member(member, score);
}

void RdbWriter::stream_facts(const StreamFacts& facts) {
  if (!good()) return;
  if (const char* why = values_.choose_stream(facts, type_)) {
    refuse(key_, why);
    return;
  }
  out_.type(type_);
  out_.text(key_);
  values_.stream().begin(type_, facts);
  ++keys_;
}

void RdbWriter::stream_block(const StreamBlock& block) {
  if (good()) values_.stream().block(block);
}

void RdbWriter::stream_entry(const StreamEntry& entry) {
  if (good()) values_.stream().entry(entry);
}

void RdbWriter::stream_group(const StreamGroupFacts& group) {
  if (good()) values_.stream().group(group);
}

void RdbWriter::stream_consumer(const StreamConsumerFacts& consumer) {
  if (good()) values_.stream().consumer(consumer);
}

void RdbWriter::stream_pending(const StreamPendingFacts& pending) {
  if (good()) values_.stream().pending(pending);
}

void RdbWriter::stream_idempotency(const StreamIdempotency& idempotency) {
  if (good()) values_.stream().idempotency(idempotency);
}

}  // namespace redoubt

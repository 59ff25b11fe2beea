#include "engine/store/stream_block.h"

#include <new>

namespace redoubt {

namespace {

constexpr uint8_t kDeleted = 1;
constexpr uint8_t kSameNames = 2;

size_t varint_size(uint64_t number) {
  size_t size = 1;
  for (; number >= 0x80; number >>= 7) ++size;
  return size;
}

char* put_varint(char* to, uint64_t number) {
  for (; number >= 0x80; number >>= 7) *to++ = static_cast<char>(number | 0x80);
  *to++ = static_cast<char>(number);
  return to;
}

uint64_t get_varint(const char*& at) {
  uint64_t number = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(*at++);
    number |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return number;
  }
}

// The same, to be read from behind.
char* put_varint_backwards(char* to, uint64_t number) {
  const size_t size = varint_size(number);
  char* at = to + size;
  for (; number >= 0x80; number >>= 7) *--at = static_cast<char>(number | 0x80);
  *--at = static_cast<char>(number);
  return to + size;
}

uint64_t get_varint_before(const char*& at) {
  uint64_t number = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(*--at);
    number |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return number;
  }
}

size_t text_size(std::string_view text) {
  return varint_size(text.size()) + text.size();
}

char* put_text(char* to, std::string_view text) {
  to = put_varint(to, text.size());
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

// --- what Redis's own format would take

size_t listpack_element(size_t encoded) {
  const size_t back = encoded <= 127          ? 1
                      : encoded < 16'383      ? 2
                      : encoded < 2'097'151   ? 3
                      : encoded < 268'435'455 ? 4
                                              : 5;
  return encoded + back;
}

size_t listpack_integer(int64_t number) {
  if (number >= 0 && number <= 127) return listpack_element(1);
  if (number >= -4096 && number <= 4095) return listpack_element(2);
  if (number >= -32'768 && number <= 32'767) return listpack_element(3);
  if (number >= -8'388'608 && number <= 8'388'607) return listpack_element(4);
  if (number >= -2'147'483'648 && number <= 2'147'483'647) return listpack_element(5);
  return listpack_element(9);
}

size_t listpack_text(std::string_view text) {
  if (!text.empty() && text.size() <= 20 &&
      (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'))) {
    if (const std::optional<int64_t> number = parse_integer(text)) return listpack_integer(*number);
  }
  const size_t head = text.size() < 64 ? 1 : text.size() < 4096 ? 2 : 5;
  return listpack_element(head + text.size());
}

// Header and end of a block, and its first entry's names with their count and a zero behind.
size_t listpack_head(std::span<const std::string_view> fields) {
  size_t bytes = 7 + listpack_integer(static_cast<int64_t>(fields.size() / 2)) + 2;
  for (size_t i = 0; i < fields.size(); i += 2) bytes += listpack_text(fields[i]);
  return bytes;
}

size_t listpack_entry(StreamId id, StreamId first, std::span<const std::string_view> fields,
                      bool same_names) {
  const auto count = static_cast<int64_t>(fields.size() / 2);
  size_t bytes = 2 + listpack_integer(static_cast<int64_t>(id.ms - first.ms)) +
                 listpack_integer(static_cast<int64_t>(id.seq - first.seq));
  for (size_t i = same_names ? 1 : 0; i < fields.size(); i += same_names ? 2 : 1) {
    bytes += listpack_text(fields[i]);
  }
  if (same_names) return bytes + listpack_integer(count + 3);
  return bytes + listpack_integer(count) + listpack_integer(2 * count + 4);
}

}  // namespace

std::string_view StreamEntry::read_text(const char*& at) {
  const size_t size = get_varint(at);
  const std::string_view text(at, size);
  at += size;
  return text;
}

// Makes room for `bytes` more: an eighth more than needed, so that a block is moved some twenty
// times while it grows and no more than a ninth of it is empty.
StreamBlock* StreamBlock::reserve(ValueMemory& memory, StreamBlock* block, size_t bytes) {
  const size_t used = block == nullptr ? 0 : block->size;
  if (block != nullptr && block->capacity - used >= bytes) return block;
  const size_t wanted = sizeof(StreamBlock) + used + bytes;
  const size_t piece = counted_size(block == nullptr ? wanted : wanted + wanted / 8);
  char* made = static_cast<char*>(memory.allocate(piece));
  if (block == nullptr) {
    new (made) StreamBlock{};
  } else {
    std::memcpy(made, block, sizeof(StreamBlock) + used);
    memory.release(block, sizeof(StreamBlock) + block->capacity);
  }
  StreamBlock* result = reinterpret_cast<StreamBlock*>(made);
  result->capacity = static_cast<uint32_t>(piece - sizeof(StreamBlock));
  return result;
}

StreamBlock* StreamBlock::make(ValueMemory& memory, StreamId id,
                               std::span<const std::string_view> fields) {
  size_t names = 0;
  for (size_t i = 0; i < fields.size(); i += 2) names += text_size(fields[i]);
  StreamBlock* block = reserve(memory, nullptr, names);
  block->first = id;
  char* to = block->data();
  for (size_t i = 0; i < fields.size(); i += 2) to = put_text(to, fields[i]);
  block->size = block->names_end = block->begin = static_cast<uint32_t>(names);
  block->field_count = static_cast<uint32_t>(fields.size() / 2);
  block->listpack_bytes = static_cast<uint32_t>(listpack_head(fields));
  return append(memory, block, id, fields, true);
}

StreamBlock* StreamBlock::copy(ValueMemory& memory, const StreamBlock& block) {
  const size_t piece = counted_size(sizeof(StreamBlock) + block.size);
  char* made = static_cast<char*>(memory.allocate(piece));
  std::memcpy(made, &block, sizeof(StreamBlock) + block.size);
  StreamBlock* result = reinterpret_cast<StreamBlock*>(made);
  result->capacity = static_cast<uint32_t>(piece - sizeof(StreamBlock));
  return result;
}

void StreamBlock::free(ValueMemory& memory, StreamBlock* block) {
  memory.release(block, sizeof(StreamBlock) + block->capacity);
}

bool StreamBlock::is_full(std::span<const std::string_view> fields,
                          const StreamLimits& limits) const {
  size_t bytes = 0;
  for (const std::string_view each : fields) bytes += each.size();
  const size_t bytes_max = limits.block_bytes_max == 0
                               ? kEntryBytesMax
                               : std::min<uint64_t>(limits.block_bytes_max, kEntryBytesMax);
  const size_t counts = listpack_integer(live) + listpack_integer(total - live);
  if (listpack_bytes + counts + bytes >= bytes_max) return true;
  return limits.block_entries_max != 0 && total >= limits.block_entries_max;
}

bool StreamBlock::has_same_names(std::span<const std::string_view> fields) const {
  if (fields.size() / 2 != field_count) return false;
  const char* at = data();
  for (size_t i = 0; i < fields.size(); i += 2) {
    if (StreamEntry::read_text(at) != fields[i]) return false;
  }
  return true;
}

StreamBlock* StreamBlock::append(ValueMemory& memory, StreamBlock* block, StreamId id,
                                 std::span<const std::string_view> fields, bool same_names) {
  constexpr size_t kNumbersMax = 10 + 1 + 10 + 10 + 10 + 10;
  size_t bytes = kNumbersMax;
  for (size_t i = same_names ? 1 : 0; i < fields.size(); i += same_names ? 2 : 1) {
    bytes += text_size(fields[i]);
  }
  block = reserve(memory, block, bytes);
  block->listpack_bytes +=
      static_cast<uint32_t>(listpack_entry(id, block->first, fields, same_names));
  block->write_entry(id, fields, same_names);
  block->last = id;
  ++block->live;
  ++block->total;
  return block;
}

void StreamBlock::write_entry(StreamId id, std::span<const std::string_view> fields,
                              bool same_names) {
  const uint64_t ms = id.ms - first.ms;
  const uint64_t seq = ms == 0 ? id.seq - first.seq : id.seq;
  size_t body = 1 + varint_size(ms) + varint_size(seq);
  if (!same_names) body += varint_size(fields.size() / 2);
  const size_t step = same_names ? 2 : 1;
  for (size_t i = step - 1; i < fields.size(); i += step) body += text_size(fields[i]);
  char* const start = data() + size;
  char* to = put_varint(start, body);
  *to++ = static_cast<char>(same_names ? kSameNames : 0);
  to = put_varint(to, ms);
  to = put_varint(to, seq);
  if (!same_names) to = put_varint(to, fields.size() / 2);
  for (size_t i = step - 1; i < fields.size(); i += step) to = put_text(to, fields[i]);
  to = put_varint_backwards(to, static_cast<uint64_t>(to - start));
  size = static_cast<uint32_t>(to - data());
  ASSERT(size <= capacity);
}

void StreamBlock::read(uint32_t offset, StreamEntry& entry) const {
  const char* at = data() + offset;
  const uint64_t body = get_varint(at);
  const char* const end = at + body;
  entry.at_ = offset;
  entry.flags_ = static_cast<uint32_t>(at - data());
  const auto flags = static_cast<uint8_t>(*at++);
  entry.deleted_ = (flags & kDeleted) != 0;
  const uint64_t ms = get_varint(at);
  const uint64_t seq = get_varint(at);
  entry.id = {first.ms + ms, ms == 0 ? first.seq + seq : seq};
  const bool same_names = (flags & kSameNames) != 0;
  entry.names_ = same_names ? data() : nullptr;
  entry.field_count = same_names ? field_count : static_cast<uint32_t>(get_varint(at));
  entry.fields_ = at;
  const auto written = static_cast<uint64_t>(end - (data() + offset));
  entry.next_ = static_cast<uint32_t>(offset + written + varint_size(written));
}

bool StreamBlock::read_next(uint32_t& offset, StreamEntry& entry) const {
  while (offset < size) {
    read(offset, entry);
    offset = entry.next_;
    if (!entry.deleted_) return true;
  }
  return false;
}

bool StreamBlock::read_previous(uint32_t& offset, StreamEntry& entry) const {
  while (offset > begin) {
    const char* at = data() + offset;
    const uint64_t written = get_varint_before(at);
    offset = static_cast<uint32_t>(static_cast<uint64_t>(at - data()) - written);
    read(offset, entry);
    if (!entry.deleted_) return true;
  }
  return false;
}

bool StreamBlock::find(StreamId id, StreamEntry& entry) const {
  if (id < first || last < id) return false;
  uint32_t offset = begin;
  while (read_next(offset, entry)) {
    if (entry.id >= id) return entry.id == id;
  }
  return false;
}

uint64_t StreamBlock::count_between(StreamId start, StreamId end) const {
  if (last < start) return 0;
  uint64_t count = 0;
  StreamEntry entry;
  uint32_t offset = begin;
  while (read_next(offset, entry) && entry.id <= end) count += entry.id >= start ? 1 : 0;
  return count;
}

void StreamBlock::erase(const StreamEntry& entry) {
  ASSERT(!entry.deleted_ && live > 0);
  data()[entry.flags_] = static_cast<char>(data()[entry.flags_] | kDeleted);
  --live;
  StreamEntry next = entry;
  for (; begin == next.at_ && begin < size; read(begin, next)) {
    const auto flags = static_cast<uint8_t>(data()[next.flags_]);
    if ((flags & kDeleted) == 0) break;
    begin = next.next_;
    if (begin == size) break;
  }
}

}  // namespace redoubt

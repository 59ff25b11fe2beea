#include "engine/persist/rdb/value_writer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "engine/store/database.h"
#include "engine/store/deadlines.h"
#include "engine/store/hash_type.h"
#include "engine/store/list_type.h"
#include "engine/store/set_type.h"
#include "engine/store/stream_type.h"
#include "engine/store/zset.h"

namespace redoubt {

namespace {

// Deadlines of 0 and less stand for none; what has such a one is over anyway.
int64_t storable(int64_t deadline_ms) {
  return std::max<int64_t>(deadline_ms, 1);
}

const uint8_t* block_of(const Entry& entry) {
  return static_cast<const uint8_t*>(entry.outside());
}

void add(std::string& block, const Listpack::Element& element) {
  if (element.is_number) {
    Listpack::append_encoded(block, element.number);
  } else {
    Listpack::append_encoded(block, element.text);
  }
}

}  // namespace

// The value needs this form at least.
const char* RdbValueWriter::need(RdbForm form, const char* why) {
  if (form_ != RdbForm::automatic) return form_ < form ? why : nullptr;
  needed_ = std::max(needed_, form);
  return nullptr;
}

const char* RdbValueWriter::check_deadline(int64_t deadline_ms) {
  if (deadline_ms == kNeverExpires || deadline_ms <= kRedisDeadlineMax) return nullptr;
  if (form_ == RdbForm::valkey80) return nullptr;
  return need(RdbForm::redoubt1, "deadlines of fields that are so late");
}

const char* RdbValueWriter::choose_hash(bool small, bool deadlines, RdbType& type) {
  if (!deadlines) {
    type = small ? RdbType::hash_listpack : RdbType::hash;
    return nullptr;
  }
  if (form_ == RdbForm::valkey80) {
    type = RdbType::hash_deadlines_old;
    return nullptr;
  }
  type = small ? RdbType::hash_listpack_deadlines : RdbType::hash_deadlines;
  return need(RdbForm::redis12, "hashes whose fields have deadlines");
}

const char* RdbValueWriter::choose_parts(Type type_of_value, bool deadlines, RdbType& type) {
  minimum_ms_ = 1;
  switch (type_of_value) {
    case Type::string: type = RdbType::string; break;
    case Type::list: type = RdbType::list; break;
    case Type::zset: type = RdbType::zset; break;
    case Type::hash: return choose_hash(false, deadlines, type);
    case Type::set:
      type = deadlines ? RdbType::set_deadlines : RdbType::set;
      return deadlines ? need(RdbForm::redoubt1, "sets whose members have deadlines") : nullptr;
    case Type::stream: UNREACHABLE();
  }
  return nullptr;
}

const char* RdbValueWriter::choose_stream(const StreamFacts& facts, RdbType& type) {
  const bool old = form_ == RdbForm::redis10 || form_ == RdbForm::automatic;
  type = old ? RdbType::stream2 : RdbType::stream3;
  if (facts.unowned == 0 && !facts.idempotency) return nullptr;
  type = RdbType::stream_redoubt;
  return need(RdbForm::redoubt1, facts.idempotency
                                     ? "streams that remember what producers sent"
                                     : "streams with pending entries that no consumer has");
}

const char* RdbValueWriter::choose(const Entry& entry, RdbType& type) {
  switch (entry.type()) {
    case Type::list: type = RdbType::quicklist; return nullptr;
    case Type::set:
      if (entry.encoding() == Encoding::intset) {
        type = RdbType::set_intset;
        return nullptr;
      }
      if (entry.encoding() == Encoding::listpack && form_ != RdbForm::redis10 &&
          form_ != RdbForm::automatic) {
        type = RdbType::set_listpack;
        return nullptr;
      }
      return choose_parts(Type::set, entry.encoding() == Encoding::expiring_hashtable, type);
    case Type::hash: {
      const HashView hash(entry);
      const bool deadlines = hash.earliest_ms() != kNeverExpires;
      const bool small = hash.encoding() != Encoding::hashtable;
      const char* why = choose_hash(small, deadlines, type);
      if (!deadlines || why != nullptr) return why;
      minimum_ms_ = storable(hash.earliest_ms());
      hash.for_each_while([&](const HashField& field) {
        why = check_deadline(field.deadline_ms);
        return why == nullptr;
      });
      return why;
    }
    case Type::zset:
      type = ZsetView(entry).big() ? RdbType::zset : RdbType::zset_listpack;
      return nullptr;
    case Type::stream: return choose_stream(stream_of(entry).facts(), type);
    default: return choose_parts(entry.type(), false, type);
  }
}

void RdbValueWriter::write(RdbType type, const Entry& entry) {
  switch (entry.type()) {
    case Type::string: write_string(entry); break;
    case Type::list: write_list(entry); break;
    case Type::set: write_set(type, entry); break;
    case Type::hash: write_hash(type, entry); break;
    case Type::zset: write_zset(type, entry); break;
    case Type::stream: stream_.write(type, stream_of(entry)); break;
  }
}

// --- whole values

void RdbValueWriter::write_string(const Entry& entry) {
  switch (entry.layout()) {
    case Layout::integer: out_.integer(entry.integer()); break;
    case Layout::embedded: out_.text(entry.embedded()); break;
    case Layout::outside: out_.text(Blob::view_of(entry.outside())); break;
  }
}

void RdbValueWriter::write_list(const Entry& entry) {
  constexpr uint64_t kPlain = 1;
  constexpr uint64_t kPacked = 2;
  if (entry.encoding() == Encoding::listpack) {
    out_.length(1);
    out_.length(kPacked);
    out_.block(Listpack::span(block_of(entry)));
    return;
  }
  const auto& list = *static_cast<const Quicklist*>(entry.outside());
  out_.length(list.node_count);
  for (const QuicklistNode* node = list.head; node != nullptr; node = node->next) {
    out_.length(node->is_plain() ? kPlain : kPacked);
    if (node->is_plain()) {
      out_.blob(Blob::view_of(node->data));
    } else {
      out_.block(Listpack::span(node->block()));
    }
  }
}

void RdbValueWriter::write_set(RdbType type, const Entry& entry) {
  if (type == RdbType::set_intset) {
    out_.block(Intset::span(block_of(entry)));
    return;
  }
  if (type == RdbType::set_listpack) {
    out_.block(Listpack::span(block_of(entry)));
    return;
  }
  const SetView set(entry);
  begin_parts(type, set.size());
  if (type == RdbType::set_deadlines) {
    set.table().for_each(
        [&](const SetItem& item) { set_member(type, item.name(), item.deadline_ms()); });
  } else {
    set.for_each([&](const SetElement& member) { out_.text(member); });
  }
}

// Field, value, [deadline, 0 for none]; with deadlines, the earliest first and those without last.
void RdbValueWriter::write_hash_block(RdbType type, const Entry& entry) {
  const HashView hash(entry);
  const bool deadlines = type == RdbType::hash_listpack_deadlines;
  if (!deadlines && hash.encoding() == Encoding::listpack) {
    out_.block(Listpack::span(hash.block()));
    return;
  }
  std::vector<HashField> fields;
  hash.for_each([&](const HashField& field) { fields.push_back(field); });
  // What comes first of those with the same deadline is the same each time: each has its index.
  std::vector<std::pair<int64_t, size_t>> order;
  order.reserve(fields.size());
  for (size_t i = 0; i < fields.size(); ++i) order.emplace_back(fields[i].deadline_ms, i);
  std::sort(order.begin(), order.end());
  std::string block(Listpack::kHeaderBytes, '\0');
  for (const auto& [deadline_ms, index] : order) {
    add(block, fields[index].name);
    add(block, fields[index].value);
    if (!deadlines) continue;
    const bool none = deadline_ms == kNeverExpires || (loses_deadline_ && index == 0);
    Listpack::append_encoded(block, none ? int64_t{0} : storable(deadline_ms));
  }
  Listpack::finish_encoded(block, fields.size() * (deadlines ? 3 : 2));
  if (deadlines) out_.little(minimum_ms_);
  out_.blob(block);
}

void RdbValueWriter::write_hash(RdbType type, const Entry& entry) {
  if (type == RdbType::hash_listpack || type == RdbType::hash_listpack_deadlines) {
    write_hash_block(type, entry);
    return;
  }
  const HashView hash(entry);
  begin_parts(type, hash.size());
  std::optional<IntegerText> digits[2];
  const auto text = [&](const Listpack::Element& element, size_t i) {
    return element.is_number ? digits[i].emplace(element.number).view() : element.text;
  };
  hash.for_each([&](const HashField& field) {
    hash_field(type, text(field.name, 0), text(field.value, 1), field.deadline_ms);
  });
}

void RdbValueWriter::write_zset(RdbType type, const Entry& entry) {
  if (type == RdbType::zset_listpack) {
    out_.block(Listpack::span(block_of(entry)));
    return;
  }
  // The highest first: that is how Redis adds them fastest.
  const ZsetView zset(entry);
  begin_parts(type, zset.size());
  for (ZsetView::Cursor at = zset.at_rank(zset.size() - 1); at; at.previous()) {
    zset_member(at.member(), at.score());
  }
}

// --- parts

void RdbValueWriter::begin_parts(RdbType type, uint64_t count) {
  if (type == RdbType::hash_deadlines) out_.little(minimum_ms_);
  out_.length(count);
}

void RdbValueWriter::set_member(RdbType type, std::string_view member, int64_t deadline_ms) {
  out_.text(member);
  if (type != RdbType::set_deadlines) return;
  out_.little(deadline_ms == kNeverExpires ? deadline_ms : storable(deadline_ms));
}

void RdbValueWriter::hash_field(RdbType type, std::string_view name, std::string_view value,
                                int64_t deadline_ms) {
  const bool none = deadline_ms == kNeverExpires;
  if (type == RdbType::hash_deadlines) {
    out_.length(none ? 0 : static_cast<uint64_t>(storable(deadline_ms) - minimum_ms_ + 1));
  }
  out_.text(name);
  out_.text(value);
  if (type == RdbType::hash_deadlines_old) {
    out_.little(none ? int64_t{-1} : storable(deadline_ms));
  }
}

void RdbValueWriter::zset_member(std::string_view member, double score) {
  out_.text(member);
  out_.little(score);
}

}  // namespace redoubt

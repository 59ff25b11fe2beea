#include "tests/store/random_writer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/store/hash_type.h"
#include "engine/store/list_type.h"
#include "engine/store/set_type.h"
#include "engine/store/stream_progress.h"
#include "engine/store/stream_type.h"
#include "engine/store/string_type.h"
#include "engine/store/zset.h"
#include "tests/store/random_hash_key.h"

namespace redoubt {

namespace {

constexpr size_t kDatabases = 3;
constexpr uint64_t kKeys = 30;
constexpr size_t kFillers = 3000;
const SetLimits kSetLimits{.intset_entries = 16, .listpack_entries = 8, .listpack_value = 32};
const HashLimits kHashLimits{.listpack_entries = 8, .listpack_value = 32};
const ZsetLimits kZsetLimits{.entries_max = 8, .value_bytes_max = 32};
constexpr int kListFill = 4;
const StreamLimits kStreamLimits{.block_bytes_max = 4096, .block_entries_max = 5};

}  // namespace

RandomWriter::RandomWriter(uint64_t seed, PassBug bug)
    : hash_key_(make_hash_key(seed)),
      random_(seed),
      bug_(bug),
      big_(seed % 5 == 0 ? 3000 : 20 + random_.below(400)) {
  for (size_t i = 0; i < kDatabases; ++i) databases_.push_back(make_database());
}

RandomWriter::~RandomWriter() = default;

std::unique_ptr<Database> RandomWriter::make_database() {
  return std::make_unique<Database>(hash_key_);
}

std::vector<Snapshot::Source> RandomWriter::sources() {
  std::vector<Snapshot::Source> sources;
  for (size_t i = 0; i < databases_.size(); ++i) {
    sources.push_back({static_cast<int>(i), databases_[i].get()});
  }
  return sources;
}

std::string RandomWriter::digest() const {
  Digest digest;
  for (size_t i = 0; i < databases_.size(); ++i) {
    databases_[i]->digest(digest, static_cast<int>(i));
  }
  return digest.hex();
}

size_t RandomWriter::entry_count() const {
  size_t count = 0;
  for (const auto& database : databases_) count += database->size();
  return count;
}

void RandomWriter::free_flushed() {
  std::erase_if(flushed_, [](const auto& database) {
    return !database->passes().any() && database->kept_bytes() == 0;
  });
}

std::string RandomWriter::miscounted() const {
  std::string problem;
  for (const auto& database : databases_) {
    size_t bytes = database->dict().table_bytes() + database->kept_bytes();
    database->dict().for_each([&](Entry& entry) {
      const TypeOps& ops = ops_of(entry);
      bytes += counted_size(entry.footprint()) + ops.outside_bytes(entry);
      const bool parts_expire = ops.next_expiry != nullptr && ops.next_expiry(entry) != INT64_MAX;
      if (parts_expire) {
        bytes += counted_size(sizeof(std::pair<int64_t, std::string>) + 32 + entry.key().size());
      }
    });
    // Of what waits to be freed the bytes are not known exactly.
    if (database->remains().count() > 0 || bytes == database->used_bytes()) continue;
    problem =
        std::to_string(database->used_bytes()) + " bytes are counted, not " + std::to_string(bytes);
  }
  return problem;
}

void RandomWriter::check_nothing_kept() {
  free_flushed();
  EXPECT_TRUE(flushed_.empty());
  for (const auto& database : databases_) {
    EXPECT_FALSE(database->passes().any());
    EXPECT_EQ(database->kept_bytes(), 0u);
    database->dict().check_invariants();
  }
}

RandomWriter::Key RandomWriter::key_called(std::string name) {
  const uint64_t hash = hash_key_(name);
  return {std::move(name), hash};
}

RandomWriter::Key RandomWriter::key() {
  return key_called("key" + std::to_string(random_.below(kKeys)));
}

std::string RandomWriter::text(size_t most) {
  return std::string(random_.below(most + 1), static_cast<char>('a' + random_.below(26)));
}

NewExpiry RandomWriter::expiry() {
  switch (random_.below(3)) {
    case 0: return NewExpiry::none();
    case 1: return NewExpiry::keep();
    default: return NewExpiry::at(static_cast<int64_t>(1 + random_.below(1000)));
  }
}

// The entry of a key for changing it; null when it is not there, as it is then when it had another
// type.
Entry* RandomWriter::of_type(const Key& key, Type type) {
  const Entry* entry = db().find(key.name, key.hash);
  if (entry == nullptr) return nullptr;
  if (entry->type() != type) {
    db().erase(key.name, key.hash, chance(50));
    return nullptr;
  }
  return db().write(key.name, key.hash);
}

// Changes members of a big value, perhaps without a word to the passes.
template <typename Change>
void RandomWriter::change_members(Entry& entry, Change&& change) {
  PassList* passes = ops_of(entry).passes(entry);
  ValuePass* hidden = nullptr;
  if (bug_ == PassBug::member_missed && passes != nullptr) {
    hidden = std::exchange(passes->first, nullptr);
  }
  const auto next_expiry = [&] {
    const TypeOps& ops = ops_of(entry);
    return ops.next_expiry == nullptr ? kNeverExpires : ops.next_expiry(entry);
  };
  const int64_t before = next_expiry();
  change();
  db().expiring_parts().changed(entry.key(), before, next_expiry());
  // A value that has passes stays big, in the same place.
  if (hidden != nullptr) passes->first = hidden;
}

void RandomWriter::write_string() {
  const Key k = key();
  switch (random_.below(4)) {
    case 0:
      db().set_integer(k.name, k.hash, static_cast<int64_t>(random_.below(1000)), expiry());
      break;
    case 1: db().set_string(k.name, k.hash, text(100), expiry()); break;
    case 2: db().set_text(k.name, k.hash, text(1000), expiry()); break;
    default: db().set_string(k.name, k.hash, text(100'000), expiry()); break;
  }
}

void RandomWriter::update_bytes() {
  const Key k = key();
  const Entry* entry = db().find(k.name, k.hash);
  if (entry != nullptr && entry->type() != Type::string) return;
  const size_t size = entry == nullptr ? 0 : string_length(*entry);
  const size_t from = random_.below(size + 100);
  const size_t count = 1 + random_.below(chance(30) ? 40'000 : 10);
  const bool whole = chance(20);
  const std::span<char> bytes =
      whole ? db().string_for_update(k.name, k.hash, from + count)
            : db().string_for_update(k.name, k.hash, from + count, {from, count});
  for (size_t i = from; i < from + count; ++i) bytes[i] = static_cast<char>(random_.next());
}

void RandomWriter::write_set() {
  const Key k = key();
  Entry* entry = of_type(k, Type::set);
  if (entry == nullptr) {
    SetEditor set(db().allocator(), hash_key_, kSetLimits);
    const size_t count = chance(50) ? 1 + random_.below(10) : big_;
    for (size_t i = 0; i < count; ++i) {
      const std::string name = chance(50) ? member() : std::to_string(random_.below(1000));
      set.add(SetMember(name));
    }
    db().replace_value(k.name, k.hash, Type::set, set.encoding(), set.value(), expiry());
    return;
  }
  const size_t changes = 1 + random_.below(chance(20) ? big_ : 4);
  change_members(*entry, [&] {
    SetEditor set(db().allocator(), hash_key_, kSetLimits, *entry, 0);
    for (size_t i = 0; i < changes; ++i) {
      const std::string name = member();
      switch (random_.below(3)) {
        case 0: set.add(SetMember(name)); break;
        case 1: set.remove(SetMember(name)); break;
        default:
          if (!set.view().contains(SetMember(name))) break;
          set.set_deadline(
              name, chance(40) ? kNeverExpires : static_cast<int64_t>(1 + random_.below(100)));
      }
    }
    set.store(*entry);
  });
  if (SetView(*entry).size() == 0) db().erase(k.name, k.hash);
}

void RandomWriter::write_hash() {
  const Key k = key();
  Entry* entry = of_type(k, Type::hash);
  const auto value = [&] { return chance(5) ? text(5000) : text(chance(50) ? 8 : 50); };
  const auto deadline = [&] {
    return chance(70) ? kNeverExpires : static_cast<int64_t>(1 + random_.below(100));
  };
  if (entry == nullptr) {
    HashEditor hash(db().allocator(), hash_key_, kHashLimits);
    const size_t count = chance(50) ? 1 + random_.below(6) : big_;
    for (size_t i = 0; i < count; ++i) hash.set(member(), value(), deadline());
    db().replace_value(k.name, k.hash, Type::hash, hash.encoding(), hash.value(), expiry());
    return;
  }
  const size_t changes = 1 + random_.below(chance(20) ? big_ : 4);
  change_members(*entry, [&] {
    HashEditor hash(db().allocator(), hash_key_, kHashLimits, *entry);
    for (size_t i = 0; i < changes; ++i) {
      const std::string name = member();
      const std::optional<HashField> field = hash.view().find(name);
      switch (random_.below(3)) {
        case 0:
          hash.set(name, value(), chance(50) && field ? field->deadline_ms : deadline());
          break;
        case 1: hash.remove(name); break;
        default:
          if (field) hash.set_deadline(name, deadline());
      }
    }
    hash.store(*entry);
  });
  if (HashView(*entry).size() == 0) db().erase(k.name, k.hash);
}

void RandomWriter::write_zset() {
  const Key k = key();
  Entry* entry = of_type(k, Type::zset);
  const auto score = [&] {
    return chance(70) ? static_cast<double>(random_.below(50))
                      : static_cast<double>(random_.below(1000)) / 3;
  };
  if (entry == nullptr) {
    Zset zset(db().allocator(), hash_key_, kZsetLimits);
    const size_t count = chance(50) ? 1 + random_.below(6) : big_;
    for (size_t i = 0; i < count; ++i) zset.set(member(), score());
    db().replace_value(k.name, k.hash, Type::zset, zset.encoding(), zset.payload(), expiry());
    return;
  }
  const size_t changes = 1 + random_.below(chance(20) ? big_ : 4);
  change_members(*entry, [&] {
    Zset zset(db().allocator(), hash_key_, kZsetLimits, *entry);
    for (size_t i = 0; i < changes; ++i) {
      const std::string name = member();
      chance(60) ? zset.set(name, score()) : static_cast<void>(zset.erase(name));
    }
    if (chance(10) && zset.size() > 0) {
      const size_t from = random_.below(zset.size());
      zset.erase(RankRange{from, from + random_.below(zset.size() - from + 1)});
    }
    zset.store_in(*entry);
  });
  if (ZsetView(*entry).size() == 0) db().erase(k.name, k.hash);
}

void RandomWriter::change_list(Entry& entry) {
  List list(db().allocator(), entry, kListFill);
  const size_t size = list.size();
  const auto index = static_cast<int64_t>(random_.below(size));
  const std::string new_text = chance(5) ? text(10'000) : text(20);
  ListCursor at = ListCursor::at(entry, index);
  switch (random_.below(8)) {
    case 0:
      list.before_growth(1, new_text.size());
      list.push(chance(50) ? ListEnd::front : ListEnd::back, new_text);
      break;
    case 1:
      list.before_growth(1, new_text.size());
      at = ListCursor::at(entry, index);
      list.insert(at, chance(50), new_text);
      break;
    case 2:
      list.before_growth(1, new_text.size());
      at = ListCursor::at(entry, index);
      list.replace(at, new_text);
      break;
    case 3: list.erase(at, chance(50)); break;
    case 4: list.remove(text(2), 1 + random_.below(3), chance(50)); break;
    case 5:
    case 6: {
      const size_t count =
          random_.below(std::min<size_t>(size - static_cast<size_t>(index), 40) + 1);
      Quicklist* cut = list.erase_range(static_cast<size_t>(index), count);
      if (cut != nullptr) {
        db().remains().discard(Type::list, Encoding::quicklist, cut, cut->counted_bytes);
      }
      break;
    }
    default:
      for (size_t i = random_.below(big_); i > 0; --i) {
        list.before_growth(1, 20);
        list.push(chance(30) ? ListEnd::front : ListEnd::back, text(20));
      }
  }
  if (list.size() > 0) list.after_shrinking();
}

void RandomWriter::write_list() {
  const Key k = key();
  Entry* entry = of_type(k, Type::list);
  if (entry == nullptr) {
    entry = db().replace_value(k.name, k.hash, Type::list, Encoding::listpack,
                               Listpack::make(db().allocator()), expiry());
    List list(db().allocator(), *entry, kListFill);
    const size_t count = chance(50) ? 1 + random_.below(3) : big_;
    for (size_t i = 0; i < count; ++i) {
      list.before_growth(1, 20);
      list.push(ListEnd::back, text(20));
    }
    return;
  }
  for (size_t i = 1 + random_.below(4); i > 0 && list_length(*entry) > 0; --i) change_list(*entry);
  if (list_length(*entry) == 0) db().erase(k.name, k.hash);
}

void RandomWriter::change_entries(Stream& stream) {
  const auto any_id = [&] {
    const uint64_t last = std::max<uint64_t>(stream.last_id().ms, 1);
    return StreamId{last - std::min(last, random_.below(200)), random_.below(2)};
  };
  switch (random_.below(5)) {
    case 0:
    case 1:
      for (size_t i = 1 + random_.below(chance(10) ? big_ : 5); i > 0; --i) {
        const std::string value = text(30);
        const std::vector<std::string_view> fields{"field", value};
        StreamId id{stream_ms_ + random_.below(3), random_.below(3)};
        if (id <= stream.last_id()) id = stream.last_id();
        if (id == stream.last_id()) id.increment();
        stream_ms_ = id.ms;
        stream.append(id, fields, kStreamLimits);
      }
      break;
    case 2: stream.erase(any_id()); break;
    case 3: {
      StreamTrim trim;
      trim.kind = chance(50) ? StreamTrim::Kind::length : StreamTrim::Kind::id;
      trim.whole_blocks = chance(30);
      trim.length = stream.length() - std::min(stream.length(), random_.below(60));
      trim.id = any_id();
      trim.references = static_cast<StreamReferences>(random_.below(3));
      StreamId reached;
      stream.trim(trim, &reached);
      break;
    }
    default:
      if (stream.length() > 0) break;
      // XSETID may go back when nothing is there.
      stream_ms_ /= 2;
      stream.set_counts({stream_ms_, 0}, random_.below(1000), {});
  }
}

void RandomWriter::change_groups(Stream& stream) {
  const std::string name = "group" + std::to_string(random_.below(3));
  StreamGroup* group = stream.find_group(name);
  if (group == nullptr) {
    group = stream.add_group(name, {}, StreamGroup::kUnknown);
    StreamProgress(stream).set_position(*group, stream.first_id(), 0);
    return;
  }
  const std::string consumer_name = "consumer" + std::to_string(random_.below(4));
  StreamConsumer* consumer = group->consumers.find(std::string_view(consumer_name));
  if (consumer == nullptr) {
    stream.add_consumer(*group, consumer_name, 1);
    return;
  }
  const auto now = static_cast<int64_t>(random_.below(1000));
  switch (random_.below(12)) {
    case 0:
      if (Stream* remains = stream.remove_group(*group)) {
        db().remains().discard(Type::stream, Encoding::stream, remains, remains->pieces(),
                               remains->bytes());
      }
      break;
    case 1: stream.remove_consumer(*group, *consumer); break;
    case 2:
      StreamProgress(stream).set_position(*group, stream.last_id(), StreamGroup::kUnknown);
      break;
    case 3: consumer->seen_ms = now; break;
    default: {
      StreamCursor cursor(stream, StreamId{stream.first_id().ms + random_.below(40), 0},
                          StreamId::largest(), false);
      StreamEntry entry;
      for (size_t i = random_.below(20); i > 0 && cursor.next(entry); --i) {
        StreamPending* pending = group->pending.find(entry.id);
        StreamConsumer* owner = chance(90) ? consumer : nullptr;
        if (pending == nullptr) {
          stream.add_pending(*group, owner, entry.id, now);
        } else if (chance(50)) {
          stream.assign(*group, *pending, owner, now);
          ++pending->deliveries;
        } else {
          stream.remove_pending(*group, pending);
        }
      }
    }
  }
}

void RandomWriter::write_stream() {
  const Key k = key();
  Entry* entry = of_type(k, Type::stream);
  if (entry == nullptr) {
    entry = db().replace_value(k.name, k.hash, Type::stream, Encoding::stream,
                               Stream::make(db().allocator()), expiry());
  }
  Stream& stream = stream_of(*entry);
  for (size_t i = 1 + random_.below(6); i > 0; --i) {
    if (chance(50)) {
      change_entries(stream);
    } else if (chance(90)) {
      change_groups(stream);
    } else if (chance(80)) {
      stream.need_idempotency({.duration_s = 100, .maxsize = 5})
          .record(text(2), text(3), stream.last_id(), 1);
    } else if (stream.idempotency() != nullptr) {
      Stream* remains = stream.restart_idempotency({.duration_s = 50, .maxsize = 3});
      db().remains().discard(Type::stream, Encoding::stream, remains, remains->pieces(),
                             remains->bytes());
    }
  }
}

void RandomWriter::erase() {
  const Key k = key();
  db().erase(k.name, k.hash, chance(50));
}

void RandomWriter::rename() {
  const Key from = key();
  const Key to = chance(80) ? key() : key_called("renamed" + std::to_string(random_.below(20)));
  if (from.name == to.name || db().find(from.name, from.hash) == nullptr) return;
  db().erase(to.name, to.hash);
  if (bug_ == PassBug::lost_by_rename)
    db().dict().find(from.name, from.hash).entry()->set_marks(255);
  db().rename(from.name, from.hash, to.name, to.hash);
  if (bug_ == PassBug::twice_by_rename) db().dict().find(to.name, to.hash).entry()->set_marks(0);
}

void RandomWriter::copy() {
  const Key from = key();
  const Key to = key();
  Database& other = *databases_[random_.below(databases_.size())];
  if (from.name == to.name || db().find(from.name, from.hash) == nullptr) return;
  other.erase(to.name, to.hash);
  const NewExpiry when = expiry();
  const std::optional<int64_t> expiry_ms =
      when.kind == NewExpiry::Kind::at ? std::optional(when.at_ms) : std::nullopt;
  other.insert_copy(*db().find(from.name, from.hash), to.name, to.hash, expiry_ms);
}

void RandomWriter::flush() {
  std::unique_ptr<Database> old = make_database();
  old.swap(databases_[current_]);
  if (bug_ != PassBug::freed_by_flush && (old->passes().any() || old->kept_bytes() > 0)) {
    flushed_.push_back(std::move(old));
  }
}

// Makes the table grow or shrink.
void RandomWriter::fill() {
  const bool more = chance(50);
  const size_t from = random_.below(kFillers);
  for (size_t i = from; i < std::min(from + 400, kFillers); ++i) {
    const Key k = key_called("filler" + std::to_string(i));
    if (more) {
      db().set_integer(k.name, k.hash, static_cast<int64_t>(i), NewExpiry::none());
    } else {
      db().erase(k.name, k.hash);
    }
  }
  if (bug_ == PassBug::missed_by_growth && more) {
    db().dict().random_entry(random_)->set_marks(255);
  }
}

void RandomWriter::write() {
  current_ = chance(70) ? 0 : random_.below(databases_.size());
  const uint64_t kind = random_.below(1000);
  if (kind < 3) {
    flush();
  } else if (kind < 6) {
    std::swap(databases_[random_.below(databases_.size())], databases_[current_]);
  } else if (kind < 40) {
    fill();
  } else if (kind < 100) {
    rename();
  } else if (kind < 130) {
    copy();
  } else if (kind < 200) {
    erase();
  } else if (kind < 260) {
    const Key k = key();
    if (db().find(k.name, k.hash) == nullptr) return;
    const bool expires = chance(70);
    db().set_expiry(
        k.name, k.hash,
        expires ? std::optional(static_cast<int64_t>(random_.below(1000))) : std::nullopt);
  } else if (kind < 290) {
    size_t budget = random_.below(500);
    db().remains().free_some(budget);
  } else {
    switch (random_.below(7)) {
      case 0: write_string(); break;
      case 1: update_bytes(); break;
      case 2: write_set(); break;
      case 3: write_hash(); break;
      case 4: write_zset(); break;
      case 5: write_list(); break;
      default: write_stream(); break;
    }
  }
}

}  // namespace redoubt

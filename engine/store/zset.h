// The operations on a sorted set, whichever encoding it has.
//
//   listpack   member, score, member, score ... in order, in one block of bytes, as RDB holds it
//   skiplist   a table of members (member_table.h) and a tree with ranks (rank_tree.h) over the
//              same items (zset_item.h)
//
// ZsetView and Zset are handles: the payload of an entry and, for changing it, where its memory
// comes from. Changes may move the payload or give it another encoding, so the caller that changes
// a set of an entry calls store_in() afterwards. Ranks count from 0 at the lowest score. Bounds are
// converted to ranks too: everything about a range is then arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/store/entry.h"
#include "engine/store/listpack.h"
#include "engine/store/member_table.h"
#include "engine/store/number.h"
#include "engine/store/rank_tree.h"
#include "engine/store/value_pass.h"
#include "engine/store/zset_item.h"

namespace redoubt {

// Up to which size a set is a listpack.
struct ZsetLimits {
  size_t entries_max;
  size_t value_bytes_max;
};

// The payload of the big encoding.
struct SkiplistZset {
  SkiplistZset(Allocator& allocator, const HashKey& hash_key)
      : members(hash_key), tree(allocator) {}

  MemberTable<ZsetTrait> members;
  RankTree<ZsetItem, ZsetOrder> tree;
  size_t item_bytes = 0;  // as counted
  mutable PassList passes;

  size_t bytes() const {
    return counted_size(sizeof *this) + members.table_bytes() + tree.node_bytes() + item_bytes;
  }
};

// A bound of a range of scores.
struct ScoreBound {
  double score = 0;
  bool exclusive = false;
};
struct ScoreRange {
  ScoreBound min;
  ScoreBound max;
};

// A bound of a range of members of equal score.
struct LexBound {
  enum class Kind : uint8_t { lowest, member, highest };
  Kind kind = Kind::member;
  std::string_view member;
  bool exclusive = false;
};
struct LexRange {
  LexBound min;
  LexBound max;
};

// Ranks [from, to).
struct RankRange {
  size_t from = 0;
  size_t to = 0;
  size_t size() const { return to - from; }
};

// A sorted set that is looked at. Valid until it changes.
class ZsetView {
 public:
  ZsetView(Encoding encoding, const void* payload) : encoding_(encoding), payload_(payload) {}
  explicit ZsetView(const Entry& entry) : ZsetView(entry.encoding(), entry.outside()) {}

  Encoding encoding() const { return encoding_; }
  bool big() const { return encoding_ == Encoding::skiplist; }
  const SkiplistZset& skiplist() const { return *static_cast<const SkiplistZset*>(payload_); }

  size_t size() const { return big() ? skiplist().tree.size() : Listpack::count(block()) / 2; }
  std::optional<double> score(std::string_view member) const;

  // A member in order. Valid until the set changes; false beyond the ends.
  class Cursor {
   public:
    explicit operator bool() const { return big_ ? static_cast<bool>(tree_) : at_ != nullptr; }
    double score() const { return big_ ? tree_.item()->score() : score_at(at_); }
    // The view is valid until the next call of member() or the next move.
    std::string_view member() {
      return big_ ? tree_.item()->member() : Listpack::text(at_, scratch_);
    }
    // The view is valid as long as the sorted set is not changed.
    Listpack::Element element() const {
      return big_ ? Listpack::Element{tree_.item()->member()} : Listpack::get(at_);
    }
    void next();
    void previous();

   private:
    friend class ZsetView;
    bool big_ = false;
    RankTree<ZsetItem, ZsetOrder>::Cursor tree_;
    const uint8_t* block_ = nullptr;
    const uint8_t* at_ = nullptr;
    std::optional<IntegerText> scratch_;
  };
  Cursor at_rank(size_t rank) const;
  // The first member of at least this score.
  Cursor at_score(double min) const;

  struct Ranked {
    size_t rank;
    double score;
  };
  std::optional<Ranked> rank(std::string_view member) const;

  // Which ranks a range covers; empty ranges begin anywhere.
  RankRange ranks_of(const ScoreRange& range) const;
  // Where scores differ there is no order of members. The range of a small set is then the one that
  // a walk from its beginning, or with `backwards` from its end, finds first.
  RankRange ranks_of(const LexRange& range, bool backwards = false) const;

  // A page of a scan: visit(member, score) for some members; the next cursor, 0 at the end. A small
  // set comes in one page.
  template <typename Visit>
  uint64_t scan(uint64_t cursor, Visit visit) const {
    if (big()) {
      return skiplist().members.scan(
          cursor, [&](const ZsetItem& item) { visit(item.member(), item.score()); });
    }
    for (Cursor at = at_rank(0); at; at.next()) visit(at.member(), at.score());
    return 0;
  }

 protected:
  const uint8_t* block() const { return static_cast<const uint8_t*>(payload_); }
  const uint8_t* find_place(std::string_view member) const {
    return Listpack::find(block(), Listpack::first(block()), member, 1);
  }
  static double score_at(const uint8_t* member_place);

  Encoding encoding_;
  const void* payload_;
};

// Operations of passes on members.
struct ZsetPassKind {
  using Trait = ZsetTrait;

  static size_t bytes(const ZsetItem& item) { return counted_size(item.footprint()); }
  static ZsetItem* copy(Allocator& allocator, const ZsetItem& item) {
    return ZsetItem::make(allocator, item.member(), item.score());
  }
  static void release(Allocator& allocator, ZsetItem* item) { ZsetItem::release(allocator, item); }
  static void deliver(SnapshotSink& sink, const ZsetItem& item) {
    sink.zset_member(item.member(), item.score());
  }
};

// A sorted set that is changed.
class Zset : public ZsetView {
 public:
  // A new, empty one. Large members are known to come: the big encoding at once.
  Zset(Allocator& allocator, const HashKey& hash_key, const ZsetLimits& limits,
       bool large_members = false);
  // That of an entry.
  Zset(Allocator& allocator, const HashKey& hash_key, const ZsetLimits& limits, Entry& entry)
      : Zset(allocator, hash_key, limits, entry.encoding(), entry.outside()) {}
  // Takes over a payload.
  Zset(Allocator& allocator, const HashKey& hash_key, const ZsetLimits& limits, Encoding encoding,
       void* payload)
      : ZsetView(encoding, payload),
        allocator_(&allocator),
        hash_key_(&hash_key),
        limits_(limits) {}

  // The payload was given to us to be changed.
  void* payload() const { return const_cast<void*>(payload_); }
  void store_in(Entry& entry) const {
    entry.set_outside(payload());
    entry.set_encoding(encoding_);
  }

  // Finds a member, asks decide(std::optional<double> old_score) for the score that it is to have
  // (none: as it was), and puts it there.
  enum class Change : uint8_t { none, added, updated };
  template <typename Decide>
  Change upsert(std::string_view member, Decide decide) {
    if (!big()) {
      const uint8_t* place = find_place(member);
      const std::optional<double> old =
          place != nullptr ? std::optional<double>(score_at(place)) : std::nullopt;
      const std::optional<double> score = decide(old);
      if (!score || (old && *old == *score)) return Change::none;
      old ? move_place(place, member, *score) : add_new(member, *score);
      return old ? Change::updated : Change::added;
    }
    const uint64_t hash = skiplist().members.hash(member);
    ZsetItem* item = skiplist().members.find(member, hash);
    const std::optional<double> old =
        item != nullptr ? std::optional<double>(item->score()) : std::nullopt;
    const std::optional<double> score = decide(old);
    if (!score || (old && *old == *score)) return Change::none;
    old ? move_item(item, hash, *score) : add_item(member, hash, *score);
    return old ? Change::updated : Change::added;
  }
  void set(std::string_view member, double score) {
    upsert(member, [score](std::optional<double>) { return score; });
  }

  // False: not there.
  bool erase(std::string_view member);
  void erase(const RankRange& ranks);

  // Frees everything at once, for sets that no entry has held.
  void destroy();

 private:
  friend class ZsetBuilder;

  using ZsetView::block;
  using ZsetView::skiplist;
  SkiplistZset& skiplist() { return *static_cast<SkiplistZset*>(payload()); }
  uint8_t* block() { return static_cast<uint8_t*>(payload()); }
  void insert_place(std::string_view member, double score);
  void move_place(const uint8_t* place, std::string_view member, double score);
  void add_new(std::string_view member, double score);
  void add_item(std::string_view member, uint64_t hash, double score);
  void move_item(ZsetItem* item, uint64_t hash, double score);
  void make_big();
  bool fits_listpack(size_t entries, size_t member_bytes) const;

  Allocator* allocator_;
  const HashKey* hash_key_;
  ZsetLimits limits_;
};

// ZsetBuilder: a sorted set whose members come in any order and several times, as those of a union.
// The order is made at the end, once.
class ZsetBuilder {
 public:
  ZsetBuilder(Allocator& allocator, const HashKey& hash_key, const ZsetLimits& limits);
  ZsetBuilder(const ZsetBuilder&) = delete;
  ZsetBuilder& operator=(const ZsetBuilder&) = delete;

  // Combines with the score that is there: combine(old_score).
  template <typename Combine>
  void add(std::string_view member, double score, Combine combine) {
    const uint64_t hash = zset_->members.hash(member);
    ZsetItem* item = zset_->members.find(member, hash);
    item == nullptr ? insert(member, hash, score) : change(item, hash, combine(item->score()));
  }
  // A member that is not there yet.
  void add_new(std::string_view member, double score) {
    insert(member, zset_->members.hash(member), score);
  }

  // The set, as a listpack if it is small enough. To be called once.
  Zset finish();

 private:
  void insert(std::string_view member, uint64_t hash, double score);
  void change(ZsetItem* item, uint64_t hash, double score);

  Allocator* allocator_;
  const HashKey* hash_key_;
  ZsetLimits limits_;
  SkiplistZset* zset_;
  size_t longest_ = 0;
};

}  // namespace redoubt

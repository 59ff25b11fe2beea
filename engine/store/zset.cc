#include "engine/store/zset.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace redoubt {

namespace {

constexpr double kIntegersBelow = 4503599627370496.0;  // 2^52: such scores are stored as integers

// A score in a listpack: an integer, or the text of a double.
uint8_t* insert_score(Allocator& allocator, uint8_t* block, const uint8_t* before, double score) {
  if (std::fabs(score) < kIntegersBelow && score == std::trunc(score)) {
    return Listpack::insert(allocator, block, before, static_cast<int64_t>(score));
  }
  return Listpack::insert(allocator, block, before, DoubleText(score).view());
}

bool is_above_min(double score, const ScoreBound& min) {
  return min.exclusive ? score > min.score : score >= min.score;
}
bool is_below_max(double score, const ScoreBound& max) {
  return max.exclusive ? score < max.score : score <= max.score;
}

bool is_above_min(std::string_view member, const LexBound& min) {
  if (min.kind != LexBound::Kind::member) return min.kind == LexBound::Kind::lowest;
  return min.exclusive ? member > min.member : member >= min.member;
}
bool is_below_max(std::string_view member, const LexBound& max) {
  if (max.kind != LexBound::Kind::member) return max.kind == LexBound::Kind::highest;
  return max.exclusive ? member < max.member : member <= max.member;
}

bool is_empty(const ScoreRange& range) {
  return range.min.score > range.max.score ||
         (range.min.score == range.max.score && (range.min.exclusive || range.max.exclusive));
}
bool is_empty(const LexRange& range) {
  if (range.min.kind != LexBound::Kind::member || range.max.kind != LexBound::Kind::member) {
    return range.min.kind == LexBound::Kind::highest || range.max.kind == LexBound::Kind::lowest;
  }
  return range.min.member > range.max.member ||
         (range.min.member == range.max.member && (range.min.exclusive || range.max.exclusive));
}

void free_item(Allocator& allocator, SkiplistZset& zset, ZsetItem* item) {
  zset.item_bytes -= counted_size(item->footprint());
  ZsetItem::release(allocator, item);
}

// An item that has left the table is a pass's, or goes.
void give_up_item(Allocator& allocator, SkiplistZset& zset, ZsetItem* item, uint64_t hash) {
  if (!zset.passes.empty()) [[unlikely]] {
    const size_t bytes = ZsetPassKind::bytes(*item);
    if (take_item<ZsetPassKind>(zset.passes, item, hash)) {
      zset.item_bytes -= bytes;
      return;
    }
  }
  free_item(allocator, zset, item);
}

ZsetItem* make_item(Allocator& allocator, SkiplistZset& zset, std::string_view member,
                    double score) {
  ZsetItem* item = ZsetItem::make(allocator, member, score);
  zset.item_bytes += counted_size(item->footprint());
  return item;
}

SkiplistZset* make_skiplist(Allocator& allocator, const HashKey& hash_key) {
  return new (allocator.allocate(sizeof(SkiplistZset))) SkiplistZset(allocator, hash_key);
}

void free_skiplist(Allocator& allocator, SkiplistZset* zset) {
  zset->~SkiplistZset();
  allocator.release(zset, sizeof(SkiplistZset));
}

}  // namespace

Zset::Zset(Allocator& allocator, const HashKey& hash_key, const ZsetLimits& limits,
           bool large_members)
    : ZsetView(large_members ? Encoding::skiplist : Encoding::listpack,
               large_members ? static_cast<void*>(make_skiplist(allocator, hash_key))
                             : Listpack::make(allocator)),
      allocator_(&allocator),
      hash_key_(&hash_key),
      limits_(limits) {}

// --- Looking

double ZsetView::score_at(const uint8_t* member_place) {
  const Listpack::Element score = Listpack::get(Listpack::next(nullptr, member_place));
  if (score.is_number) return static_cast<double>(score.number);
  return parse_double(score.text).value_or(0);
}

std::optional<double> ZsetView::score(std::string_view member) const {
  if (big()) {
    const ZsetItem* item = skiplist().members.find(member);
    return item != nullptr ? std::optional<double>(item->score()) : std::nullopt;
  }
  const uint8_t* place = find_place(member);
  return place != nullptr ? std::optional<double>(score_at(place)) : std::nullopt;
}

void ZsetView::Cursor::next() {
  constexpr uint32_t kAhead = 8;
  if (big_) {
    tree_.prefetch_next(kAhead);
    tree_.next();
  } else {
    at_ = Listpack::next(block_, Listpack::next(block_, at_));
  }
}

void ZsetView::Cursor::previous() {
  constexpr uint32_t kAhead = 8;
  if (big_) {
    tree_.prefetch_previous(kAhead);
    tree_.previous();
  } else {
    const uint8_t* score = Listpack::previous(block_, at_);
    at_ = score != nullptr ? Listpack::previous(block_, score) : nullptr;
  }
}

ZsetView::Cursor ZsetView::at_rank(size_t rank) const {
  Cursor cursor;
  cursor.big_ = big();
  if (big()) {
    cursor.tree_ = skiplist().tree.select(rank);
  } else {
    cursor.block_ = block();
    cursor.at_ = rank < size() ? Listpack::seek(block(), static_cast<int64_t>(rank * 2)) : nullptr;
  }
  return cursor;
}

ZsetView::Cursor ZsetView::at_score(double min) const {
  if (!big()) {
    Cursor cursor = at_rank(0);
    while (cursor && cursor.score() < min) cursor.next();
    return cursor;
  }
  Cursor cursor;
  cursor.big_ = true;
  cursor.tree_ =
      skiplist().tree.first_behind(ZsetItem::prefix_of(min), [](const ZsetItem&) { return false; });
  return cursor;
}

std::optional<ZsetView::Ranked> ZsetView::rank(std::string_view member) const {
  if (big()) {
    const ZsetItem* item = skiplist().members.find(member);
    if (item == nullptr) return std::nullopt;
    return Ranked{skiplist().tree.rank_of(*item), item->score()};
  }
  size_t rank = 0;
  for (const uint8_t* at = Listpack::first(block()); at != nullptr; ++rank) {
    if (Listpack::equal(at, member)) return Ranked{rank, score_at(at)};
    at = Listpack::next(block(), Listpack::next(block(), at));
  }
  return std::nullopt;
}

RankRange ZsetView::ranks_of(const ScoreRange& range) const {
  if (is_empty(range)) return {};
  if (big()) {
    const auto before = [this](const ScoreBound& bound, bool behind_equal) {
      return skiplist().tree.count_before(ZsetItem::prefix_of(bound.score),
                                          [behind_equal](const ZsetItem&) { return behind_equal; });
    };
    const size_t from = before(range.min, range.min.exclusive);
    return {from, std::max(from, before(range.max, !range.max.exclusive))};
  }
  RankRange ranks;
  for (const uint8_t* at = Listpack::first(block()); at != nullptr;) {
    const double score = score_at(at);
    if (!is_below_max(score, range.max)) break;
    if (!is_above_min(score, range.min)) ++ranks.from;
    ++ranks.to;
    at = Listpack::next(block(), Listpack::next(block(), at));
  }
  return ranks;
}

RankRange ZsetView::ranks_of(const LexRange& range, bool backwards) const {
  const size_t count = size();
  if (is_empty(range) || count == 0) return {};
  if (big()) {
    // All have the score of the first one.
    const uint64_t prefix = ZsetOrder::prefix(*skiplist().tree.first().item());
    const size_t from = skiplist().tree.count_before(
        prefix, [&](const ZsetItem& item) { return !is_above_min(item.member(), range.min); });
    const size_t to = skiplist().tree.count_before(
        prefix, [&](const ZsetItem& item) { return is_below_max(item.member(), range.max); });
    return {from, std::max(from, to)};
  }
  if (!is_above_min(at_rank(count - 1).member(), range.min) ||
      !is_below_max(at_rank(0).member(), range.max)) {
    return {};
  }
  RankRange ranks;
  if (backwards) {
    Cursor at = at_rank(count - 1);
    ranks.to = count;
    for (; at && !is_below_max(at.member(), range.max); at.previous()) --ranks.to;
    ranks.from = ranks.to;
    for (; at && is_above_min(at.member(), range.min); at.previous()) --ranks.from;
    return ranks;
  }
  Cursor at = at_rank(0);
  for (; at && !is_above_min(at.member(), range.min); at.next()) ++ranks.from;
  ranks.to = ranks.from;
  for (; at && is_below_max(at.member(), range.max); at.next()) ++ranks.to;
  return ranks;
}

// --- Changing

bool Zset::fits_listpack(size_t entries, size_t member_bytes) const {
  constexpr size_t kElementOverhead = 64;
  return entries <= limits_.entries_max && member_bytes <= limits_.value_bytes_max &&
         Listpack::bytes(block()) + member_bytes + kElementOverhead < size_t{1} << 30;
}

void Zset::insert_place(std::string_view member, double score) {
  const uint8_t* before = Listpack::first(block());
  std::optional<IntegerText> scratch;
  for (; before != nullptr; before = Listpack::next(block(), Listpack::next(block(), before))) {
    const double other = score_at(before);
    if (other > score || (other == score && Listpack::text(before, scratch) > member)) break;
  }
  const uint8_t* at = nullptr;
  uint8_t* moved = Listpack::insert(*allocator_, block(), before, member, &at);
  payload_ = insert_score(*allocator_, moved, Listpack::next(moved, at), score);
}

void Zset::move_place(const uint8_t* place, std::string_view member, double score) {
  payload_ = Listpack::erase(*allocator_, block(), place, 2);
  insert_place(member, score);
}

void Zset::add_new(std::string_view member, double score) {
  if (fits_listpack(size() + 1, member.size())) {
    insert_place(member, score);
    return;
  }
  make_big();
  add_item(member, skiplist().members.hash(member), score);
}

void Zset::make_big() {
  SkiplistZset* zset = make_skiplist(*allocator_, *hash_key_);
  for (Cursor at = at_rank(0); at; at.next()) {
    const std::string_view member = at.member();
    ZsetItem* item = make_item(*allocator_, *zset, member, at.score());
    zset->members.insert(*allocator_, item, zset->members.hash(member));
    zset->tree.insert(item);
  }
  Listpack::free(*allocator_, block());
  payload_ = zset;
  encoding_ = Encoding::skiplist;
}

void Zset::add_item(std::string_view member, uint64_t hash, double score) {
  if (!skiplist().passes.empty()) [[unlikely]]
    before_item_insert<ZsetPassKind>(skiplist().passes, member, hash);
  ZsetItem* item = make_item(*allocator_, skiplist(), member, score);
  skiplist().members.insert(*allocator_, item, hash);
  skiplist().tree.insert(item);
}

void Zset::move_item(ZsetItem* item, uint64_t hash, double score) {
  SkiplistZset& zset = skiplist();
  zset.tree.erase(item);
  if (item->fits(score)) {
    if (!zset.passes.empty()) [[unlikely]]
      before_item_change<ZsetPassKind>(zset.passes, *item, hash);
    item->set_score(score);
    zset.tree.insert(item);
    return;
  }
  ZsetItem* other = make_item(*allocator_, zset, item->member(), score);
  zset.members.replace(item, other, hash);
  zset.tree.insert(other);
  give_up_item(*allocator_, zset, item, hash);
}

bool Zset::erase(std::string_view member) {
  if (!big()) {
    const uint8_t* place = find_place(member);
    if (place == nullptr) return false;
    payload_ = Listpack::erase(*allocator_, block(), place, 2);
    return true;
  }
  SkiplistZset& zset = skiplist();
  const uint64_t hash = zset.members.hash(member);
  ZsetItem* item = zset.members.erase(*allocator_, member, hash);
  if (item == nullptr) return false;
  zset.tree.erase(item);
  give_up_item(*allocator_, zset, item, hash);
  return true;
}

void Zset::erase(const RankRange& ranks) {
  if (ranks.size() == 0) return;
  if (!big()) {
    const uint8_t* place = Listpack::seek(block(), static_cast<int64_t>(ranks.from * 2));
    payload_ = Listpack::erase(*allocator_, block(), place, ranks.size() * 2);
    return;
  }
  SkiplistZset& zset = skiplist();
  zset.tree.erase_range(ranks.from, ranks.size(), [&](ZsetItem* item) {
    const std::string_view member = item->member();
    const uint64_t hash = zset.members.hash(member);
    zset.members.erase(*allocator_, member, hash);
    give_up_item(*allocator_, zset, item, hash);
  });
}

void Zset::destroy() {
  if (!big()) {
    Listpack::free(*allocator_, block());
    return;
  }
  SkiplistZset& zset = skiplist();
  size_t everything = SIZE_MAX;
  zset.tree.clear_some(everything, [](ZsetItem*) {});
  zset.members.clear_some(*allocator_, everything,
                          [&](ZsetItem* item) { ZsetItem::release(*allocator_, item); });
  free_skiplist(*allocator_, &zset);
}

// --- Building

ZsetBuilder::ZsetBuilder(Allocator& allocator, const HashKey& hash_key, const ZsetLimits& limits)
    : allocator_(&allocator),
      hash_key_(&hash_key),
      limits_(limits),
      zset_(make_skiplist(allocator, hash_key)) {}

void ZsetBuilder::insert(std::string_view member, uint64_t hash, double score) {
  longest_ = std::max(longest_, member.size());
  zset_->members.insert(*allocator_, make_item(*allocator_, *zset_, member, score), hash);
}

void ZsetBuilder::change(ZsetItem* item, uint64_t hash, double score) {
  if (item->fits(score)) {
    item->set_score(score);
    return;
  }
  ZsetItem* other = make_item(*allocator_, *zset_, item->member(), score);
  zset_->members.replace(item, other, hash);
  free_item(*allocator_, *zset_, item);
}

Zset ZsetBuilder::finish() {
  struct Ordered {
    uint64_t prefix;
    ZsetItem* item;
  };
  std::vector<Ordered> items;
  items.reserve(zset_->members.size());
  zset_->members.for_each(
      [&](ZsetItem& item) { items.push_back({ZsetOrder::prefix(item), &item}); });
  std::sort(items.begin(), items.end(), [](const Ordered& a, const Ordered& b) {
    return a.prefix != b.prefix ? a.prefix < b.prefix : a.item->member() < b.item->member();
  });
  Zset big(*allocator_, *hash_key_, limits_, Encoding::skiplist, zset_);
  if (items.size() > limits_.entries_max || longest_ > limits_.value_bytes_max) {
    for (const Ordered& ordered : items) zset_->tree.append(ordered.item);
    return big;
  }
  Zset small(*allocator_, *hash_key_, limits_);
  for (const Ordered& ordered : items) {
    uint8_t* block = Listpack::append(*allocator_, small.block(), ordered.item->member());
    small.payload_ = insert_score(*allocator_, block, nullptr, ordered.item->score());
  }
  big.destroy();
  return small;
}

}  // namespace redoubt

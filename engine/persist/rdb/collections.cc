#include "engine/persist/rdb/collections.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "engine/store/list_type.h"

namespace redoubt {

namespace {

constexpr char kTwice[] = "an element that is there twice";

class ListMaker final : public RdbCollection {
 public:
  explicit ListMaker(const RdbMaker& maker)
      : maker_(maker),
        entry_(Entry::make(maker.allocator, {.key = {},
                                             .type = Type::list,
                                             .encoding = Encoding::listpack,
                                             .layout = Layout::outside,
                                             .value = {},
                                             .integer = 0,
                                             .pointer = Listpack::make(maker.allocator),
                                             .expiry_ms = {}})) {}
  ~ListMaker() override {
    if (entry_ != nullptr) finish();
  }

  const char* add(const RdbElement& element) override {
    List list(maker_.allocator, *entry_, maker_.limits.list_fill);
    list.before_growth(1, element.text.size());
    list.push(ListEnd::back, element.text);
    return nullptr;
  }
  RdbValue finish() override {
    RdbValue value(maker_.allocator, Type::list, entry_->encoding(), entry_->outside());
    Entry::release(maker_.allocator, std::exchange(entry_, nullptr));
    return value;
  }

 private:
  const RdbMaker maker_;
  Entry* entry_;  // without a key
};

class SetMaker final : public RdbCollection {
 public:
  SetMaker(const RdbMaker& maker, uint64_t count) : maker_(maker), count_(count) {}
  ~SetMaker() override {
    if (set_) set_->discard();
  }

  const char* add(const RdbElement& element) override {
    const SetMember member(element.text);
    if (!set_) {
      set_.emplace(maker_.allocator, maker_.hash_key, maker_.limits.set, member, count_);
    }
    if (!set_->add(member)) return kTwice;
    if (element.deadline_ms != kNeverExpires) {
      set_->set_deadline(element.text, element.deadline_ms);
    }
    return nullptr;
  }
  RdbValue finish() override {
    RdbValue value(maker_.allocator, Type::set, set_->encoding(), set_->value());
    set_.reset();
    return value;
  }

 private:
  const RdbMaker maker_;
  const uint64_t count_;
  std::optional<SetEditor> set_;
};

class HashMaker final : public RdbCollection {
 public:
  HashMaker(const RdbMaker& maker, uint64_t count)
      : maker_(maker), hash_(maker.allocator, maker.hash_key, maker.limits.hash) {
    hash_.expect_fields(count);
  }
  ~HashMaker() override {
    if (!finished_) hash_.discard();
  }

  const char* add(const RdbElement& element) override {
    return hash_.set(element.text, element.value, element.deadline_ms) ? nullptr : kTwice;
  }
  RdbValue finish() override {
    finished_ = true;
    return {maker_.allocator, Type::hash, hash_.encoding(), hash_.value()};
  }

 private:
  const RdbMaker maker_;
  HashEditor hash_;
  bool finished_ = false;
};

// Of so few members that they are put in order at the end.
class SmallZsetMaker final : public RdbCollection {
 public:
  explicit SmallZsetMaker(const RdbMaker& maker)
      : maker_(maker), members_(maker.allocator, maker.hash_key, maker.limits.zset) {}
  ~SmallZsetMaker() override {
    if (!finished_) members_.finish().destroy();
  }

  const char* add(const RdbElement& element) override {
    bool twice = false;
    members_.add(element.text, element.score, [&](double old) {
      twice = true;
      return old;
    });
    return twice ? kTwice : nullptr;
  }
  RdbValue finish() override {
    finished_ = true;
    const Zset zset = members_.finish();
    return {maker_.allocator, Type::zset, zset.encoding(), zset.payload()};
  }

 private:
  const RdbMaker maker_;
  ZsetBuilder members_;
  bool finished_ = false;
};

class LargeZsetMaker final : public RdbCollection {
 public:
  explicit LargeZsetMaker(const RdbMaker& maker)
      : maker_(maker), zset_(maker.allocator, maker.hash_key, maker.limits.zset, true) {}
  ~LargeZsetMaker() override {
    if (!finished_) zset_.destroy();
  }

  const char* add(const RdbElement& element) override {
    bool twice = false;
    zset_.upsert(element.text, [&](std::optional<double> old) {
      twice = old.has_value();
      return twice ? std::nullopt : std::optional(element.score);
    });
    return twice ? kTwice : nullptr;
  }
  RdbValue finish() override {
    finished_ = true;
    return {maker_.allocator, Type::zset, zset_.encoding(), zset_.payload()};
  }

 private:
  const RdbMaker maker_;
  Zset zset_;
  bool finished_ = false;
};

// --- taking a block as it is

const uint8_t* bytes_of(std::string_view block) {
  return reinterpret_cast<const uint8_t*>(block.data());
}

std::span<const uint8_t> span_of(std::string_view block) {
  return {bytes_of(block), block.size()};
}

// Whether the texts at each `step`-th place of a listpack differ for sure, and are no longer than
// this; with `all`, the others are no longer either.
bool fits(const RdbMaker& maker, const uint8_t* block, size_t step, size_t longest, bool all) {
  std::vector<uint64_t> hashes;
  hashes.reserve(Listpack::count(block) / step);
  size_t index = 0;
  std::optional<IntegerText> scratch;
  for (const uint8_t* at = Listpack::first(block); at != nullptr; at = Listpack::next(block, at)) {
    const bool first = index++ % step == 0;
    if (!first && !all) continue;
    const std::string_view text = Listpack::text(at, scratch);
    if (text.size() > longest) return false;
    if (first) hashes.push_back(maker.hash_key(text));
  }
  std::sort(hashes.begin(), hashes.end());
  return std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end();
}

// Whether members are in order, with scores that are numbers.
bool in_order(const uint8_t* block) {
  std::optional<double> before;
  std::string_view member_before;
  std::optional<IntegerText> digits[2];
  size_t turn = 0;
  for (const uint8_t* at = Listpack::first(block); at != nullptr; turn ^= 1) {
    const std::string_view member = Listpack::text(at, digits[turn]);
    at = Listpack::next(block, at);
    const Listpack::Element element = Listpack::get(at);
    at = Listpack::next(block, at);
    const std::optional<double> score =
        element.is_number ? static_cast<double>(element.number) : parse_double(element.text);
    if (!score) return false;
    if (before && (*before > *score || (*before == *score && member_before >= member))) {
      return false;
    }
    before = score;
    member_before = member;
  }
  return true;
}

RdbValue adopt_set(Encoding encoding, const RdbMaker& maker, std::string_view block) {
  const SetLimits& limits = maker.limits.set;
  if (encoding == Encoding::intset) {
    if (Intset::count(bytes_of(block)) > limits.intset_entries) return {};
    return {maker.allocator, Type::set, encoding, Intset::make(maker.allocator, span_of(block))};
  }
  if (Listpack::count(bytes_of(block)) > limits.listpack_entries ||
      !fits(maker, bytes_of(block), 1, limits.listpack_value, true)) {
    return {};
  }
  return {maker.allocator, Type::set, encoding, Listpack::make(maker.allocator, span_of(block))};
}

}  // namespace

std::unique_ptr<RdbCollection> RdbCollection::make(Type type, const RdbMaker& maker,
                                                   uint64_t count) {
  switch (type) {
    case Type::list: return std::make_unique<ListMaker>(maker);
    case Type::set: return std::make_unique<SetMaker>(maker, count);
    case Type::hash: return std::make_unique<HashMaker>(maker, count);
    default: break;
  }
  ASSERT(type == Type::zset);
  if (count > maker.limits.zset.entries_max) return std::make_unique<LargeZsetMaker>(maker);
  return std::make_unique<SmallZsetMaker>(maker);
}

RdbValue RdbCollection::adopt(Type type, Encoding encoding, const RdbMaker& maker,
                              std::string_view block) {
  // Larger ones are copied by each command that changes them.
  constexpr size_t kLargestBlock = size_t{1} << 30;
  if (block.size() > kLargestBlock) return {};
  const size_t elements = encoding == Encoding::listpack ? Listpack::count(bytes_of(block))
                                                         : Intset::count(bytes_of(block));
  if (elements == 0) return {};
  const uint8_t* bytes = bytes_of(block);
  switch (type) {
    case Type::set: return adopt_set(encoding, maker, block);
    case Type::list:
      if (!List::is_small(maker.limits.list_fill, block.size(), elements)) return {};
      break;
    case Type::hash:
      if (elements % 2 != 0 || elements / 2 > maker.limits.hash.listpack_entries ||
          !fits(maker, bytes, 2, maker.limits.hash.listpack_value, true)) {
        return {};
      }
      break;
    case Type::zset:
      if (elements % 2 != 0 || elements / 2 > maker.limits.zset.entries_max || !in_order(bytes) ||
          !fits(maker, bytes, 2, maker.limits.zset.value_bytes_max, false)) {
        return {};
      }
      break;
    default: return {};
  }
  return {maker.allocator, type, encoding, Listpack::make(maker.allocator, span_of(block))};
}

}  // namespace redoubt

#include "engine/persist/rdb/value_parser.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace redoubt {

namespace {

// A string of more bytes is not waited for as a whole.
constexpr uint64_t kLargeText = 256 * 1024;

constexpr uint64_t kPlainNode = 1;
constexpr uint64_t kPackedNode = 2;

// What a module's data consists of.
enum class ModuleUnit : uint8_t { end = 0, sint = 1, uint = 2, float4 = 3, float8 = 4, text = 5 };

std::string_view text_of(const Listpack::Element& element, std::optional<IntegerText>& digits) {
  return element.is_number ? digits.emplace(element.number).view() : element.text;
}

}  // namespace

RdbValueParser::RdbValueParser(const HashKey& hash_key, const RdbLimits& limits)
    : hash_key_(hash_key), limits_(limits) {}

RdbValueParser::~RdbValueParser() = default;

std::optional<RdbValueParser::Shape> RdbValueParser::shape_of(uint8_t type, RdbVersion version) {
  using enum RdbType;
  const bool valkey = version.family == RdbFamily::valkey;
  const bool redoubt = version.family == RdbFamily::redoubt;
  const auto items = [](Type of) { return Shape{.source = Source::items, .type = of}; };
  const auto blob = [](Type of, RdbBlobKind kind, uint8_t width = 1) {
    return Shape{.source = Source::blob, .type = of, .blob = kind, .width = width};
  };
  const auto number = static_cast<RdbType>(type);
  if ((number == set_deadlines || number == stream_redoubt) && !redoubt) return std::nullopt;
  if (valkey && number >= hash_listpack_deadlines_old && number <= stream5) return std::nullopt;
  switch (number) {
    case string: return Shape{};
    case list: return items(Type::list);
    case set:
    case set_deadlines: return items(Type::set);
    case zset_text:
    case zset: return items(Type::zset);
    case hash:
    case hash_deadlines_old: return items(Type::hash);
    case hash_deadlines: {
      Shape shape = items(Type::hash);
      shape.has_minimum = true;
      return shape;
    }
    case module: return Shape{.source = Source::module};
    case hash_zipmap: return blob(Type::hash, RdbBlobKind::zipmap, 2);
    case list_ziplist: return blob(Type::list, RdbBlobKind::ziplist);
    case set_intset: return blob(Type::set, RdbBlobKind::intset);
    case zset_ziplist: return blob(Type::zset, RdbBlobKind::ziplist, 2);
    case hash_ziplist: return blob(Type::hash, RdbBlobKind::ziplist, 2);
    case hash_listpack: return blob(Type::hash, RdbBlobKind::listpack, 2);
    case zset_listpack: return blob(Type::zset, RdbBlobKind::listpack, 2);
    case set_listpack: return blob(Type::set, RdbBlobKind::listpack);
    case hash_listpack_deadlines_old: return blob(Type::hash, RdbBlobKind::listpack, 3);
    case hash_listpack_deadlines: {
      Shape shape = blob(Type::hash, RdbBlobKind::listpack, 3);
      shape.has_minimum = true;
      return shape;
    }
    case quicklist_ziplist:
      return Shape{.source = Source::nodes, .type = Type::list, .blob = RdbBlobKind::ziplist};
    case quicklist: return Shape{.source = Source::nodes, .type = Type::list, .plain_nodes = true};
    case stream:
    case stream2:
    case stream3:
    case stream4:
    case stream5:
    case stream_redoubt: return Shape{.source = Source::stream, .type = Type::stream};
    default: return std::nullopt;
  }
}

bool RdbValueParser::begin(uint8_t type, RdbVersion version, Allocator& allocator) {
  reset();
  const std::optional<Shape> shape = shape_of(type, version);
  if (!shape) return false;
  type_ = static_cast<RdbType>(type);
  version_ = version;
  shape_ = *shape;
  allocator_ = &allocator;
  was_module_ = false;
  switch (shape_.source) {
    case Source::text: state_ = State::text; break;
    case Source::items:
    case Source::nodes: state_ = State::count; break;
    case Source::blob: state_ = State::blob; break;
    case Source::module: {
      state_ = State::module;
      left_ = 0;  // the id has not been read
      break;
    }
    case Source::stream:
      state_ = State::stream;
      stream_.begin(type_, allocator);
      break;
  }
  return true;
}

void RdbValueParser::reset() {
  state_ = State::none;
  collection_.reset();
  blob_.reset();
  large_.reset();
  stream_.reset();
  value_ = {};
}

RdbValue RdbValueParser::take() {
  ASSERT(state_ == State::done);
  state_ = State::none;
  return std::move(value_);
}

void RdbValueParser::finish() {
  if (collection_ != nullptr) value_ = collection_->finish();
  collection_.reset();
  state_ = State::done;
}

RdbStep RdbValueParser::run(RdbInput& in, size_t& budget) {
  for (;;) {
    RdbStep step = RdbStep::done;
    switch (state_) {
      case State::text: step = run_text(in, budget); break;
      case State::text_bytes: step = run_text_bytes(in, budget); break;
      case State::count: step = run_count(in); break;
      case State::items: step = run_items(in, budget); break;
      case State::blob: step = run_blob(in, budget); break;
      case State::node: step = run_node(in, budget); break;
      case State::node_elements: step = run_elements(in, budget); break;
      case State::module: step = run_module(in, budget); break;
      case State::stream:
        step = stream_.run(in, budget);
        if (step == RdbStep::done) {
          value_ = stream_.take();
          state_ = State::done;
        }
        break;
      case State::done: return RdbStep::done;
      case State::none: UNREACHABLE();
    }
    if (step != RdbStep::done) return step;
  }
}

// --- strings

RdbStep RdbValueParser::run_text(RdbInput& in, size_t& budget) {
  // A large one that is not compressed comes in parts.
  RdbInput head = in;
  const uint64_t size = head.length();
  if (head.good() && size >= kLargeText) {
    if (size > RdbInput::kLongestText) return failed(in, "a string that is too long");
    in.take(head);
    large_left_ = size;
    state_ = State::text_bytes;
    return RdbStep::done;
  }
  RdbInput whole = in;
  whole.skip_text();
  if (!in.take_failure(whole)) return stopped(in);
  in.text(texts_[0]);
  if (!in.good()) return stopped(in);
  spend(budget, texts_[0].view().size());
  value_ = RdbValue(texts_[0].take());
  state_ = State::done;
  return RdbStep::done;
}

RdbStep RdbValueParser::run_text_bytes(RdbInput& in, size_t& budget) {
  constexpr uint64_t kPart = 1024 * 1024;
  while (large_left_ > 0) {
    if (in.left() == 0) {
      in.skip(1);
      return stopped(in);
    }
    if (budget == 0) return RdbStep::more_steps;
    const std::string_view part = in.bytes(std::min({uint64_t{in.left()}, large_left_, kPart}));
    const size_t before = large_.size();
    // Room for what is there, and, as it comes, for as much again, but not beyond the end.
    if (large_.capacity() < before + part.size()) {
      const size_t wanted = std::max<size_t>(2 * before, before + part.size());
      large_.reserve(std::min<size_t>(wanted, before + large_left_));
    }
    large_.set_size(before + part.size());
    std::memcpy(large_.data() + before, part.data(), part.size());
    large_left_ -= part.size();
    spend(budget, part.size());
  }
  value_ = RdbValue(std::move(large_));
  state_ = State::done;
  return RdbStep::done;
}

// --- values element by element

RdbStep RdbValueParser::run_count(RdbInput& in) {
  RdbInput head = in;
  if (shape_.has_minimum) minimum_ms_ = head.little<int64_t>();
  const uint64_t count = head.length();
  if (!in.take_failure(head)) return stopped(in);
  if (shape_.has_minimum && (minimum_ms_ < 0 || minimum_ms_ > deadline_max())) {
    return failed(in, "a least deadline that is out of range");
  }
  in.take(head);
  left_ = count;
  if (shape_.source == Source::nodes) {
    state_ = State::node;
    return RdbStep::done;
  }
  if (count == 0) {
    finish();
    return RdbStep::done;
  }
  begin_collection(count);
  state_ = State::items;
  return RdbStep::done;
}

void RdbValueParser::begin_collection(uint64_t count) {
  collection_ = RdbCollection::make(shape_.type, maker(), count);
}

// What an item consists of, without unpacking it.
void RdbValueParser::pass_over_item(RdbInput& item) {
  const bool valkey = version_.family == RdbFamily::valkey;
  switch (type_) {
    case RdbType::hash_deadlines_old:
    case RdbType::hash_deadlines:
      if (!valkey) item.length();
      item.skip_text();
      item.skip_text();
      if (valkey) item.skip(sizeof(int64_t));
      break;
    case RdbType::hash:
      item.skip_text();
      item.skip_text();
      break;
    case RdbType::zset_text:
      item.skip_text();
      item.skip_text_score();
      break;
    case RdbType::zset:
    case RdbType::set_deadlines:
      item.skip_text();
      item.skip(8);
      break;
    default: item.skip_text();
  }
}

int64_t RdbValueParser::deadline_max() const {
  return version_.family == RdbFamily::redis ? kRedisDeadlineMax : kNeverExpires - 1;
}

const char* RdbValueParser::set_deadline(int64_t deadline_ms) {
  if (deadline_ms < 0 || deadline_ms > deadline_max()) return "a deadline that is out of range";
  // 0 stands for none in values; that deadline is over like the next one.
  element_.deadline_ms = std::max<int64_t>(deadline_ms, 1);
  return nullptr;
}

// A deadline as it is stored in a hash with a least one: 0 for none, 1 for the least one.
const char* RdbValueParser::set_stored_deadline(uint64_t stored) {
  if (stored == 0) return nullptr;
  if (stored > uint64_t{kNeverExpires} - uint64_t(minimum_ms_)) {
    return "a deadline that is out of range";
  }
  const auto since = static_cast<int64_t>(stored);
  return set_deadline(type_ == RdbType::hash_deadlines ? minimum_ms_ + (since - 1) : since);
}

// All of the item is there. False: it is not as it should be.
bool RdbValueParser::read_item(RdbInput& in) {
  const bool valkey = version_.family == RdbFamily::valkey;
  const bool has_deadline =
      type_ == RdbType::hash_deadlines_old || type_ == RdbType::hash_deadlines;
  element_ = {};
  if (has_deadline && !valkey) {
    if (const char* why = set_stored_deadline(in.length())) {
      in.fail(why);
      return false;
    }
  }
  in.text(texts_[0]);
  switch (type_) {
    case RdbType::hash:
    case RdbType::hash_deadlines_old:
    case RdbType::hash_deadlines: in.text(texts_[1]); break;
    case RdbType::zset_text: element_.score = in.text_score(); break;
    case RdbType::zset: element_.score = in.little<double>(); break;
    default: break;
  }
  const bool plain_deadline = type_ == RdbType::set_deadlines || (has_deadline && valkey);
  if (plain_deadline) {
    const auto stored = in.little<int64_t>();
    const int64_t none = valkey ? -1 : kNeverExpires;
    if (stored != none) {
      if (const char* why = set_deadline(stored)) in.fail(why);
    }
  }
  if (std::isnan(element_.score)) in.fail("a score that is not a number");
  element_.text = texts_[0].view();
  if (shape_.type == Type::hash) element_.value = texts_[1].view();
  return in.good();
}

RdbStep RdbValueParser::run_items(RdbInput& in, size_t& budget) {
  while (left_ > 0) {
    if (budget == 0) return RdbStep::more_steps;
    RdbInput item = in;
    pass_over_item(item);
    if (!in.take_failure(item)) return stopped(in);
    RdbInput again = in;
    if (!read_item(again)) {
      in.take_failure(again);
      return stopped(in);
    }
    if (const char* why = collection_->add(element_)) return failed(in, why);
    in = again;
    --left_;
    spend(budget, element_.text.size() + element_.value.size());
  }
  finish();
  return RdbStep::done;
}

// --- values whose elements stand together

// The encoding of a block that may be taken as it is.
std::optional<Encoding> RdbValueParser::adopted_encoding() const {
  switch (type_) {
    case RdbType::set_intset: return Encoding::intset;
    case RdbType::hash_listpack:
    case RdbType::zset_listpack:
    case RdbType::set_listpack:
    case RdbType::quicklist: return Encoding::listpack;
    default: return std::nullopt;
  }
}

RdbStep RdbValueParser::run_blob(RdbInput& in, size_t& budget) {
  if (budget == 0) return RdbStep::more_steps;
  RdbInput item = in;
  if (shape_.has_minimum) item.skip(sizeof(int64_t));
  RdbInput whole = item;
  whole.skip_text();
  if (!in.take_failure(whole)) return stopped(in);
  item.text(texts_[0]);
  if (!in.take_failure(item)) return stopped(in);
  const std::string_view bytes = texts_[0].view();
  spend(budget, 4 * bytes.size());
  blob_ = RdbBlob::checked(shape_.blob, bytes);
  if (!blob_) return failed(in, "a damaged block of elements");
  if (blob_->count() % shape_.width != 0) {
    return failed(in, "a block with the wrong number of elements");
  }
  elements_left_ = blob_->count() / shape_.width;
  if (elements_left_ == 0) {
    in = item;
    finish();
    return RdbStep::done;
  }
  if (const std::optional<Encoding> encoding = adopted_encoding()) {
    value_ = RdbCollection::adopt(shape_.type, *encoding, maker(), bytes);
    if (value_.there()) {
      in = item;
      state_ = State::done;
      return RdbStep::done;
    }
  }
  begin_collection(elements_left_);
  in = item;
  blob_bytes_ = texts_[0].take();
  blob_ = RdbBlob::checked(shape_.blob, blob_bytes_);
  state_ = State::node_elements;
  left_ = 0;
  return RdbStep::done;
}

RdbStep RdbValueParser::run_node(RdbInput& in, size_t& budget) {
  if (left_ == 0) {
    finish();
    return RdbStep::done;
  }
  if (budget == 0) return RdbStep::more_steps;
  RdbInput item = in;
  const uint64_t container = shape_.plain_nodes ? item.length() : kPackedNode;
  RdbInput whole = item;
  whole.skip_text();
  if (!in.take_failure(whole)) return stopped(in);
  if (container != kPlainNode && container != kPackedNode) {
    return failed(in, "an unknown kind of list node");
  }
  item.text(texts_[0]);
  if (!in.take_failure(item)) return stopped(in);
  const std::string_view bytes = texts_[0].view();
  if (container == kPlainNode) {
    if (bytes.empty()) return failed(in, "a list node without bytes");
    if (collection_ == nullptr) begin_collection(0);
    element_ = {};
    element_.text = bytes;
    collection_->add(element_);
    spend(budget, bytes.size());
    in = item;
    --left_;
    return RdbStep::done;
  }
  spend(budget, 4 * bytes.size());
  blob_ = RdbBlob::checked(shape_.blob, bytes);
  if (!blob_) return failed(in, "a damaged block of elements");
  in = item;
  elements_left_ = blob_->count();
  --left_;
  if (elements_left_ == 0) return RdbStep::done;
  if (left_ == 0 && collection_ == nullptr && adopted_encoding()) {
    value_ = RdbCollection::adopt(shape_.type, Encoding::listpack, maker(), bytes);
    if (value_.there()) {
      state_ = State::done;
      return RdbStep::done;
    }
  }
  if (collection_ == nullptr) begin_collection(0);
  blob_bytes_ = texts_[0].take();
  blob_ = RdbBlob::checked(shape_.blob, blob_bytes_);
  state_ = State::node_elements;
  return RdbStep::done;
}

// Reads the next element of the blob; null, or what is wrong with it.
const char* RdbValueParser::next_element() {
  element_ = {};
  element_.text = text_of(blob_->next(), digits_[0]);
  if (shape_.width == 1) return nullptr;
  const Listpack::Element second = blob_->next();
  if (shape_.type == Type::zset) {
    const std::optional<double> score =
        second.is_number ? static_cast<double>(second.number) : parse_double(second.text);
    if (!score) return "a score that is not a number";
    element_.score = *score;
    return nullptr;
  }
  element_.value = text_of(second, digits_[1]);
  if (shape_.width == 2) return nullptr;
  const Listpack::Element third = blob_->next();
  const std::optional<int64_t> deadline_ms =
      third.is_number ? third.number : parse_integer(third.text);
  if (!deadline_ms) return "a deadline that is not a number";
  return *deadline_ms == 0 ? nullptr : set_deadline(*deadline_ms);
}

RdbStep RdbValueParser::run_elements(RdbInput& in, size_t& budget) {
  for (; elements_left_ > 0; --elements_left_) {
    if (budget == 0) return RdbStep::more_steps;
    const char* why = next_element();
    if (why == nullptr) why = collection_->add(element_);
    if (why != nullptr) return failed(in, why);
    spend(budget, element_.text.size() + element_.value.size());
  }
  blob_.reset();
  constexpr size_t kKeptBytes = 1 << 20;
  if (blob_bytes_.capacity() > kKeptBytes) std::string().swap(blob_bytes_);
  if (shape_.source == Source::nodes) {
    state_ = State::node;
  } else {
    finish();
  }
  return RdbStep::done;
}

// --- modules

RdbStep RdbValueParser::run_module(RdbInput& in, size_t& budget) {
  if (left_ == 0) {
    RdbInput id = in;
    id.length();
    if (!in.take(id)) return stopped(in);
    left_ = 1;
  }
  for (;;) {
    if (budget == 0) return RdbStep::more_steps;
    RdbInput unit = in;
    const uint64_t tag = unit.length();
    switch (static_cast<ModuleUnit>(std::min<uint64_t>(tag, 255))) {
      case ModuleUnit::end:
        if (!in.take(unit)) return stopped(in);
        was_module_ = true;
        state_ = State::done;
        return RdbStep::done;
      case ModuleUnit::sint:
      case ModuleUnit::uint: unit.length(); break;
      case ModuleUnit::float4: unit.skip(4); break;
      case ModuleUnit::float8: unit.skip(8); break;
      case ModuleUnit::text: unit.skip_text(); break;
      default: unit.fail("an unknown part of a module's data");
    }
    const uint64_t from = in.offset();
    if (!in.take(unit)) return stopped(in);
    spend(budget, in.offset() - from);
  }
}

}  // namespace redoubt

// RdbValueParser: reads one value, of whatever type and encoding, in steps.
//
// Values are rebuilt: nothing of a file is used as it stands before all of it has been checked, and
// the encoding is what commands would have chosen. Memory is taken for what has been read only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/persist/rdb/blobs.h"
#include "engine/persist/rdb/collections.h"
#include "engine/persist/rdb/format.h"
#include "engine/persist/rdb/limits.h"
#include "engine/persist/rdb/step.h"
#include "engine/persist/rdb/stream_parser.h"
#include "engine/persist/rdb/value.h"

namespace redoubt {

class RdbValueParser {
 public:
  // The hash key outlives it.
  RdbValueParser(const HashKey& hash_key, const RdbLimits& limits);
  ~RdbValueParser();

  // Begins a value of this type from a file of this version, to be made with this allocator, which
  // lives until the value is taken or reset() is called. False: there is no such type.
  bool begin(uint8_t type, RdbVersion version, Allocator& allocator);
  // Goes on reading. Takes from the budget an element each, and more for long ones. After `failed`
  // only reset() may be called.
  RdbStep run(RdbInput& in, size_t& budget);
  // The value, when all of it has been read. None when it has no elements, or is a module's.
  RdbValue take();
  // Lets go of what has been read so far.
  void reset();

  // Whether the value is one of a module, which is only passed over.
  bool is_module() const { return state_ == State::module || was_module_; }

 private:
  // Where the elements of a value stand.
  enum class Source : uint8_t { text, items, blob, nodes, stream, module };
  struct Shape {
    Source source = Source::text;
    Type type = Type::string;
    RdbBlobKind blob = RdbBlobKind::listpack;
    uint8_t width = 1;         // elements of a blob that make one of the value
    bool plain_nodes = false;  // nodes may be one element
    bool has_minimum = false;  // the least deadline stands in front
  };
  enum class State : uint8_t {
    none,
    text,
    text_bytes,
    count,
    items,
    blob,
    node,
    node_elements,
    stream,
    module,
    done
  };

  static std::optional<Shape> shape_of(uint8_t type, RdbVersion version);

  RdbStep run_text(RdbInput& in, size_t& budget);
  RdbStep run_text_bytes(RdbInput& in, size_t& budget);
  RdbStep run_count(RdbInput& in);
  RdbStep run_items(RdbInput& in, size_t& budget);
  RdbStep run_blob(RdbInput& in, size_t& budget);
  RdbStep run_node(RdbInput& in, size_t& budget);
  RdbStep run_elements(RdbInput& in, size_t& budget);
  RdbStep run_module(RdbInput& in, size_t& budget);
  bool read_item(RdbInput& in);
  void pass_over_item(RdbInput& item);
  int64_t deadline_max() const;
  const char* set_stored_deadline(uint64_t stored);
  const char* set_deadline(int64_t deadline_ms);
  const char* next_element();
  std::optional<Encoding> adopted_encoding() const;
  void begin_collection(uint64_t count);
  RdbMaker maker() const { return {*allocator_, hash_key_, limits_}; }
  void finish();

  const HashKey& hash_key_;
  const RdbLimits limits_;
  Allocator* allocator_ = nullptr;

  RdbType type_ = RdbType::string;
  RdbVersion version_;
  Shape shape_;
  State state_ = State::none;
  bool was_module_ = false;
  RdbValue value_;

  std::unique_ptr<RdbCollection> collection_;
  uint64_t left_ = 0;       // items, nodes
  int64_t minimum_ms_ = 0;  // of the deadlines
  RdbElement element_;      // what is read now; its texts are in the two below
  RdbText texts_[2];
  std::optional<IntegerText> digits_[2];

  std::string blob_bytes_;  // what is walked
  std::optional<RdbBlob> blob_;
  uint64_t elements_left_ = 0;  // of the blob, each of the width

  Blob large_;  // a string that comes in parts
  uint64_t large_left_ = 0;

  RdbStreamParser stream_;
};

}  // namespace redoubt

// RdbOutput: bytes of an RDB file on their way, and how its parts are written.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/persist/rdb/format.h"
#include "engine/persist/rdb/lzf.h"
#include "engine/store/listpack.h"
#include "engine/store/stream_id.h"

namespace redoubt {

class RdbOutput {
 public:
  // `compress`: strings of more than 20 bytes are, where that saves 4 bytes.
  explicit RdbOutput(bool compress) : compress_(compress) {}

  // What has been written and not taken. Its owner may take it whole.
  std::string& bytes() { return bytes_; }
  const std::string& bytes() const { return bytes_; }

  void u8(uint8_t byte) { bytes_ += static_cast<char>(byte); }
  void opcode(RdbOpcode opcode) { u8(static_cast<uint8_t>(opcode)); }
  void type(RdbType type) { u8(static_cast<uint8_t>(type)); }
  template <typename T>
  void little(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof raw);
  }
  void raw(std::string_view bytes) { bytes_.append(bytes); }
  // A number in the form of a length, the shortest one.
  void length(uint64_t value);
  void id_of_lengths(StreamId id) {
    length(id.ms);
    length(id.seq);
  }
  void id_of_bytes(StreamId id);

  // A string: as a number, compressed, or as it is.
  void text(std::string_view text);
  void text(const Listpack::Element& element);
  void integer(int64_t value);
  void block(std::span<const uint8_t> bytes) {
    blob({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  // A string that is no number.
  void blob(std::string_view bytes);

 private:
  bool number(std::string_view text);

  std::string bytes_;
  const bool compress_;
  std::unique_ptr<LzfCompressor> compressor_;
  std::string packed_;
};

}  // namespace redoubt

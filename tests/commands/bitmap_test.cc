// Bits: the work on words against one bit after the other, and the replies at the edges.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "engine/commands/bits/bitmap_ops.h"
#include "tests/commands/local_node.h"

namespace redoubt {
namespace {

bool bit_of(std::string_view bytes, uint64_t index) {
  if (index / 8 >= bytes.size()) return false;
  return (static_cast<unsigned char>(bytes[index / 8]) >> (7 - index % 8) & 1) != 0;
}

// Bytes of which most are alike, so that whole words are passed over; at an odd address.
struct Bits {
  std::string storage;
  std::string_view view() const { return std::string_view(storage).substr(1); }
};

Bits draw_bits(size_t size_max) {
  const size_t size = *rc::gen::inRange<size_t>(0, size_max + 1);
  const char filler = *rc::gen::element('\0', '\xff', '\x5a');
  Bits bits{std::string(size + 1, filler)};
  const size_t others = *rc::gen::inRange<size_t>(0, 4);
  for (size_t i = 0; i < others && size > 0; ++i) {
    bits.storage[1 + *rc::gen::inRange<size_t>(0, size)] = *rc::gen::arbitrary<char>();
  }
  return bits;
}

RC_GTEST_PROP(BitmapOps, CountAndFind, ()) {
  const Bits drawn = draw_bits(300);
  const std::string_view bytes = drawn.view();
  RC_PRE(!bytes.empty());
  const uint64_t first = *rc::gen::inRange<uint64_t>(0, bytes.size() * 8);
  const uint64_t last = *rc::gen::inRange<uint64_t>(first, bytes.size() * 8);
  uint64_t all = 0;
  for (uint64_t i = 0; i < bytes.size() * 8; ++i) all += bit_of(bytes, i) ? 1 : 0;
  RC_ASSERT(count_bits(bytes) == all);
  uint64_t between = 0;
  for (uint64_t i = first; i <= last; ++i) between += bit_of(bytes, i) ? 1 : 0;
  RC_ASSERT(count_bits_between(bytes, first, last) == between);
  for (const bool value : {false, true}) {
    std::optional<uint64_t> expected;
    for (uint64_t i = first; i <= last && !expected; ++i) {
      if (bit_of(bytes, i) == value) expected = i;
    }
    RC_ASSERT(find_bit(bytes, first, last, value) == expected);
  }
}

bool combined(BitOperation operation, const std::vector<std::string_view>& sources,
              uint64_t index) {
  size_t set = 0;
  for (const std::string_view source : sources) set += bit_of(source, index) ? 1 : 0;
  const bool first = bit_of(sources[0], index);
  const size_t others = set - (first ? 1 : 0);
  switch (operation) {
    case BitOperation::and_all: return set == sources.size();
    case BitOperation::or_all: return set > 0;
    case BitOperation::xor_all: return set % 2 == 1;
    case BitOperation::invert: return !first;
    case BitOperation::diff: return first && others == 0;
    case BitOperation::diff1: return !first && others > 0;
    case BitOperation::and_or: return first && others > 0;
    case BitOperation::one: return set == 1;
  }
  return false;
}

RC_GTEST_PROP(BitmapOps, Combine, ()) {
  const BitOperation operation = *rc::gen::element(
      BitOperation::and_all, BitOperation::or_all, BitOperation::xor_all, BitOperation::invert,
      BitOperation::diff, BitOperation::diff1, BitOperation::and_or, BitOperation::one);
  const size_t count = operation == BitOperation::invert ? 1 : *rc::gen::inRange<size_t>(1, 5);
  // Sizes around those of a block.
  const size_t size_max = *rc::gen::element<size_t>(40, 4096, 8200);
  std::vector<Bits> drawn;
  for (size_t i = 0; i < count; ++i) drawn.push_back(draw_bits(size_max));
  std::vector<std::string_view> sources;
  size_t size = 0;
  for (const Bits& bits : drawn) {
    sources.push_back(bits.view());
    size = std::max(size, bits.view().size());
  }
  std::string result(size + 2, 'x');
  combine_bits(operation, sources, {result.data() + 1, size});
  for (uint64_t i = 0; i < size * 8; ++i) {
    RC_ASSERT(bit_of(std::string_view(result).substr(1), i) == combined(operation, sources, i));
  }
  RC_ASSERT(result.front() == 'x' && result.back() == 'x');
}

// --- fields

// A field's bits, one after the other.
uint64_t raw_field(std::string_view bytes, uint64_t offset, int bits) {
  uint64_t raw = 0;
  for (int i = 0; i < bits; ++i) {
    raw = raw << 1 | (bit_of(bytes, offset + static_cast<uint64_t>(i)) ? 1 : 0);
  }
  return raw;
}

std::string integer_reply(uint64_t raw, bool is_signed, int bits) {
  if (is_signed && bits < 64 && (raw >> (bits - 1) & 1) != 0) raw |= ~uint64_t{0} << bits;
  return "*1\r\n:" + std::to_string(static_cast<int64_t>(raw)) + "\r\n";
}

RC_GTEST_PROP(Bitfield, GetAndSetAnyFieldAnywhere, ()) {
  LocalNode n;
  const bool is_signed = *rc::gen::arbitrary<bool>();
  const int bits = *rc::gen::inRange(1, is_signed ? 65 : 64);
  const uint64_t offset = *rc::gen::inRange<uint64_t>(0, 100);
  const std::string before = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  const int64_t value = *rc::gen::arbitrary<int64_t>();
  const std::string type = (is_signed ? "i" : "u") + std::to_string(bits);
  n.call({"SET", "k", before});
  const std::string old =
      n.call({"BITFIELD", "k", "SET", type, std::to_string(offset), std::to_string(value)});
  RC_ASSERT(old == integer_reply(raw_field(before, offset, bits), is_signed, bits));
  std::string after = n.call({"GET", "k"});
  after = after.substr(after.find("\r\n") + 2);
  after.resize(after.size() - 2);
  const uint64_t mask = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  RC_ASSERT(raw_field(after, offset, bits) == (static_cast<uint64_t>(value) & mask));
  RC_ASSERT(n.call({"BITFIELD_RO", "k", "GET", type, std::to_string(offset)}) ==
            integer_reply(static_cast<uint64_t>(value) & mask, is_signed, bits));
  // All other bits are as they were.
  for (uint64_t i = 0; i < after.size() * 8; ++i) {
    if (i >= offset && i < offset + static_cast<uint64_t>(bits)) continue;
    RC_ASSERT(bit_of(after, i) == bit_of(before, i));
  }
}

TEST(BitfieldCommand, Overflow) {
  LocalNode n;
  const auto field = [&](std::vector<std::string_view> args) {
    args.insert(args.begin(), {"BITFIELD", "k"});
    return n.call(args);
  };
  EXPECT_EQ(field({"SET", "u8", "#1", "250"}), "*1\r\n:0\r\n");
  EXPECT_EQ(field({"OVERFLOW", "FAIL", "INCRBY", "u8", "8", "10"}), "*1\r\n$-1\r\n");
  EXPECT_EQ(field({"OVERFLOW", "SAT", "INCRBY", "u8", "8", "10"}), "*1\r\n:255\r\n");
  EXPECT_EQ(field({"INCRBY", "u8", "8", "10"}), "*1\r\n:9\r\n");
  EXPECT_EQ(field({"OVERFLOW", "SAT", "INCRBY", "u8", "8", "-10"}), "*1\r\n:0\r\n");
  EXPECT_EQ(field({"INCRBY", "u8", "8", "-1"}), "*1\r\n:255\r\n");
  EXPECT_EQ(field({"OVERFLOW", "SAT", "SET", "i8", "0", "-200", "GET", "i8", "0"}),
            "*2\r\n:0\r\n:-128\r\n");
  EXPECT_EQ(field({"SET", "i64", "64", "9223372036854775807", "OVERFLOW", "SAT", "INCRBY", "i64",
                   "64", "1", "OVERFLOW", "WRAP", "INCRBY", "i64", "64", "1"}),
            "*3\r\n:0\r\n:9223372036854775807\r\n:-9223372036854775808\r\n");
  EXPECT_EQ(field({"OVERFLOW", "NOSUCH", "GET", "u8", "0"}),
            "-ERR Invalid OVERFLOW type specified\r\n");
  EXPECT_EQ(field({"GET", "u8"}), "-ERR syntax error\r\n");
  EXPECT_EQ(n.call({"BITFIELD_RO", "k", "SET", "u8", "0", "1"}),
            "-ERR BITFIELD_RO only supports the GET subcommand\r\n");
  for (const std::string_view type : {"u64", "i65", "i0", "x8", "", "u", "U8"}) {
    EXPECT_EQ(field({"GET", type, "0"}),
              "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
              "supported but i64 is.\r\n")
        << type;
  }
  for (const std::string_view offset :
       {"-1", "#-1", "#", "x", "4294967296", "#288230376151711744"}) {
    EXPECT_EQ(field({"GET", "i64", offset}),
              "-ERR bit offset is not an integer or out of range\r\n")
        << offset;
  }
}

// --- changes are told, nothing else is

TEST(Bitmap, WhatChangesNothingSaysNothing) {
  LocalNode n;
  n.call({"SET", "other", "v"});  // the stream begins with a SELECT
  const auto effect = [&](std::vector<std::string_view> args) {
    n.take_effects();
    EXPECT_NE(n.call(args)[0], '-') << args[0];
    return n.take_effects();
  };
  EXPECT_EQ(effect({"SETBIT", "k", "7", "0"}), "SETBIT k 7 0");  // it makes the key
  EXPECT_EQ(effect({"SETBIT", "k", "6", "0"}), "");
  EXPECT_EQ(effect({"SETBIT", "k", "6", "1"}), "SETBIT k 6 1");
  EXPECT_EQ(effect({"SETBIT", "k", "6", "1"}), "");
  EXPECT_EQ(effect({"BITFIELD", "k", "GET", "u8", "0"}), "");
  EXPECT_EQ(effect({"BITFIELD", "k", "SET", "u8", "0", "2"}), "");
  EXPECT_EQ(effect({"BITFIELD", "k", "SET", "u8", "0", "3"}), "BITFIELD k SET u8 0 3");
  EXPECT_EQ(effect({"BITFIELD", "k", "OVERFLOW", "FAIL", "INCRBY", "u8", "0", "300"}), "");
  EXPECT_EQ(effect({"BITOP", "AND", "d", "none"}), "");
  EXPECT_EQ(effect({"BITOP", "NOT", "d", "k"}), "BITOP NOT d k");
  EXPECT_EQ(effect({"BITOP", "OR", "d", "none", "none"}), "BITOP OR d none none");
  EXPECT_EQ(n.call({"EXISTS", "d"}), ":0\r\n");
}

TEST(Bitmap, BitopSourcesAndTargets) {
  LocalNode n;
  n.call({"MSET", "a", "\x0f", "b", "\xff\xff", "number", "12"});
  EXPECT_EQ(n.call({"BITOP", "AND", "a", "a", "b"}), ":2\r\n");
  EXPECT_EQ(n.call({"GET", "a"}), std::string("$2\r\n\x0f\0\r\n", 8));
  EXPECT_EQ(n.call({"BITOP", "OR", "c", "number"}), ":2\r\n");
  EXPECT_EQ(n.call({"GET", "c"}), "$2\r\n12\r\n");
  EXPECT_EQ(n.call({"BITOP", "NOT", "c", "a", "b"}),
            "-ERR BITOP NOT must be called with a single source key.\r\n");
  EXPECT_EQ(n.call({"BITOP", "diff1", "c", "a"}),
            "-ERR BITOP DIFF1 must be called with at least two source keys.\r\n");
  EXPECT_EQ(n.call({"BITOP", "NAND", "c", "a"}), "-ERR syntax error\r\n");
  // A result takes the target's expiry away.
  n.call({"SET", "c", "v", "EX", "100"});
  EXPECT_EQ(n.call({"BITOP", "ONE", "c", "b"}), ":2\r\n");
  EXPECT_EQ(n.call({"TTL", "c"}), ":-1\r\n");
}

TEST(Bitmap, RangesOfBitposAndBitcount) {
  LocalNode n;
  n.call({"SET", "k", std::string_view("\xff\xf0\x00", 3)});
  n.call({"SET", "full", "\xff\xff"});
  n.call({"SET", "empty", ""});
  EXPECT_EQ(n.call({"BITPOS", "k", "0"}), ":12\r\n");
  EXPECT_EQ(n.call({"BITPOS", "k", "1", "2"}), ":-1\r\n");
  EXPECT_EQ(n.call({"BITPOS", "full", "0"}), ":16\r\n");
  EXPECT_EQ(n.call({"BITPOS", "full", "0", "1"}), ":16\r\n");
  EXPECT_EQ(n.call({"BITPOS", "full", "0", "0", "-1"}), ":-1\r\n");
  EXPECT_EQ(n.call({"BITPOS", "k", "1", "13", "-1", "BIT"}), ":-1\r\n");
  EXPECT_EQ(n.call({"BITPOS", "k", "0", "3", "11", "BIT"}), ":-1\r\n");
  EXPECT_EQ(n.call({"BITPOS", "empty", "0"}), ":-1\r\n");
  EXPECT_EQ(n.call({"BITPOS", "none", "0"}), ":0\r\n");
  EXPECT_EQ(n.call({"BITPOS", "none", "1"}), ":-1\r\n");
  EXPECT_EQ(n.call({"BITPOS", "none", "2"}), "-ERR The bit argument must be 1 or 0.\r\n");
  EXPECT_EQ(n.call({"BITPOS", "none", "1", "x"}),
            "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(n.call({"BITCOUNT", "k"}), ":12\r\n");
  EXPECT_EQ(n.call({"BITCOUNT", "k", "0", "9", "BIT"}), ":10\r\n");
  EXPECT_EQ(n.call({"BITCOUNT", "k", "-2", "-1"}), ":4\r\n");
  EXPECT_EQ(n.call({"BITCOUNT", "k", "-1", "-2"}), ":0\r\n");
  EXPECT_EQ(n.call({"BITCOUNT", "none", "0", "1", "BITE"}), "-ERR syntax error\r\n");
  EXPECT_EQ(n.call({"BITCOUNT", "k", "0"}), "-ERR syntax error\r\n");
}

}  // namespace
}  // namespace redoubt

#include "engine/persist/rdb/payload.h"

#include <cstring>

#include "engine/persist/rdb/crc64.h"
#include "engine/persist/rdb/value_parser.h"
#include "engine/persist/rdb/value_writer.h"

namespace redoubt {

namespace {

constexpr size_t kVersionBytes = 2;
constexpr size_t kFooterBytes = kVersionBytes + kRdbChecksumBytes;

uint16_t version_of(RdbForm form) {
  switch (form) {
    case RdbForm::redis11: return 11;
    case RdbForm::redis12: return 12;
    case RdbForm::valkey80: return 80;
    case RdbForm::redoubt1: return kRedoubtPayloadVersion;
    default: return 10;
  }
}

// The family that a payload's version belongs to; nothing when it is not known here.
std::optional<RdbVersion> family_of(uint16_t version) {
  constexpr uint16_t kNewestRedis = 15;
  if (version == kRedoubtPayloadVersion) return RdbVersion{RdbFamily::redoubt, 1};
  if (version == 80) return RdbVersion{RdbFamily::valkey, version};
  if (version <= kNewestRedis) return RdbVersion{RdbFamily::redis, version};
  return std::nullopt;
}

template <typename T>
T load(std::string_view from, size_t at) {
  T value;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

// A version that is known here, and the right checksum.
bool has_whole_end(std::string_view payload) {
  if (payload.size() < kFooterBytes) return false;
  const size_t footer = payload.size() - kFooterBytes;
  const auto checksum = load<uint64_t>(payload, footer + kVersionBytes);
  return family_of(load<uint16_t>(payload, footer)).has_value() &&
         checksum == crc64(0, payload.substr(0, footer + kVersionBytes));
}

RdbStep read_value(RdbInput& in, RdbVersion version, const RdbMaker& maker, RdbValue& value) {
  RdbValueParser parser(maker.hash_key, maker.limits);
  const uint8_t type = in.u8();
  if (!in.good()) return stopped(in);
  if (!parser.begin(type, version, maker.allocator)) return failed(in, "an unknown type");
  size_t budget = SIZE_MAX;
  const RdbStep step = parser.run(in, budget);
  if (step != RdbStep::done) return step;
  if (in.left() > 0) return failed(in, "bytes behind the value");
  value = parser.take();
  return value.there() ? step : failed(in, "a value without elements, or a module's");
}

}  // namespace

std::optional<std::string> dump_payload(const Entry& entry, bool compress, RdbForm form) {
  RdbOutput out(compress);
  RdbValueWriter values(out, form);
  RdbType type = RdbType::string;
  if (values.choose(entry, type) != nullptr) return std::nullopt;
  out.type(type);
  values.write(type, entry);
  out.little(version_of(form == RdbForm::automatic ? values.needed() : form));
  out.little(crc64(0, out.bytes()));
  return std::move(out.bytes());
}

std::string dump_functions(const std::vector<std::string>& sources, bool compress) {
  RdbOutput out(compress);
  for (const std::string& source : sources) {
    out.opcode(RdbOpcode::function2);
    out.text(source);
  }
  out.little(version_of(RdbForm::redis10));
  out.little(crc64(0, out.bytes()));
  return std::move(out.bytes());
}

std::optional<std::vector<std::string>> restore_functions(std::string_view payload) {
  if (!has_whole_end(payload)) return std::nullopt;
  const size_t footer = payload.size() - kFooterBytes;
  RdbInput in({reinterpret_cast<const uint8_t*>(payload.data()), footer}, 0);
  std::vector<std::string> sources;
  while (in.left() > 0) {
    if (in.u8() != static_cast<uint8_t>(RdbOpcode::function2)) return std::nullopt;
    RdbText source;
    in.text(source);
    if (!in.good()) return std::nullopt;
    sources.emplace_back(source.view());
  }
  return sources;
}

Restored restore_payload(std::string_view payload, const RdbMaker& maker) {
  Restored restored;
  restored.end = RestoreEnd::wrong_checksum;
  if (!has_whole_end(payload)) return restored;
  const size_t footer = payload.size() - kFooterBytes;
  const std::optional<RdbVersion> version = family_of(load<uint16_t>(payload, footer));

  RdbInput in({reinterpret_cast<const uint8_t*>(payload.data()), footer}, 0);
  const RdbStep step = read_value(in, *version, maker, restored.value);
  restored.end = step == RdbStep::done ? RestoreEnd::restored : RestoreEnd::bad_format;
  if (step != RdbStep::done) {
    restored.error = {in.offset(), in.fault() != nullptr ? in.fault() : "the value ends too early"};
  }
  return restored;
}

}  // namespace redoubt

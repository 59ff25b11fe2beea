#include "sim/program/black_box.h"

#include <sys/mman.h>

#include <cstring>

#include "sim/scenario/spec_file.h"

namespace redoubt::sim {

namespace {

constexpr size_t kBytes = size_t{512} << 20;
constexpr size_t kRecordHeader = 5;  // kind and size

}  // namespace

// Behind it: records of a kind, a size of four bytes, and a text.
struct BlackBox::Header {
  size_t used;
  int64_t last_ns;
  bool full;
};

BlackBox::BlackBox() {
  void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED) header_ = static_cast<Header*>(memory);
}

BlackBox::~BlackBox() {
  if (header_ != nullptr) munmap(header_, kBytes);
}

char* BlackBox::bytes() const {
  return reinterpret_cast<char*>(header_) + sizeof(Header);
}

void BlackBox::add(Kind kind, std::string_view text) {
  if (header_ == nullptr || header_->full) return;
  if (sizeof(Header) + header_->used + kRecordHeader + text.size() > kBytes) {
    header_->full = true;
    return;
  }
  char* const at = bytes() + header_->used;
  const auto size = static_cast<uint32_t>(text.size());
  *at = static_cast<char>(kind);
  std::memcpy(at + 1, &size, sizeof size);
  std::memcpy(at + kRecordHeader, text.data(), text.size());
  header_->used += kRecordHeader + text.size();  // last: half a record is none
}

void BlackBox::on_begin(const ScenarioSpec& fixed) {
  add(Kind::fixed, scenario_text(fixed, {}));
}

void BlackBox::on_step(const ScriptStep& step) {
  add(Kind::step, step_text(step));
}

void BlackBox::on_hang_up(size_t number) {
  add(Kind::hang_up, std::to_string(number));
}

void BlackBox::on_event(const Core& core, What what, HostId, uint64_t, uint64_t,
                        std::string_view text) {
  if (header_ != nullptr) header_->last_ns = core.now.ns;
  if (what == What::strike) add(Kind::strike, text);
}

Instant BlackBox::last() const {
  return header_ == nullptr ? Instant() : Instant{header_->last_ns};
}

std::optional<ScenarioSpec> BlackBox::scenario(std::string* error) const {
  *error = "there is no memory to keep what was sent";
  if (header_ == nullptr) return std::nullopt;
  *error = "it was too much to be kept";
  if (header_->full) return std::nullopt;
  std::string text;
  std::vector<FaultStrike> strikes;
  std::vector<size_t> hung_up;
  for (size_t at = 0; at < header_->used;) {
    const auto kind = static_cast<Kind>(bytes()[at]);
    uint32_t size = 0;
    std::memcpy(&size, bytes() + at + 1, sizeof size);
    const std::string_view record(bytes() + at + kRecordHeader, size);
    at += kRecordHeader + size;
    if (kind == Kind::fixed || kind == Kind::step) text += record;
    if (kind == Kind::hang_up) hung_up.push_back(std::stoul(std::string(record)));
    if (kind == Kind::strike) {
      *error = parse_strike(record, &strikes.emplace_back());
      if (!error->empty()) return std::nullopt;
    }
  }
  std::optional<ScenarioSpec> spec = parse_scenario("record", text, error);
  if (!spec) return std::nullopt;
  if (!spec->script) spec->script.emplace();
  for (const size_t number : hung_up) spec->script->at(number).hangs_up = true;
  if (!spec->strikes) spec->strikes = std::move(strikes);
  // What has not been sent by then is not in the script.
  spec->number(&ScenarioNumbers::length_least_ms) = Choice(last().ns / 1'000'000 + 1);
  return spec;
}

}  // namespace redoubt::sim

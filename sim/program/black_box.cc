#include "sim/program/black_box.h"

#include <sys/mman.h>

#include <cstring>

#include "sim/scenario/spec_file.h"

namespace redoubt::sim {

namespace {

constexpr size_t kBoxBytes = size_t{512} << 20;
constexpr size_t kRecordHeader = 5;  // kind and size

struct Pause {
  uint32_t node;
  uint32_t client;
  Duration length;
};

// Those behind each client's last step: all, without those that steps have.
LastPauses left_of(const std::vector<Pause>& all, const Script& script) {
  std::map<std::pair<uint32_t, uint32_t>, size_t> used;
  for (const ScriptStep& step : script) used[{step.node, step.client}] += step.pauses.size();
  LastPauses left;
  for (const Pause& pause : all) {
    size_t& count = used[{pause.node, pause.client}];
    if (count > 0) {
      --count;
    } else {
      left[{pause.node, pause.client}].push_back(pause.length);
    }
  }
  return left;
}

}  // namespace

// Behind it: records of a kind, a size of four bytes, and a text.
struct BlackBox::Header {
  size_t used;
  int64_t last_ns;
  int64_t farewell_ns;  // 0: not yet
  bool full;
};

BlackBox::BlackBox() {
  void* const memory = mmap(nullptr, kBoxBytes, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED) header_ = static_cast<Header*>(memory);
}

BlackBox::~BlackBox() {
  if (header_ != nullptr) munmap(header_, kBoxBytes);
}

char* BlackBox::bytes() const {
  return reinterpret_cast<char*>(header_) + sizeof(Header);
}

void BlackBox::add(Kind kind, std::string_view text) {
  if (header_ == nullptr || header_->full) return;
  if (sizeof(Header) + header_->used + kRecordHeader + text.size() > kBoxBytes) {
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

void BlackBox::on_farewell(Instant now) {
  if (header_ != nullptr) header_->farewell_ns = now.ns;
}

void BlackBox::on_step(const ScriptStep& step) {
  add(Kind::step, step_text(step));
}

void BlackBox::on_hang_up(size_t number) {
  add(Kind::hang_up, std::to_string(number));
}

void BlackBox::on_pause(uint32_t node, uint32_t client, Duration pause) {
  const Pause record = {node, client, pause};
  add(Kind::pause, {reinterpret_cast<const char*>(&record), sizeof record});
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
  std::vector<Pause> pauses;
  for (size_t at = 0; at < header_->used;) {
    const auto kind = static_cast<Kind>(bytes()[at]);
    uint32_t size = 0;
    std::memcpy(&size, bytes() + at + 1, sizeof size);
    const std::string_view record(bytes() + at + kRecordHeader, size);
    at += kRecordHeader + size;
    if (kind == Kind::fixed || kind == Kind::step) text += record;
    if (kind == Kind::hang_up) hung_up.push_back(std::stoul(std::string(record)));
    if (kind == Kind::pause) {
      std::memcpy(&pauses.emplace_back(), record.data(), sizeof(Pause));
    }
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
  add_last_pauses(*spec->script, left_of(pauses, *spec->script), last());
  // What was not sent by then is not in the script's load.
  const int64_t farewell_ns = header_->farewell_ns;
  spec->number(&ScenarioNumbers::length_least_ms) =
      Choice(farewell_ns > 0 ? farewell_ns / 1'000'000 : last().ns / 1'000'000 + 1);
  return spec;
}

}  // namespace redoubt::sim

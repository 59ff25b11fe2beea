// What is left of a run whose process dies: memory that it shares with its parent, into which it
// writes what happens, as it happens. The parent makes a scenario of it that leaves nothing open,
// as a run that ends makes of itself.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sim/core.h"
#include "sim/scenario/scenario.h"

namespace redoubt::sim {

class BlackBox final : public RunLog, public EventSink {
 public:
  // Before the run's process is made. Pages that nobody writes take no memory.
  BlackBox();
  ~BlackBox() override;
  BlackBox(const BlackBox&) = delete;
  BlackBox& operator=(const BlackBox&) = delete;

  // Within the run.
  void on_begin(const ScenarioSpec& fixed) override;
  void on_farewell(Instant now) override;
  void on_step(const ScriptStep& step) override;
  void on_hang_up(size_t number) override;
  void on_pause(uint32_t node, uint32_t client, Duration pause) override;
  void on_event(const Core& core, What what, HostId id, uint64_t detail, uint64_t value,
                std::string_view text) override;

  // Afterwards, in the parent. Nothing: it was too much, or the run had not begun; *error says so.
  std::optional<ScenarioSpec> scenario(std::string* error) const;
  // When the last event was.
  Instant last() const;

 private:
  struct Header;
  enum class Kind : char { fixed = 'f', step = 's', hang_up = 'h', strike = 'x', pause = 'p' };

  void add(Kind kind, std::string_view text);
  char* bytes() const;

  Header* header_ = nullptr;
};

}  // namespace redoubt::sim

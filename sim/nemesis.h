// Timed faults: they come, last for a while, and end. Each has a rhythm and a stream of random
// numbers of its own. A blow is drawn first, as plain data (sim/strikes.h), then struck and put on
// the list of the run; a run that is given that list strikes the same without drawing, and is the
// same run, down to the digest: what was drawn is part of it, how often was drawn is not.
//
// Also here: the windows in which other faults hold, the budget that keeps enough hosts alive, and
// the beginning of liveness.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/core.h"
#include "sim/disk.h"

namespace redoubt::sim {

class Host;
class World;

class Nemesis {
 public:
  Nemesis(World& world, Core& core);

  // Faults begin to come: those of WorldOptions::schedule, or in the rhythm that Core::faults says.
  void start();
  // No new ones come, and windows neither open nor close; what lasts ends when it would have.
  void stop();
  // Whatever lasts ends now: links heal, hosts boot, resume and are quick again.
  void heal();
  // From here on nothing comes and nothing ends, except for a majority of the faultable hosts: no
  // fault touches them or links between them and hosts that are not faultable. Returns who they
  // are, in order.
  std::vector<HostId> begin_liveness();
  // False when nothing came of it.
  bool on_event(const Event& event);

  // What has struck so far.
  const std::vector<FaultStrike>& strikes() const { return strikes_; }
  // Who has lost what it had synced, or some of it, or will when disk_old ends.
  const std::vector<HostId>& disks_lost() const { return disks_lost_; }

 private:
  // What has begun and will end.
  struct Lasting {
    uint32_t number;
    FaultStrike strike;
    HostId host;
    uint32_t cut;
    std::shared_ptr<const DiskImage> image;  // disk_old
  };

  void open_windows();
  void set_to_window(Fault fault);
  void push(Instant at, uint8_t what, uint32_t index, uint32_t generation);
  void schedule(Fault fault);
  bool on_end(uint32_t number);
  HostId find(const std::string& name) const;

  // Drawing a blow (nemesis_strikes.cc, as all that follows).
  bool draw_and_strike(Fault fault);
  HostId choose(Fault fault);
  void draw(FaultStrike& strike, HostId host);
  Duration draw_length(Fault fault);
  std::vector<std::string> some_with(Fault fault, HostId host);
  void draw_rack(FaultStrike& strike, HostId host);
  // Waits for the moment that power_loss_io is about.
  void arm(FaultStrike strike, HostId host);
  std::vector<HostId> racked_with(HostId host) const;

  // Striking it, unless it is impossible.
  bool strike(FaultStrike strike);
  bool possible(const FaultStrike& strike, HostId host) const;
  bool busy(Fault fault, HostId host) const;
  bool may_go_down(const FaultStrike& strike, HostId host) const;
  bool may_lose_disk(HostId host) const;
  // What is to be remembered until it ends is left in `lasting`.
  void begin(const FaultStrike& strike, HostId host, Lasting& lasting);
  void begin_at(const FaultStrike& strike, Host& host);
  void cut_links(const FaultStrike& strike, HostId host, Lasting& lasting);
  // Its time has come, or it is undone before that.
  void end(const Lasting& lasting);
  void undo(const Lasting& lasting);
  void bring_back(const Lasting& lasting);
  // For a report (nemesis_trace.cc).
  void record_begin(const Lasting& lasting);
  void record_end(const Lasting& lasting);
  // Its part in whatever lasts is over.
  void free(HostId host);

  World& world_;
  Core& core_;
  FaultRandoms randoms_;
  bool running_ = false;
  bool windows_move_ = true;
  uint32_t rhythm_ = 0;
  uint32_t next_number_ = 1;
  std::vector<Lasting> lasting_;
  std::map<HostId, FaultStrike> armed_;
  std::vector<FaultStrike> strikes_;
  std::vector<HostId> disks_lost_;  // each once
};

}  // namespace redoubt::sim

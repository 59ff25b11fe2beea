// What a report hears of timed faults: whom each concerns, from when to when.
#include "sim/nemesis.h"

namespace redoubt::sim {

namespace {

// What its name does not say.
std::string more_about(const FaultStrike& strike) {
  switch (strike.fault) {
    case Fault::slow_cpu: return std::to_string(strike.amount) + " times slower";
    case Fault::net_one_way: return strike.amount < 0 ? "does not hear" : "is not heard";
    case Fault::clock_jump: return "by " + std::to_string(strike.amount) + " ms";
    default: return "";
  }
}

}  // namespace

// Before it strikes: what comes of it is recorded behind.
void Nemesis::record_begin(const Lasting& lasting) {
  const FaultStrike& strike = lasting.strike;
  // What has no end is seen all the same.
  const Duration length = lasts(strike.fault) ? Duration() : Duration::microseconds(1);
  core_.recorder->fault_begins(lasting.host, static_cast<uint8_t>(strike.fault), lasting.number,
                               more_about(strike), length);
  for (const std::string& name : strike.others) {
    const HostId other = find(name);
    if (other != kNoHost) core_.recorder->fault_joins(other, lasting.number);
  }
}

void Nemesis::record_end(const Lasting& lasting) {
  core_.recorder->fault_ends(lasting.number);
}

}  // namespace redoubt::sim

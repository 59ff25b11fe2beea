#include "sim/checkers/side_checkers.h"

#include "sim/checkers/effect_forms.h"
#include "sim/checkers/key_changes.h"

namespace redoubt::sim {

SideCheckers::SideCheckers(const Model& model, const SideChecker::Report& report, Random random)
    : report_(report), random_(random) {
  add<EffectFormChecker>(model, report);
  add<PauseChecker>(model, report);
  add<EvictionChecker>(model, report, Random(random_.next()));
  add<AccessChecker>(model, report);
  add<KeyEventChecker>(model, report);
  add<TrackingChecker>(model, report);
  scans_ = add<ScanChecker>(model, report);
  invariants_ = add<InvariantChecker>(model, report);
  statistics_ = add<StatisticsChecker>(model, report);
}

void SideCheckers::look(Node& node) {
  invariants_->check(random_.below(4) == 0);
  const std::string uneven = check_draws(node, random_.next());
  if (!uneven.empty()) {
    report_("model", "each element is drawn about as often as any other", uneven);
  }
  statistics_->begin_anew();
}

void SideCheckers::look_after_quiet(int64_t now_ms) {
  constexpr int64_t kQuietMs = 5'000;
  invariants_->check_expired(now_ms - kQuietMs);
}

}  // namespace redoubt::sim

// Bursts of a client: commands that mean something only together.
//
// A transaction: WATCH now and then, some commands, MULTI, what is queued, EXEC or another end. It
// lasts over several pipelines, so that other clients come between. Traffic of queues: a few keys
// of each type that can be waited for, to which some push and for which others wait, so that they
// are empty as often as not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/model/generator.h"
#include "sim/random.h"

namespace redoubt::sim {

// How often a burst begins, in a million commands.
struct BurstPlan {
  int64_t transaction_ppm = 0;
  int64_t queue_ppm = 0;
  int64_t wait_ms_min = 1;
  int64_t wait_ms_max = 50;
};

class Bursts {
 public:
  using Words = std::vector<std::string>;

  Bursts(const BurstPlan& plan, const CommandGenerator& generator, size_t keys, Random& random)
      : plan_(plan), generator_(generator), keys_(keys), random_(random) {}

  // The connection is a new one.
  void reset() { stage_ = Stage::none; }
  // Between the first command of a transaction and its end; the node may queue what is sent.
  bool in_transaction() const { return stage_ != Stage::none; }
  bool queueing() const { return stage_ == Stage::queueing; }

  // The next command, if it is one of a burst. `forever`: it may wait without a time-out. `calm`:
  // no burst begins.
  const Words* next(bool forever, bool calm);

 private:
  enum class Stage : uint8_t { none, watching, queueing };

  bool begin_transaction();
  bool go_on_watching();
  bool go_on_queueing();
  void add_queue_command(bool forever);
  void add_list_command(const std::string& time_out);
  void add_zset_command(const std::string& time_out);
  void add_stream_command(bool forever);
  void disturb(const std::string& key);
  std::string key();
  std::string queue(std::string_view type);
  std::string time_out(bool forever);
  std::string end_word();

  const BurstPlan& plan_;
  const CommandGenerator& generator_;
  const size_t keys_;
  Random& random_;
  Stage stage_ = Stage::none;
  int64_t left_ = 0;  // commands of this stage
  uint64_t items_ = 0;
  Words words_;
};

}  // namespace redoubt::sim

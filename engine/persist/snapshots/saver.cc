#include "engine/persist/snapshots/saver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/dispatch/dispatcher.h"
#include "engine/insight/logger.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/node.h"
#include "net/files.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr Duration kSnapshotRetry = Duration::milliseconds(10);
// After a save that failed, save points wait so long.
constexpr Duration kFailurePause = Duration::seconds(5);

}  // namespace

Saver::Saver(Env& env, const Services& services, const PersistSettings& settings,
             const std::vector<std::string>& functions, std::function<Task<Error>()> take_directory)
    : env_(env),
      services_(services),
      settings_(settings),
      functions_(functions),
      take_directory_(std::move(take_directory)),
      saved_at_(env.now()) {
  facts_.last_save_unix_s = env.wall().unix_s();
}

void Saver::note_loaded() {
  changes_saved_ = services_.keys.changes();
  saved_at_ = env_.now();
  facts_.last_save_unix_s = env_.wall().unix_s();
}

uint64_t Saver::unsaved_changes() const {
  const uint64_t changes = services_.keys.changes();
  return changes - std::min(changes, changes_saved_);
}

int64_t Saver::saving_for_s() const {
  return saving() ? (env_.now() - began_).ns / 1'000'000'000 : -1;
}

bool Saver::refuses_writes() const {
  return facts_.last_failed && settings_.stop_writes_on_save_error && has_save_points();
}

// --- when

bool Saver::save_point_reached() const {
  // Nothing would bring a save point nearer, or mend what has failed.
  if (refuses_writes()) return true;
  const uint64_t changes = unsaved_changes();
  const int64_t passed_s = (env_.now() - saved_at_).ns / 1'000'000'000;
  return std::any_of(
      settings_.save_points.begin(), settings_.save_points.end(),
      [&](const SavePoint& point) { return changes >= point.changes && passed_s > point.seconds; });
}

void Saver::cron(bool others_run) {
  if (saving() || others_run) return;
  if (scheduled_) return save();
  if (env_.now() < next_try_ || !save_point_reached()) return;
  services_.logger.log(LogLevel::notice,
                       fmt::format("{} changes since the last save. Saving...", unsaved_changes()));
  save();
}

void Saver::save(Done done) {
  ASSERT(!saving());
  scheduled_ = cancelled_ = false;
  done_ = std::move(done);
  began_ = env_.now();
  services_.logger.log(LogLevel::notice, "Background saving started");
  task_ = run();
  task_.start(
      [](void* owner) {
        Saver& saver = *static_cast<Saver*>(owner);
        const Error error = saver.task_.result();
        saver.task_ = {};
        saver.end(error);
      },
      this);
}

bool Saver::cancel() {
  if (scheduled_) {
    scheduled_ = false;
    return true;
  }
  if (!saving()) return false;
  cancelled_ = true;
  if (file_ != nullptr) file_->cancel();
  return true;
}

// --- how

Task<Error> Saver::run() {
  const std::string temporary = fmt::format("temp-{}.rdb", env_.backend().process_facts().pid);
  const std::string path = settings_.dbfilename;
  problem_.clear();
  while (services_.dispatcher.suspension().active() || !services_.keys.snapshots().can_begin()) {
    if (cancelled_) co_return Error::cancelled;
    co_await Sleep(env_, kSnapshotRetry);
  }
  file_ = std::make_unique<SnapshotFile>(SnapshotFile::Surroundings{.env = env_,
                                                                    .keys = services_.keys,
                                                                    .settings = services_.settings,
                                                                    .persist = settings_},
                                         temporary);
  SnapshotFile::Facts facts;
  facts.used_memory = services_.node.used_memory();
  facts.functions = functions_;
  // Otherwise the offset does not say which data this is.
  if (services_.effects.active() && services_.effects.follows_data()) {
    facts.history_id = services_.effects.history().id;
    facts.offset = services_.effects.end_offset();
    facts.stream_db = services_.effects.foreign() ? services_.effects.foreign_db() : 0;
  }
  changes_begun_ = services_.keys.changes();
  const bool begun = file_->begin(facts);
  ASSERT(begun);
  const Error error = co_await file_->write();
  problem_ = file_->problem();
  if (error != Error::none) co_return error;
  const Error taken = co_await take_directory_();
  if (taken == Error::locked) {
    problem_ = "another node keeps its data in this directory";
    static_cast<void>(co_await remove_file(env_, temporary));
    co_return taken;
  }
  const Error renamed = co_await rename_file(env_, temporary, path);
  if (renamed != Error::none) {
    problem_ = fmt::format("{}: {}", path, describe(renamed));
    static_cast<void>(co_await remove_file(env_, temporary));
    co_return renamed;
  }
  if (kSimulation && settings_.plants->directory_forgotten) co_return Error::none;
  const Error synced = co_await sync_directory(env_, directory_of(path));
  if (synced != Error::none) problem_ = fmt::format("the directory: {}", describe(synced));
  co_return synced;
}

void Saver::end(Error error) {
  const int64_t seconds = (env_.now() - began_).ns / 1'000'000'000;
  facts_.last_s = seconds;
  file_.reset();
  if (error == Error::none) {
    facts_.last_failed = false;
    facts_.last_save_unix_s = env_.wall().unix_s();
    ++facts_.saves;
    changes_saved_ = changes_begun_;
    saved_at_ = began_;
    problem_.clear();
    services_.logger.log(LogLevel::notice, "DB saved on disk");
  } else if (error == Error::cancelled) {
    problem_ = "it was cancelled";
    services_.logger.log(LogLevel::notice, "Background saving was cancelled");
  } else {
    facts_.last_failed = true;
    next_try_ = env_.now() + kFailurePause;
    if (problem_.empty()) problem_ = describe(error);
    services_.logger.log(LogLevel::warning, fmt::format("Background saving failed: {}", problem_));
  }
  if (done_) std::exchange(done_, {})(problem_);
}

}  // namespace redoubt

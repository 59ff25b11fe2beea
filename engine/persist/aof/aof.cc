#include "engine/persist/aof/aof.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/config/settings.h"
#include "engine/dispatch/dispatcher.h"
#include "engine/node/node.h"
#include "engine/persist/aof/aof_format.h"
#include "engine/persist/snapshots/snapshot_loader.h"
#include "net/files.h"
#include "net/places.h"

namespace redoubt {

namespace {

constexpr uint64_t kManifestBytesMax = 1 << 20;
// Bytes of names that a line of the log has.
constexpr size_t kNamesShown = 500;
constexpr std::string_view kTemporaryBase = "temp-rewriteaof.rdb";
constexpr Duration kSnapshotRetry = Duration::milliseconds(10);
// After failures in a row, an automatic rewrite waits so long.
constexpr uint64_t kFailuresWithoutWait = 3;
constexpr int64_t kWaitMinutesMax = 60;

bool begins_like_rdb(std::string_view bytes) {
  return bytes.starts_with("REDIS") || bytes.starts_with("VALKEY") || bytes.starts_with("REDOUBT");
}

}  // namespace

Aof::Aof(const Surroundings& surroundings)
    : env_(surroundings.env),
      services_(surroundings.services),
      settings_(surroundings.settings),
      loading_(surroundings.loading),
      functions_(surroundings.functions),
      take_directory_(surroundings.take_directory),
      writer_(env_, services_.effects, *this, flush_hook_),
      promise_({.env = env_,
                .effects = services_.effects,
                .gate = services_.gate,
                .logger = services_.logger,
                .settings = settings_,
                .refusal_changed = surroundings.refusal_changed},
               writer_) {
  flush_hook_.owner = this;
  flush_hook_.run = [](TurnHook& hook) {
    Aof& aof = *static_cast<Aof*>(hook.owner);
    aof.writer_.set_timestamps(aof.settings_.timestamps);
    aof.writer_.set_plants(aof.settings_.plants);
    aof.writer_.set_timed(aof.services_.settings.latency_monitor_threshold_ms > 0);
    aof.writer_.flush();
    aof.promise_.update();
  };
}

Aof::~Aof() {
  env_.withdraw(flush_hook_);
  promise_.end();
}

std::string Aof::path(std::string_view name) const {
  return fmt::format("{}/{}", settings_.append_directory, name);
}

std::string Aof::manifest_path() const {
  return path(aof_manifest_name(settings_.append_file_name));
}

void Aof::on_aof_progress() {
  promise_.update();
  written_further_.raise();
}

// Events of LATENCY, with Redis's names.
void Aof::on_aof_write_took(Duration took, bool beside_sync) {
  Instrumentation& instrumentation = services_.instrumentation;
  instrumentation.note_latency("aof-write", took);
  if (beside_sync) {
    instrumentation.note_latency("aof-write-pending-fsync", took);
  } else if (rewriting() || disk_busy_) {
    instrumentation.note_latency("aof-write-active-child", took);
  } else {
    instrumentation.note_latency("aof-write-alone", took);
  }
}

void Aof::on_aof_sync_took(Duration took) {
  if (settings_.append_fsync == AppendFsync::always) {
    services_.instrumentation.note_latency("aof-fsync-always", took);
  }
}

Task<Error> Aof::save_manifest(AofManifest manifest) {
  const Error error = co_await replace_file(env_, manifest_path(), manifest.text());
  if (error != Error::none) {
    log(LogLevel::warning,
        fmt::format("The AOF manifest could not be replaced: {}", describe(error)));
    co_return error;
  }
  manifest_ = std::move(manifest);
  co_return Error::none;
}

// --- finding a log

// The manifest that is there, and the numbers behind which new files may be.
Task<bool> Aof::read_manifest() {
  Expected<std::string> text = co_await read_whole(env_, manifest_path(), kManifestBytesMax);
  if (text) {
    std::string problem;
    if (!AofManifest::parse(*text, &manifest_, &problem)) {
      error_ = fmt::format("{}: {}", manifest_path(), problem);
      co_return false;
    }
  } else if (text.error() != Error::not_found && text.error() != Error::not_directory) {
    error_ = fmt::format("{}: {}", manifest_path(), describe(text.error()));
    co_return false;
  }
  last_base_ = manifest_.last_base();
  last_increment_ = manifest_.last_increment();
  if (manifest_.empty() && manifest_.history.empty()) {
    const Error error = co_await pass_over_unlisted_files();
    if (error != Error::none) {
      error_ = fmt::format("{}: {}", settings_.append_directory, describe(error));
      co_return false;
    }
  }
  manifest_read_ = true;
  co_return true;
}

// Files of a log whose manifest was lost or not copied are somebody's data: they stay, and new ones
// get other names.
Task<Error> Aof::pass_over_unlisted_files() {
  IoOp io(env_);
  io.op.kind = OpKind::list;
  io.op.path = settings_.append_directory;
  co_await io;
  const Error error = io.op.result.error;
  if (error == Error::not_found || error == Error::not_directory) co_return Error::none;
  if (error != Error::none) co_return error;
  std::string names;
  for (const std::string& name : io.op.result.names) {
    const std::optional<AofFileName> parsed = parse_aof_name(settings_.append_file_name, name);
    if (!parsed) continue;
    uint64_t& last = parsed->base ? last_base_ : last_increment_;
    last = std::max(last, parsed->number);
    if (names.size() < kNamesShown) names += fmt::format(" {}", name);
  }
  if (names.empty()) co_return Error::none;
  log(LogLevel::warning,
      fmt::format("{} has files of an AOF that no manifest lists. They are left as they are:{}",
                  settings_.append_directory, names));
  co_return Error::none;
}

Task<bool> Aof::find(bool* found) {
  *found = false;
  const bool read = co_await read_manifest();
  if (!read) co_return false;
  const bool adopted = co_await adopt_single_file();
  if (!adopted) co_return false;
  last_base_ = std::max(last_base_, manifest_.last_base());
  *found = !manifest_.empty();
  co_return true;
}

// A file as Redis before version 7 had it becomes the base of a log. The manifest comes first, so
// that a crash between the two steps is seen.
Task<bool> Aof::adopt_single_file() {
  const std::string name = settings_.append_file_name;
  const AofManifest single{.base = AofManifest::File{name, 1}, .increments = {}, .history = {}};
  const bool listed = manifest_ == single;
  if (!manifest_.empty() && !listed) co_return true;
  IoOp io(env_);
  io.op.kind = OpKind::open;
  io.op.path = name;
  io.op.flags.read = true;
  co_await io;
  if (!io.op.result.ok()) co_return true;  // there is none, or it was moved before
  env_.close(io.op.result.handle);
  Error error = Error::none;
  if (!listed) {
    const Error made = co_await make_directory(env_, settings_.append_directory);
    error = made == Error::exists ? Error::none : made;
    if (error == Error::none) error = co_await save_manifest(single);
  }
  if (error == Error::none) error = co_await rename_file(env_, name, path(name));
  if (error == Error::none) error = co_await sync_directory(env_, settings_.append_directory);
  if (error == Error::none) error = co_await sync_directory(env_, ".");
  if (error != Error::none) {
    error_ = fmt::format("{} could not be moved to {}: {}", name, settings_.append_directory,
                         describe(error));
    co_return false;
  }
  log(LogLevel::notice, fmt::format("Successfully migrated an old-style AOF: {} is in {} now", name,
                                    settings_.append_directory));
  co_return true;
}

// --- loading

Task<bool> Aof::load_base(AofLoader& loader, bool is_last) {
  const std::string file_path = path(manifest_.base->name);
  Expected<std::string> magic = co_await read_beginning(env_, file_path, 8);
  if (!magic) {
    error_ = fmt::format("{}: {}", file_path, describe(magic.error()));
    co_return false;
  }
  // Even without a key it has a header and an end. A log of Redis may begin with no commands.
  if (magic->empty() && file_path.ends_with(".rdb")) {
    error_ = fmt::format("{}: it is empty, which no base is", file_path);
    co_return false;
  }
  uint64_t behind = 0;
  base_unix_s_ = 0;
  if (begins_like_rdb(*magic)) {
    SnapshotLoader snapshot(
        {.env = env_, .services = services_, .persist = settings_, .loading = loading_});
    // Commands that follow expect keys that have expired meanwhile.
    const bool good = co_await snapshot.load(file_path, SnapshotLoader::Expired::kept);
    if (!good) {
      error_ = snapshot.error();
      co_return false;
    }
    behind = snapshot.bytes();
    base_unix_s_ = snapshot.created_unix_s();
    // Before the entries, which may change them.
    const std::string problem = services_.keys.functions().replace(snapshot.take_functions());
    if (!problem.empty()) {
      error_ = fmt::format("{}: a library of functions cannot be used: {}", file_path, problem);
      co_return false;
    }
    loader.set_history(snapshot.history_id(), snapshot.offset());
    loader.select(snapshot.stream_db());
  } else {
    // A base of commands has its functions among them.
    services_.keys.functions().replace({});
  }
  const bool good = co_await loader.load(file_path, behind, is_last);
  base_bytes_ = loader.file_bytes();
  co_return good;
}

// False: the base is of a later state than the one that was asked for.
bool Aof::reaches_back(const AofLoader& loader, const AofLoadEnd& end) {
  const bool later = end.offset ? !loader.history_id().empty() && loader.offset() > *end.offset
                                : end.unix_s && base_unix_s_ > *end.unix_s;
  if (!later) return true;
  error_ = fmt::format(
      "aof-until: the AOF does not go back so far. It begins at offset {} of its history, at the "
      "time {}",
      loader.offset(), base_unix_s_);
  return false;
}

// Whether there is nothing to apply in an increment: only a line with the history.
Task<bool> Aof::is_empty_increment(std::string name) {
  Expected<std::string> text = co_await read_beginning(env_, path(name), kAnnotationMax + 1);
  if (!text || text->size() > kAnnotationMax) co_return false;
  const size_t end = text->find('\n');
  co_return text->empty() || end == std::string::npos || end + 1 == text->size();
}

Task<bool> Aof::load() {
  ASSERT(!manifest_.empty());
  AofLoadEnd end;
  // What follows a start is loaded as a whole.
  if (state_ == State::off && !settings_.load_until.empty()) {
    end = parse_load_end(settings_.load_until).value_or(end);
  }
  AofLoader loader(
      {.env = env_, .services = services_, .logger = services_.logger, .progress = loading_},
      {.cut_incomplete = settings_.load_truncated,
       .corrupt_tail_max = settings_.corrupt_tail_max,
       .plants = settings_.plants},
      end);
  // The last file that has something in it may end with what a crash has cut.
  size_t last = manifest_.increments.size();
  while (last > 0) {
    const bool empty = co_await is_empty_increment(manifest_.increments[last - 1].name);
    if (!empty) break;
    --last;
  }
  const uint64_t older_bytes_before = std::exchange(older_bytes_, 0);
  if (manifest_.base) {
    const bool good = co_await load_base(loader, last == 0);
    if (!good) {
      if (error_.empty()) error_ = loader.error();
      co_return false;
    }
  }
  if (!reaches_back(loader, end)) co_return false;
  for (size_t i = 0; i < manifest_.increments.size() && !loader.reached_end(); ++i) {
    older_bytes_ += i == 0 ? 0 : loader.file_bytes();
    const std::string file_path = path(manifest_.increments[i].name);
    const bool good = co_await loader.load(file_path, 0, i + 1 >= last);
    if (!good) {
      error_ = loader.error();
      co_return false;
    }
  }
  if (end.unix_s && !loader.has_times() && loading_.entries > 0) {
    error_ =
        "aof-until: the AOF does not say when its entries were executed: aof-timestamp-enabled was "
        "off";
    co_return false;
  }
  if (loader.failed() > 0) {
    log(LogLevel::warning,
        fmt::format("{} entries of the AOF were answered with an error", loader.failed()));
  }
  if (state_ == State::on) older_bytes_ = older_bytes_before;
  loaded_history_ = loader.history_id();
  loaded_offset_ = loader.offset();
  loaded_db_ = loader.db();
  stopped_early_ = loader.reached_end();
  reference_bytes_ = base_bytes_;
  co_return true;
}

// --- going on

// Writes the line with which entries begin in an increment, and syncs it: what follows can then be
// told from what a crash has left. Returns the size of the file.
Task<Expected<uint64_t>> Aof::begin_increment(Handle file, uint64_t size) {
  std::string line;
  append_history_line(line, services_.effects.history().id, writer_.cut_offset(),
                      writer_.cut_effects_end());
  const Slice slice = as_slice(line);
  IoOp io(env_);
  io.op.kind = OpKind::write;
  io.op.handle = file;
  io.op.offset = size;
  io.op.gather = std::span<const Slice>(&slice, 1);
  co_await io;
  if (!io.op.result.ok()) co_return io.op.result.error;
  io.op.kind = OpKind::sync;
  co_await io;
  if (!io.op.result.ok()) co_return io.op.result.error;
  co_return size + line.size();
}

Task<bool> Aof::resume() {
  ASSERT(state_ == State::off && !manifest_.empty());
  // Of a rewrite that did not end.
  static_cast<void>(co_await remove_file(env_, path(kTemporaryBase)));
  // What was not loaded stays where it is.
  if (stopped_early_) {
    log(LogLevel::notice,
        "The AOF was not loaded to its end, as aof-until asks for. A new base is written.");
    co_return co_await create();
  }
  const Error removed = co_await remove_history();
  if (removed != Error::none) {
    log(LogLevel::warning,
        fmt::format("Old files of the AOF could not be removed: {}", describe(removed)));
  }
  writer_.open();
  const bool fresh = manifest_.increments.empty();
  const std::string name = fresh ? aof_increment_name(settings_.append_file_name, ++last_increment_)
                                 : manifest_.increments.back().name;
  OpenFlags flags;
  flags.write = true;
  flags.create = flags.truncate = fresh;
  Expected<Handle> file = co_await open_file(env_, path(name), flags);
  Error error = file ? Error::none : file.error();
  if (file) {
    Expected<uint64_t> size = co_await file_size(env_, *file);
    if (size) size = co_await begin_increment(*file, *size);
    error = size ? Error::none : size.error();
    if (fresh && size) {
      AofManifest manifest = manifest_;
      manifest.increments.push_back({name, last_increment_});
      error = co_await sync_directory(env_, settings_.append_directory);
      if (error == Error::none) error = co_await save_manifest(std::move(manifest));
    }
    if (error == Error::none) {
      writer_.continue_in(*file, *size);
    } else {
      env_.close(*file);
    }
  }
  if (error != Error::none) {
    error_ = fmt::format("{}: {}", path(name), describe(error));
    writer_.end();
    co_return false;
  }
  state_ = State::on;
  services_.dispatcher.replies().set_before_replies(&flush_hook_);
  promise_.begin();
  co_return true;
}

Task<bool> Aof::create() {
  ASSERT(state_ == State::off);
  state_ = State::starting;
  rewrite_began_ = env_.now();
  const Error error = co_await run_rewrite();
  end_rewrite(error);
  if (error == Error::none) co_return true;
  state_ = State::off;
  error_ = fmt::format("the AOF could not be begun in {}: {}", settings_.append_directory,
                       describe(error));
  co_return false;
}

void Aof::begin_later() {
  ASSERT(state_ == State::off && !error_.empty());
  start_problem_ = error_;
  state_ = State::starting;
  next_try_ = env_.now() + AofPromise::kRetryPeriod;
}

void Aof::switch_on() {
  if (state_ != State::off) return;
  state_ = State::starting;
  services_.dispatcher.replies().set_before_replies(&flush_hook_);
  log(LogLevel::notice, "The AOF is switched on: a base is being written.");
  if (!rewriting()) rewrite();
}

void Aof::switch_off() {
  if (state_ == State::off) return;
  const bool was_on = state_ == State::on;
  state_ = State::off;
  if (rewriting()) {
    cancelled_ = true;
    if (snapshot_ != nullptr) snapshot_->cancel();
  }
  promise_.end();
  if (was_on && !rewriting()) writer_.end();
  written_further_.raise();  // a rewrite may wait for a sync that nobody begins any more
}

Task<Error> Aof::flush_all() {
  if (state_ != State::on) co_return Error::none;
  for (;;) {
    if (writer_.write_error() != Error::none) co_return writer_.write_error();
    if (promise_.tainted()) co_return Error::input_output;
    writer_.flush();
    if (!writer_.writing() && writer_.unwritten_bytes() == 0) {
      if (writer_.synced() < writer_.written()) {
        writer_.sync();
      } else if (writer_.syncing()) {
        // That of the seal.
      } else if (writer_.said_all_synced()) {
        if (writer_.sealed()) co_return Error::none;
        writer_.sync();
      } else {
        writer_.seal();
      }
    }
    co_await written_further_;
  }
}

void Aof::cron(bool may_rewrite) {
  const Instant now = env_.now();
  if (scheduled_ && !rewriting() && may_rewrite) return rewrite();
  if (state_ == State::off) return;
  if (writer_.write_error() != Error::none && now >= next_retry_) {
    next_retry_ = now + AofPromise::kRetryPeriod;
    writer_.retry();
  }
  promise_.update();
  if (!may_rewrite) return;
  if (!rewriting() && !disk_busy_ && now >= next_try_ && rewrite_is_due()) rewrite();
}

// --- rewriting

bool Aof::rewrite_is_due() const {
  if (state_ == State::starting || promise_.tainted()) return true;
  if (settings_.rewrite_percentage == 0 || bytes() < settings_.rewrite_size_min) return false;
  const uint64_t base = std::max<uint64_t>(reference_bytes_, 1);
  const uint64_t now = bytes();
  if (now <= base) return false;
  return (now - base) / base * 100 + (now - base) % base * 100 / base >=
         static_cast<uint64_t>(settings_.rewrite_percentage);
}

int64_t Aof::rewriting_for_s() const {
  return rewriting() ? (env_.now() - rewrite_began_).ns / 1'000'000'000 : -1;
}

void Aof::schedule_rewrite() {
  scheduled_ = true;
  rewrites_.failures_in_a_row = 0;
  next_try_ = env_.now();
  if (!rewriting() && !services_.dispatcher.transactions().running() &&
      services_.keys.snapshots().can_begin()) {
    rewrite();
  }
}

void Aof::rewrite() {
  ASSERT(!rewriting());
  scheduled_ = false;
  rewrite_began_ = env_.now();
  cancelled_ = false;
  log(LogLevel::notice, "Background append only file rewriting started");
  rewriting_ = run_rewrite();
  rewriting_.start(
      [](void* owner) {
        Aof& aof = *static_cast<Aof*>(owner);
        const Error error = aof.rewriting_.result();
        aof.rewriting_ = {};
        aof.end_rewrite(error);
      },
      this);
}

void Aof::end_rewrite(Error error) {
  snapshot_.reset();
  promise_.set_rewriting(false);
  const int64_t seconds = (env_.now() - rewrite_began_).ns / 1'000'000'000;
  rewrites_.last_s = seconds;
  rewrites_.last_failed = error != Error::none;
  if (error == Error::none) {
    ++rewrites_.done;
    rewrites_.failures_in_a_row = 0;
    next_try_ = env_.now();
    log(LogLevel::notice, "Background AOF rewrite finished successfully");
  } else {
    const uint64_t failures = ++rewrites_.failures_in_a_row;
    int64_t wait_s = 1;
    if (failures > kFailuresWithoutWait) {
      const uint64_t doublings = std::min<uint64_t>(failures - kFailuresWithoutWait - 1, 6);
      wait_s = 60 * std::min(int64_t{1} << doublings, kWaitMinutesMax);
    }
    next_try_ = env_.now() + Duration::seconds(wait_s);
    log(LogLevel::warning, fmt::format("Background AOF rewrite failed: {}", describe(error)));
  }
  // Switched off meanwhile, and perhaps on again.
  if (state_ != State::on && writer_.is_open()) writer_.end();
  if (on_rewritten_) on_rewritten_(error);
}

Task<Error> Aof::run_rewrite() {
  const Error taken = co_await take_directory_();
  if (taken == Error::locked) co_return taken;
  // A node that began without a log may find one of earlier days.
  if (!manifest_read_) {
    const bool read = co_await read_manifest();
    if (!read) {
      log(LogLevel::warning, error_);
      co_return Error::invalid;
    }
  }
  Rewrite rewrite;
  rewrite.base_number = ++last_base_;
  rewrite.increment_number = ++last_increment_;
  rewrite.base = aof_base_name(settings_.append_file_name, rewrite.base_number, true);
  rewrite.increment = aof_increment_name(settings_.append_file_name, rewrite.increment_number);
  promise_.set_rewriting(true);
  Error error = co_await begin_rewrite(rewrite);
  if (error != Error::none) {
    if (snapshot_ != nullptr) {
      snapshot_->cancel();
      static_cast<void>(co_await snapshot_->write());
    }
    if (rewrite.file) {
      env_.close(rewrite.file);
      if (!rewrite.listed) static_cast<void>(co_await remove_file(env_, path(rewrite.increment)));
    }
    if (writer_.is_open()) state_ == State::on ? writer_.undo_cut() : writer_.end();
    co_return error;
  }
  if (kSimulation && settings_.plants->manifest_before_base)
    static_cast<void>(co_await replace_base(rewrite));
  error = co_await write_base(rewrite);
  if (error == Error::none && cancelled_) error = Error::cancelled;
  const bool lists_base = error == Error::none;  // or may do so, when replacing it fails
  if (lists_base) error = co_await replace_base(rewrite);
  if (error == Error::none) co_return Error::none;
  // The increment stays on the manifest of a log that is on. One that starts tries again.
  const bool was_on = state_ == State::on;
  if (!was_on && writer_.is_open()) writer_.end();
  if (kSimulation && settings_.plants->increment_reused) --last_increment_;
  if (!lists_base) {
    static_cast<void>(co_await remove_file(env_, path(rewrite.base)));
    if (!was_on && !rewrite.listed) {
      static_cast<void>(co_await remove_file(env_, path(rewrite.increment)));
    }
  }
  co_return error;
}

// Up to the point from which entries go to the new increment.
// Makes the file of the new increment, and its name lasting.
Task<Error> Aof::make_increment(Rewrite& rewrite) {
  const Error made = co_await make_directory(env_, settings_.append_directory);
  if (made != Error::none && made != Error::exists) co_return made;
  OpenFlags anew;
  anew.write = anew.create = anew.truncate = true;
  Expected<Handle> file = co_await open_file(env_, path(rewrite.increment), anew);
  if (!file) co_return file.error();
  rewrite.file = *file;
  if (!(kSimulation && settings_.plants->directory_not_synced)) {
    Error synced = co_await sync_directory(env_, settings_.append_directory);
    if (synced == Error::none) synced = co_await sync_directory(env_, ".");
    co_return synced;
  }
  co_return Error::none;
}

Task<Error> Aof::begin_rewrite(Rewrite& rewrite) {
  const Error made = co_await make_increment(rewrite);
  if (made != Error::none) co_return made;
  // The writer of a log that was switched off just now still ends.
  for (;;) {
    if (cancelled_) co_return Error::cancelled;
    if (state_ != State::on && writer_.is_open()) {
      co_await written_further_;
    } else if (services_.dispatcher.suspension().active() ||
               !services_.keys.snapshots().can_begin()) {
      co_await Sleep(env_, kSnapshotRetry);
    } else {
      break;
    }
  }
  // From here to begin() is one moment.
  snapshot_ =
      std::make_unique<SnapshotFile>(SnapshotFile::Surroundings{.env = env_,
                                                                .keys = services_.keys,
                                                                .settings = services_.settings,
                                                                .persist = settings_},
                                     path(kTemporaryBase));
  const bool was_on = state_ == State::on;
  // After a sync that failed, the increment in front may lack something: nothing that follows it
  // may be listed before the new base is there.
  const bool lists = was_on && !promise_.tainted();
  was_on ? writer_.cut() : writer_.open();
  const bool begun = snapshot_->begin(
      {.aof_base = true,
       .history_id = services_.effects.history().id,
       .offset = writer_.cut_offset(),
       .stream_db = services_.effects.foreign() ? services_.effects.foreign_db() : 0,
       .used_memory = services_.node.used_memory(),
       .functions = functions_});
  ASSERT(begun);
  promise_.update();
  while (!writer_.drained()) {
    writer_.flush();
    if (!writer_.drained()) co_await written_further_;
    if (cancelled_) co_return Error::cancelled;
  }
  Expected<uint64_t> size = co_await begin_increment(rewrite.file, 0);
  if (!size) co_return size.error();
  if (lists) {
    AofManifest manifest = manifest_;
    if (kSimulation && settings_.plants->increment_lost && manifest.increments.size() > 1) {
      manifest.increments.erase(manifest.increments.begin());
    }
    manifest.increments.push_back({rewrite.increment, rewrite.increment_number});
    rewrite.listed = true;
    const Error saved = co_await save_manifest(std::move(manifest));
    if (saved != Error::none) co_return saved;
    older_bytes_ += writer_.file_bytes();
  }
  // A node that ends has perhaps begun to seal the file that is left (flush_all()).
  while (!cancelled_ && !writer_.drained()) co_await written_further_;
  if (cancelled_) co_return Error::cancelled;
  writer_.continue_in(std::exchange(rewrite.file, {}), *size);
  co_return Error::none;
}

Task<Error> Aof::write_base(const Rewrite& rewrite) {
  const Error error = co_await snapshot_->write();
  if (error != Error::none) {
    log(LogLevel::warning,
        fmt::format("The base of the AOF could not be written: {}", snapshot_->problem()));
    co_return error;
  }
  const Error renamed = co_await rename_file(env_, path(kTemporaryBase), path(rewrite.base));
  if (renamed != Error::none) {
    static_cast<void>(co_await remove_file(env_, path(kTemporaryBase)));
    co_return renamed;
  }
  co_return co_await sync_directory(env_, settings_.append_directory);
}

// The new base and the increments from its own on are the log.
Task<Error> Aof::replace_base(const Rewrite& rewrite) {
  AofManifest manifest = manifest_;
  std::vector<AofManifest::File> former;
  std::vector<AofManifest::File> increments;
  for (const AofManifest::File& file : manifest.increments) {
    (file.number < rewrite.increment_number ? former : increments).push_back(file);
  }
  if (increments.empty()) increments.push_back({rewrite.increment, rewrite.increment_number});
  std::reverse(former.begin(), former.end());
  if (manifest.base) former.push_back(*manifest.base);
  // What was not loaded is in the former files only: nothing removes them then.
  std::string kept;
  if (stopped_early_) {
    for (const AofManifest::File& file : former) kept += fmt::format(" {}", file.name);
  } else {
    manifest.history.insert(manifest.history.begin(), former.begin(), former.end());
  }
  manifest.base = AofManifest::File{rewrite.base, rewrite.base_number};
  manifest.increments = std::move(increments);
  if (kSimulation && settings_.plants->history_removed_early) {
    for (const AofManifest::File& file : former) {
      static_cast<void>(co_await remove_file(env_, path(file.name)));
    }
  }
  const Error saved = co_await save_manifest(std::move(manifest));
  if (saved != Error::none) co_return saved;
  if (std::exchange(stopped_early_, false)) {
    log(LogLevel::notice,
        fmt::format("Former files of the AOF stay in {}, and are not listed any more:{}",
                    settings_.append_directory, kept));
  }
  base_bytes_ = snapshot_->bytes();
  older_bytes_ = 0;
  reference_bytes_ = bytes();
  if (state_ == State::starting) {
    state_ = State::on;
    start_problem_.clear();
    services_.dispatcher.replies().set_before_replies(&flush_hook_);
    promise_.begin();
  } else {
    promise_.forgive();
  }
  const Error removed = co_await remove_history();
  if (removed != Error::none) {
    log(LogLevel::warning,
        fmt::format("Old files of the AOF could not be removed: {}", describe(removed)));
  }
  co_return Error::none;
}

Task<Error> Aof::remove_history() {
  if (manifest_.history.empty() || settings_.keep_history_files) {
    co_return Error::none;
  }
  AofManifest manifest = manifest_;
  for (const AofManifest::File& file : manifest.history) {
    const Error error = co_await remove_file(env_, path(file.name));
    if (error != Error::none && error != Error::not_found) co_return error;
  }
  manifest.history.clear();
  co_return co_await save_manifest(std::move(manifest));
}

}  // namespace redoubt

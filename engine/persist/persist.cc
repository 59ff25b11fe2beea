#include "engine/persist/persist.h"

#include <fmt/format.h>

#include <utility>

#include "engine/dispatch/dispatcher.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/node.h"
#include "engine/persist/snapshots/snapshot_loader.h"
#include "net/files.h"

namespace redoubt {

namespace {

// Held by the node whose data the directory holds.
constexpr std::string_view kLockName = ".redoubt.lock";
constexpr std::string_view kSaveError =
    "MISCONF Redoubt is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is configured "
    "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error "
    "option). "
    "Please check the Redoubt logs for details about the RDB error.";

double seconds_between(Instant from, Instant to) {
  return static_cast<double>((to - from).ns) / 1e9;
}

}  // namespace

constinit const PartKind Persistence::kKind = {.name = "persist",
                                               .commands = kPersistCommands,
                                               .directives = kPersistDirectives,
                                               .make = [](Node& node) -> std::unique_ptr<Part> {
                                                 return std::make_unique<Persistence>(node);
                                               }};

Persistence::Persistence(Node& node)
    : node_(node),
      env_(node.env()),
      services_(node.services()),
      settings_(node.settings().part<PersistSettings>()),
      aof_({.env = env_,
            .services = services_,
            .settings = settings_,
            .loading = loading_,
            .functions = services_.keys.functions().all(),
            .refusal_changed = [this] { update_refusal(); },
            .take_directory = [this] { return lock_directory(); }}),
      saver_(env_, services_, settings_, services_.keys.functions().all(),
             [this] { return lock_directory(); }) {
  switch_hook_.owner = this;
  switch_hook_.run = [](TurnHook& hook) { static_cast<Persistence*>(hook.owner)->switch_log(); };
}

Persistence::~Persistence() {
  env_.withdraw(switch_hook_);
  if (lock_) env_.close(lock_);
}

void Persistence::fail(std::string_view text) {
  failure_ = text;
  log(LogLevel::warning, text);
}

// --- start

bool Persistence::keeps_data() const {
  return settings_.append_only || saver_.has_save_points();
}

Task<Error> Persistence::start() {
  const Error error = co_await start_up();
  if (error != Error::none) co_return error;
  started_ = true;
  settings_changed();
  co_return Error::none;
}

Task<Error> Persistence::lock_directory() {
  if (lock_) co_return Error::none;
  OpenFlags flags;
  flags.write = flags.create = flags.lock = true;
  Expected<Handle> file = co_await open_file(env_, std::string(kLockName), flags);
  if (file) {
    lock_ = *file;
    co_return Error::none;
  }
  if (lock_) co_return Error::none;  // taken meanwhile, by this node
  if (file.error() == Error::locked) {
    log(LogLevel::warning,
        fmt::format(
            "Another node keeps its data in this directory ({} is locked). Give each node a "
            "directory of its own (\"dir\")",
            kLockName));
  } else {
    log(LogLevel::warning, fmt::format("The data directory cannot be written: {}: {}", kLockName,
                                       describe(file.error())));
  }
  co_return file.error();
}

Task<Error> Persistence::start_up() {
  if (!settings_.append_only && !settings_.load_until.empty()) {
    fail("aof-until needs \"appendonly yes\": it says where loading the AOF ends");
    co_return Error::invalid;
  }
  if (keeps_data()) {
    const Error locked = co_await lock_directory();
    if (locked == Error::locked || (locked != Error::none && settings_.append_only)) {
      co_return locked;
    }
    if (locked == Error::none) static_cast<void>(co_await remove_temporary_files());
  }
  begin_loading();
  bool found = false;
  if (settings_.append_only) {
    const bool good = co_await load_log(&found);
    if (!good) co_return Error::invalid;
  }
  if (!found) {
    const bool good = co_await load_snapshot();
    if (!good) co_return Error::invalid;
  }
  loading_.active = false;
  if (!settings_.append_only) co_return Error::none;
  const bool going_on = found ? co_await aof_.resume() : co_await aof_.create();
  if (going_on) co_return Error::none;
  // The data is there. It is served, and nothing is written, until the log can be.
  log(LogLevel::warning,
      fmt::format("{}. Commands that write are refused until that is possible.", aof_.error()));
  aof_.begin_later();
  co_return Error::none;
}

// What a node leaves that ended while it wrote a snapshot.
Task<Error> Persistence::remove_temporary_files() {
  IoOp io(env_);
  io.op.kind = OpKind::list;
  io.op.path = ".";
  co_await io;
  if (!io.op.result.ok()) co_return io.op.result.error;
  const std::vector<std::string> names = std::move(io.op.result.names);
  for (const std::string& name : names) {
    if (!name.starts_with("temp-") || !name.ends_with(".rdb")) continue;
    static_cast<void>(co_await remove_file(env_, name));
  }
  co_return Error::none;
}

void Persistence::begin_loading() {
  loading_ = {};
  loading_.active = true;
  loading_.started = env_.now();
  loading_.started_unix_s = env_.wall().unix_s();
}

void Persistence::end_loading(std::string_view from) {
  loading_.active = false;
  log(LogLevel::notice,
      fmt::format("DB loaded from {}: {:.3f} seconds, {} keys of a snapshot ({} had expired), {} "
                  "entries",
                  from, seconds_between(loading_.started, env_.now()), loading_.keys_loaded,
                  loading_.keys_expired, loading_.entries));
  saver_.note_loaded();
}

Task<bool> Persistence::load_log(bool* found) {
  const bool looked = co_await aof_.find(found);
  if (!looked) {
    fail(aof_.error());
    co_return false;
  }
  if (!*found && !settings_.load_until.empty()) {
    fail("aof-until: there is no AOF to load");
    co_return false;
  }
  if (!*found) co_return true;
  const bool loaded = co_await aof_.load();
  if (!loaded) {
    fail(fmt::format("The AOF could not be loaded: {}", aof_.error()));
    co_return false;
  }
  end_loading("append only file");
  adopt_history(aof_.loaded_history(), aof_.loaded_offset(), aof_.loaded_db());
  co_return true;
}

Task<bool> Persistence::load_snapshot() {
  Expected<std::string> magic = co_await read_beginning(env_, settings_.dbfilename, 1);
  if (!magic && magic.error() == Error::not_found) co_return true;
  SnapshotLoader loader(
      {.env = env_, .services = services_, .persist = settings_, .loading = loading_});
  const bool loaded = co_await loader.load(settings_.dbfilename, SnapshotLoader::Expired::dropped);
  if (!loaded) {
    fail(fmt::format("The RDB file could not be loaded: {}", loader.error()));
    co_return false;
  }
  if (!keep_functions(loader.take_functions())) co_return false;
  end_loading("disk");
  if (settings_.append_only) {
    log(LogLevel::notice, fmt::format("There is no AOF yet: the snapshot {} becomes its base.",
                                      settings_.dbfilename));
  }
  adopt_history(loader.history_id(), loader.offset(), loader.stream_db());
  co_return true;
}

// The data is a state of a history that others may know. Replication decides how it goes on.
void Persistence::adopt_history(const std::string& id, uint64_t offset, int stream_db) {
  if (id.size() != History::kIdLength) return;
  services_.effects.adopt_history({id, {}, History::kNoSecond}, offset);
  services_.effects.set_foreign_db(stream_db);
}

// --- while it runs

void Persistence::settings_changed() {
  settings_ = node_.settings().part<PersistSettings>();
  settings_.plants = &plants_;
  if (started_) env_.request(switch_hook_);
}

void Persistence::switch_log() {
  switch_lock();
  if (settings_.append_only && !left_data_) {
    aof_.switch_on();
  } else {
    aof_.switch_off();
  }
  aof_.update();
  update_refusal();
}

// A node that begins to keep data takes the directory.
void Persistence::switch_lock() {
  if (lock_ || !keeps_data() || locking_.started()) return;
  locking_ = lock_directory();
  locking_.start([](void* owner) { static_cast<Persistence*>(owner)->locking_ = {}; }, this);
}

void Persistence::cron() {
  for (const Migration* ended : std::exchange(ended_migrations_, {})) {
    std::erase_if(migrations_, [ended](const auto& migration) { return migration.get() == ended; });
  }
  if (!started_ || reloading() || left_data_) return;
  // What a suspended command has changed so far is in no snapshot.
  const bool suspended = services_.dispatcher.suspension().active();
  if (!suspended) saver_.cron(aof_.rewriting());
  aof_.set_disk_busy(saver_.saving());
  aof_.cron(!suspended);
  update_refusal();
}

void Persistence::update_refusal() {
  std::string error = aof_.promise().refusal();
  if (error.empty() && !aof_.start_problem().empty()) {
    error = fmt::format("MISCONF The append-only log could not be begun: {}", aof_.start_problem());
  }
  if (error.empty() && saver_.refuses_writes()) error = kSaveError;
  services_.dispatcher.admission().refuse_writes(error);
}

size_t Persistence::memory_bytes() const {
  return aof_.memory_bytes();
}

void Persistence::migrate(MigrationPlan plan, std::function<void(std::string_view)> done) {
  migrations_.push_back(
      std::make_unique<Migration>(services_, settings_.rdb_compression, std::move(plan)));
  Migration* migration = migrations_.back().get();
  migration->start([this, migration, ended = std::move(done)](std::string_view error) {
    ended(error);
    ended_migrations_.push_back(migration);
  });
}

// --- loading again

void Persistence::reload(const Reload& what, std::function<void(std::string_view)> done) {
  ASSERT(!reloading() && !saver_.saving() && !aof_.rewriting());
  reloaded_ = std::move(done);
  reloading_ = reload_all(what);
  reloading_.start(
      [](void* owner) {
        auto& persistence = *static_cast<Persistence*>(owner);
        persistence.reloading_ = {};
        std::exchange(persistence.reloaded_, {})(persistence.failure_);
      },
      this);
}

Task<Error> Persistence::reload_all(Reload what) {
  failure_.clear();
  // Not within the command that asks for it.
  co_await Sleep(env_, Duration::milliseconds(0));
  services_.dispatcher.admission().set(Alert::loading, true);
  services_.keys.removal().set_loading(true);
  if (what.from_aof) {
    const Error flushed = co_await aof_.flush_all();
    if (flushed != Error::none) failure_ = describe(flushed);
  } else if (what.save) {
    Signal saved;
    bool over = false;
    saver_.save([&](std::string_view error) {
      failure_ = error;
      over = true;
      saved.raise();
    });
    if (!over) co_await saved;
  }
  if (failure_.empty()) {
    if (what.flush || what.from_aof) services_.keys.flush(-1, true);
    begin_loading();
    if (what.from_aof) {
      // What is applied is in the log.
      services_.effects.set_replayed(true);
      if (!co_await aof_.load()) failure_ = aof_.error();
      services_.effects.set_replayed(false);
    } else {
      SnapshotLoader loader(
          {.env = env_, .services = services_, .persist = settings_, .loading = loading_});
      loader.set_replaces(what.merge);
      if (!co_await loader.load(settings_.dbfilename, SnapshotLoader::Expired::dropped)) {
        failure_ = loader.error();
      }
    }
    if (failure_.empty()) end_loading(what.from_aof ? "append only file" : "disk");
    // The log does not say how the data became this.
    if (!what.from_aof && aof_.state() == Aof::State::on) aof_.schedule_rewrite();
    loading_.active = false;
  }
  services_.dispatcher.admission().set(Alert::loading, false);
  services_.keys.removal().set_loading(false);
  if (!failure_.empty()) log(LogLevel::warning, "Loading again has failed: " + failure_);
  co_return Error::none;
}

// --- for replication

Task<Error> Persistence::leave_data() {
  saver_.cancel();
  left_data_ = true;
  aof_.switch_off();
  // Its last entries belong to the former history.
  while (aof_.writer().is_open() || aof_.rewriting() || saver_.saving()) {
    co_await Sleep(env_, Duration::milliseconds(1));
  }
  co_return Error::none;
}

// False, with a line in the log: one of them cannot be used.
bool Persistence::keep_functions(std::vector<std::string> sources) {
  const std::string error = services_.keys.functions().replace(std::move(sources));
  if (error.empty()) return true;
  fail(fmt::format("A library of functions that was loaded cannot be used: {}", error));
  return false;
}

void Persistence::take_loaded(std::vector<std::string> functions, const LoadProgress& progress) {
  keep_functions(std::move(functions));
  const uint64_t entries = loading_.entries;
  loading_ = progress;
  loading_.entries = entries;
  loading_.active = false;
  left_data_ = false;
  if (started_) env_.request(switch_hook_);
}

void Persistence::keep_data_again() {
  left_data_ = false;
  if (started_) env_.request(switch_hook_);
}

bool Persistence::loads_beside() const {
  return loading().active && !services_.dispatcher.admission().is_set(Alert::loading);
}

std::optional<uint64_t> Persistence::kept_offset() const {
  if (aof_.state() != Aof::State::on || aof_.promise().failed()) return std::nullopt;
  return aof_.writer().synced();
}

// --- stop

Task<Error> Persistence::before_stop(const StopRequest& request) {
  using Saving = StopRequest::Saving;
  Error error = Error::none;
  if (saver_.saving()) saver_.cancel();
  const bool saves =
      !left_data_ && (request.saving == Saving::yes ||
                      (request.saving == Saving::if_configured && saver_.has_save_points()));
  // What is written behind the end of the file would be lost.
  if (saves || aof_.state() == Aof::State::on) {
    services_.dispatcher.pause().begin(PauseMode::write, Instant::never());
  }
  if (saves) {
    while (saver_.saving()) co_await Sleep(env_, Duration::milliseconds(1));
    log(LogLevel::notice, "Saving the final RDB snapshot before exiting.");
    Signal saved;
    bool over = false;
    std::string problem;
    saver_.save([&](std::string_view text) {
      problem = text;
      over = true;
      saved.raise();
    });
    if (!over) co_await saved;
    if (!problem.empty()) error = Error::input_output;
  }
  if (aof_.state() == Aof::State::on) {
    log(LogLevel::notice, "Calling fsync() on the AOF file.");
    const Error flushed = co_await aof_.flush_all();
    if (flushed != Error::none) {
      log(LogLevel::warning, fmt::format("The AOF could not be completed: {}", describe(flushed)));
      error = flushed;
    }
  }
  co_return error;
}

void Persistence::abort_stop() {
  saver_.cancel();
}

}  // namespace redoubt

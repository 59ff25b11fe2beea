// What INFO shows of persistence.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/dispatch/dispatcher.h"
#include "engine/insight/info_registry.h"
#include "engine/keyspace/keyspace.h"
#include "engine/node/node.h"
#include "engine/persist/persist.h"

namespace redoubt {

namespace {

std::string_view status(bool failed) {
  return failed ? "err" : "ok";
}

bool is_loading(Persistence& p) {
  return p.loading().active;
}

constexpr InfoRow kLoadingRows[] = {
    gauge<Persistence>("loading",
                       [](Persistence& p) {
                         return p.node().dispatcher().admission().is_set(Alert::loading) ? 1 : 0;
                       }),
    gauge<Persistence>("async_loading", [](Persistence& p) { return p.loads_beside() ? 1 : 0; }),
};

constexpr InfoRow kSavingRows[] = {
    counter<Persistence>("rdb_changes_since_last_save",
                         [](Persistence& p) { return p.saver().unsaved_changes(); }),
    gauge<Persistence>("rdb_bgsave_in_progress",
                       [](Persistence& p) { return p.saver().saving() ? 1 : 0; }),
    gauge<Persistence>("rdb_last_save_time",
                       [](Persistence& p) { return p.saver().facts().last_save_unix_s; }),
    text_row<Persistence>("rdb_last_bgsave_status",
                          [](Persistence& p) { return status(p.saver().facts().last_failed); }),
    gauge<Persistence>("rdb_last_bgsave_time_sec",
                       [](Persistence& p) { return p.saver().facts().last_s; }),
    gauge<Persistence>("rdb_current_bgsave_time_sec",
                       [](Persistence& p) { return p.saver().saving_for_s(); }),
    counter<Persistence>("rdb_saves", [](Persistence& p) { return p.saver().facts().saves; }),
    gauge<Persistence>("rdb_last_cow_size", [](Persistence& p) { return p.saver().kept_bytes(); }),
    gauge<Persistence>("rdb_last_load_keys_expired",
                       [](Persistence& p) { return p.loading().keys_expired; }),
    gauge<Persistence>("rdb_last_load_keys_loaded",
                       [](Persistence& p) { return p.loading().keys_loaded; }),
    gauge<Persistence>("aof_enabled",
                       [](Persistence& p) { return p.aof().state() == Aof::State::off ? 0 : 1; }),
    gauge<Persistence>("aof_rewrite_in_progress",
                       [](Persistence& p) { return p.aof().rewriting() ? 1 : 0; }),
    gauge<Persistence>("aof_rewrite_scheduled",
                       [](Persistence& p) { return p.aof().rewrite_scheduled() ? 1 : 0; }),
    gauge<Persistence>("aof_last_rewrite_time_sec",
                       [](Persistence& p) { return p.aof().rewrites().last_s; }),
    gauge<Persistence>("aof_current_rewrite_time_sec",
                       [](Persistence& p) { return p.aof().rewriting_for_s(); }),
    text_row<Persistence>("aof_last_bgrewrite_status",
                          [](Persistence& p) { return status(p.aof().rewrites().last_failed); }),
    counter<Persistence>("aof_rewrites", [](Persistence& p) { return p.aof().rewrites().done; }),
    gauge<Persistence>("aof_rewrites_consecutive_failures",
                       [](Persistence& p) { return p.aof().rewrites().failures_in_a_row; }),
    text_row<Persistence>("aof_last_write_status",
                          [](Persistence& p) { return status(p.aof().promise().failed()); }),
    gauge<Persistence>("aof_last_cow_size", [](Persistence& p) { return p.aof().kept_bytes(); }),
};

void write_log(void* owner, InfoWriter& out) {
  auto& p = *static_cast<Persistence*>(owner);
  const Aof& aof = p.aof();
  if (aof.state() != Aof::State::off) {
    out.field("aof_current_size", aof.bytes());
    out.field("aof_base_size", aof.base_bytes());
    out.field("aof_pending_rewrite", aof.rewrite_scheduled() ? 1 : 0);
    out.field("aof_buffer_length", aof.writer().unwritten_bytes());
    out.field("aof_pending_bio_fsync", aof.writer().syncing() ? 1 : 0);
    out.field("aof_delayed_fsync", aof.promise().delayed());
    out.field("aof_written_offset", aof.writer().written());
    out.field("aof_synced_offset", aof.writer().synced());
  }
  if (!is_loading(p)) return;
  const LoadProgress& loading = p.loading();
  const double part =
      loading.total_bytes == 0 ? 0 : ratio(loading.loaded_bytes, loading.total_bytes) * 100;
  const double passed_s = static_cast<double>((p.node().env().now() - loading.started).ns) / 1e9;
  const uint64_t left = loading.total_bytes - std::min(loading.total_bytes, loading.loaded_bytes);
  const uint64_t eta_s = loading.loaded_bytes == 0
                             ? 1
                             : static_cast<uint64_t>(passed_s * ratio(left, loading.loaded_bytes));
  out.field("loading_start_time", loading.started_unix_s);
  out.field("loading_total_bytes", loading.total_bytes);
  out.field("loading_rdb_used_mem", uint64_t{0});
  out.field("loading_loaded_bytes", loading.loaded_bytes);
  out.field("loading_loaded_perc", InfoDecimal{part, 2});
  out.field("loading_eta_seconds", eta_s);
}

}  // namespace

void Persistence::register_info(InfoRegistry& registry) {
  registry.add({.section = InfoSection::persistence, .rows = kLoadingRows, .owner = this});
  registry.add({.section = InfoSection::persistence,
                .place = 20,
                .rows = kSavingRows,
                .owner = this,
                .write = write_log});
}

}  // namespace redoubt

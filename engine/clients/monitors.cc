#include "engine/clients/monitors.h"

#include <algorithm>
#include <string>

#include "engine/clients/clients.h"
#include "engine/insight/monitor.h"

namespace redoubt {

void Monitors::start(Session& session) {
  if (session.has(kSessionMonitor)) return;
  session.set(kSessionMonitor);
  // One that stopped in this turn may still be on the list.
  if (gaps_ > 0 && std::find(sessions_.begin(), sessions_.end(), &session) != sessions_.end()) {
    --gaps_;
  } else {
    sessions_.push_back(&session);
  }
}

void Monitors::stop(Session& session) {
  if (!session.has(kSessionMonitor)) return;
  session.clear(kSessionMonitor);
  ++gaps_;
  ASSERT(gaps_ <= sessions_.size());
  clients_.sink().request_turn();
}

void Monitors::feed(const Session& session, const CommandEntry& entry,
                    std::span<const std::string_view> args, std::string_view source) {
  if (size() == 0 || (entry.row->flags & (kSkipMonitor | kAdmin)) != 0) return;
  show(session, entry, args, source);
}

void Monitors::show(const Session& session, const CommandEntry& entry,
                    std::span<const std::string_view> args, std::string_view source) {
  const Address& address = session.peer();
  const std::string peer = !source.empty()              ? std::string(source)
                           : session.has(kSessionLocal) ? "lua"
                           : address.unix_socket        ? "unix:" + address.host
                                                        : address.to_string();
  const std::string line =
      monitor_line(clients_.env().wall(), session.db, peer, redact_arguments(entry, args));
  clients_.env().count_work(sessions_.size());
  for (Session* monitor : sessions_) {
    if (!monitor->has(kSessionMonitor) || monitor->has(kSessionEnding)) continue;
    ReplyWriter(monitor->output, monitor->protocol).simple(line);
    if (monitor->output.bytes() > ClientLimits::kLargeOutput) {
      clients_.limits().check_output(*monitor);
    }
  }
  clients_.sink().request_turn();
}

void Monitors::purge() {
  if (gaps_ == 0) return;
  std::erase_if(sessions_, [](const Session* each) { return !each->has(kSessionMonitor); });
  gaps_ = 0;
}

void Monitors::flush_all() {
  purge();
  for (Session* monitor : sessions_) clients_.sink().send_replies(*monitor);
}

}  // namespace redoubt

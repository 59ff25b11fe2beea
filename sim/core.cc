#include "sim/core.h"

#include "sim/host.h"

namespace redoubt::sim {

std::string_view op_kind_name(OpKind kind) {
  switch (kind) {
    case OpKind::accept: return "accept";
    case OpKind::connect: return "connect";
    case OpKind::receive: return "receive";
    case OpKind::send: return "send";
    case OpKind::resolve: return "resolve";
    case OpKind::open: return "open";
    case OpKind::read: return "read";
    case OpKind::write: return "write";
    case OpKind::sync: return "sync";
    case OpKind::sync_data: return "sync_data";
    case OpKind::truncate: return "truncate";
    case OpKind::file_size: return "file_size";
    case OpKind::rename: return "rename";
    case OpKind::remove: return "remove";
    case OpKind::list: return "list";
    case OpKind::make_directory: return "make_directory";
    case OpKind::sync_directory: return "sync_directory";
    case OpKind::background: return "background";
  }
  return "?";
}

std::string time_text(Instant at) {
  char text[48];
  std::snprintf(text, sizeof text, "%lld.%09lld", static_cast<long long>(at.ns / 1'000'000'000),
                static_cast<long long>(at.ns % 1'000'000'000));
  return text;
}

Core::Core(uint64_t seed, const WorldOptions& world_options)
    : options(world_options),
      recorder(world_options.recorder),
      faults(world_options.faults),
      network_random(seed, "network"),
      run_seed(seed),
      is_watched(options.trace != nullptr || options.sink != nullptr) {
  if (recorder != nullptr) recorder->follow(&now);
}

Core::~Core() {
  if (recorder != nullptr) recorder->follow(nullptr);
}

Random& Core::fault_random(Fault fault, HostId id) {
  return host(id).fault_random(fault);
}

bool Core::happens_now(Fault fault, int64_t ppm, HostId id) {
  if (!fault_random(fault, id).chance(ppm)) return false;
  count(fault, id);
  return true;
}

Duration Core::extra_now(Fault fault, int64_t mean_us, HostId id) {
  count(fault, id);
  return {fault_random(fault, id).exponential(mean_us * 1'000)};
}

void Core::remark(HostId id, std::string_view text) {
  if (recorder != nullptr) recorder->remark(id, text);
  if (options.trace == nullptr) return;
  const std::string line = time_text(now) + " " + host(id).name() + " " + std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), options.trace);
}

std::string event_text(Instant at, std::string_view host, What what, uint64_t detail,
                       uint64_t value, std::string_view text) {
  std::string line = time_text(at) + " " + std::string(host) + " ";
  switch (what) {
    case What::boot: line += "boot"; break;
    case What::stop: line += "stop"; break;
    case What::done: {
      const auto error = static_cast<Error>(detail >> 8);
      line += std::string(op_kind_name(static_cast<OpKind>(detail & 255))) + " ";
      line += error == Error::none ? "ok" : std::string(describe(error));
      break;
    }
    case What::sent: line += "sent"; break;
    case What::log: line += "log"; break;
    case What::fault:
      line += "fault ";
      line += detail < kFaultCount ? fault_rows()[detail].name : "?";
      break;
    case What::note: line += "note"; break;
    case What::strike: line += "strike"; break;
  }
  line += " " + std::to_string(value);
  if (!text.empty()) line += " ";
  for (const char c : what == What::sent ? text.substr(0, 200) : text) {
    if (c >= ' ' && c <= '~' && (c != '\\' || what != What::sent)) {
      line += c;
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
      line += escaped;
    }
  }
  return line;
}

void Core::tell(What what, HostId id, uint64_t detail, uint64_t value, std::string_view text) {
  if (options.sink != nullptr) options.sink->on_event(*this, what, id, detail, value, text);
  if (options.trace == nullptr) return;
  const std::string_view name = id == kNoHost ? std::string_view("world") : host(id).name();
  const std::string line = event_text(now, name, what, detail, value, text) + " digest " +
                           digest.text().substr(0, 8) + "\n";
  std::fwrite(line.data(), 1, line.size(), options.trace);
}

}  // namespace redoubt::sim

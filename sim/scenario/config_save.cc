#include "sim/scenario/config_save.h"

#include "engine/config/config.h"
#include "engine/node/node.h"
#include "net/task.h"
#include "sim/checkers/node_checker.h"
#include "sim/crash_points.h"
#include "sim/node_process.h"
#include "sim/scenario/plants.h"

namespace redoubt::sim {

namespace {

constexpr std::string_view kFile = "redoubt.conf";
constexpr std::string_view kOldValue = "100";
constexpr std::string_view kNewValue = "200";
constexpr std::string_view kLastValue = "300";
constexpr Duration kPatience = Duration::seconds(5);

// What the seed leaves to be drawn.
struct Setting {
  std::string old_text;
  bool in_pieces = false;
};

Setting draw_setting(uint64_t seed) {
  Random random(seed, "configuration file");
  Setting setting;
  setting.in_pieces = random.below(3) == 0;
  // Shorter than a sector, some sectors, or more than a page.
  const auto bytes = static_cast<size_t>(random.between_log(1, 6'000));
  const bool names_it = random.coin();
  while (setting.old_text.size() < bytes) {
    setting.old_text += "# line " + std::to_string(setting.old_text.size()) + "\n";
  }
  if (names_it) {
    setting.old_text.append(kOperatorsDirective).append(" ").append(kOldValue).append("\n");
  }
  return setting;
}

std::vector<std::string> arguments() {
  return {"--bind", "0.0.0.0", "--port", std::to_string(kNodePort), "--protected-mode", "no"};
}

// The file behind a save of this value.
std::string saved(std::string_view text, std::string_view value) {
  Config config;
  std::string error;
  const ReadFile no_includes = [](const std::string&, std::string*, std::string*) { return false; };
  const bool read = config.parse_file(std::string(kFile), text, no_includes, &error) &&
                    config.parse_arguments(arguments(), &error);
  ASSERT(read);
  const std::string_view pair[] = {kOperatorsDirective, value};
  const bool set = config.set(pair, &error);
  ASSERT(set);
  return config.rewritten(text);
}

// One who saves, for a report.
struct Reporter {
  RunRecorder* recorder;  // or null
  HostId host;

  void called(std::initializer_list<std::string_view> words) const {
    if (recorder != nullptr) recorder->called(host, {words.begin(), words.size()}, false);
  }
  // The replies that have come since `from`; returns where the next one begins.
  size_t returned(std::string_view replies, size_t from) const {
    for (size_t end; (end = replies.find("\r\n", from)) != std::string_view::npos; from = end + 2) {
      if (recorder != nullptr) recorder->returned(host, replies.substr(from, end + 2 - from));
    }
    return from;
  }
  void abandoned() const {
    if (recorder != nullptr) recorder->abandoned(host);
  }
};

Task<bool> save(Env& env, Address node, std::string value, Reporter reporter, bool* acknowledged) {
  IoOp connect(env);
  connect.op.kind = OpKind::connect;
  connect.op.address = node;
  co_await connect;
  if (!connect.op.result.ok()) co_return false;
  const Handle stream = connect.op.result.handle;
  const std::string request =
      "CONFIG SET " + std::string(kOperatorsDirective) + " " + value + "\r\nCONFIG REWRITE\r\n";
  IoOp send(env);
  const Slice slice = as_slice(request);
  send.op.kind = OpKind::send;
  send.op.handle = stream;
  send.op.gather = {&slice, 1};
  reporter.called({"CONFIG", "SET", kOperatorsDirective, value});
  reporter.called({"CONFIG", "REWRITE"});
  co_await send;
  std::string replies;
  size_t reported = 0;
  IoOp receive(env);
  receive.op.kind = OpKind::receive;
  receive.op.handle = stream;
  for (;;) {
    co_await receive;
    if (!receive.op.result.ok()) {
      reporter.abandoned();
      co_return false;
    }
    const Chunk chunk = receive.op.result.chunk;
    replies.append(reinterpret_cast<const char*>(chunk.data), chunk.size);
    env.backend().give_back(chunk);
    reported = reporter.returned(replies, reported);
    if (replies == "+OK\r\n+OK\r\n") *acknowledged = true;
  }
}

class Asker final : public Process {
 public:
  Asker(Env& env, const Address& node, std::string_view value, const Reporter& reporter,
        bool* acknowledged)
      : task_(save(env, node, std::string(value), reporter, acknowledged)) {
    task_.start([](void*) {}, nullptr);
  }

 private:
  Task<bool> task_;
};

class ConfigSave final : public CrashStory {
 public:
  ConfigSave(const Setting& setting, const Plants& plants)
      : setting_(setting), plants_(plants), new_text_(saved(setting.old_text, kNewValue)) {}

  HostId begin(World& world) override;
  void tell(World& world) override;
  std::string check(World& world, bool to_its_end) override;

 private:
  void put_file(Disk& disk) const;
  std::string check_file(const std::string& text, bool must_be_new);
  // Waits until a save is acknowledged.
  bool ask(World& world, std::string_view value);

  const Setting& setting_;
  const Plants& plants_;
  const std::string new_text_;
  HostId host_ = 0;
  Node* node_ = nullptr;
  bool acknowledged_ = false;
};

// On the medium.
void ConfigSave::put_file(Disk& disk) const {
  const InodeRef file = disk.open(kFile, {.read = true, .write = true, .create = true}).value();
  file->write(0, as_slice(setting_.old_text));
  file->end_sync(file->begin_sync());
  disk.end_sync_names(disk.find(".").value(), disk.names_mark());
}

HostId ConfigSave::begin(World& world) {
  NodeStart start;
  start.arguments = arguments();
  start.config_file = kFile;
  start.ready = [this](Node& node) { node_ = &node; };
  host_ = world.add_host({.name = "node", .faultable = true},
                         [start](Env& env) { return std::make_unique<NodeProcess>(env, start); });
  put_file(world.host(host_).disk());
  if (const auto skipped = plants_.skipped_sync()) world.host(host_).files().skip(*skipped);
  world.boot(host_);
  world.run_for(Duration::seconds(1));
  return host_;
}

bool ConfigSave::ask(World& world, std::string_view value) {
  const Address node = Address::tcp(world.host(host_).address(), kNodePort);
  bool* const acknowledged = &acknowledged_;
  const Reporter reporter = {world.recorder(), static_cast<HostId>(world.host_count())};
  world.boot(world.add_host({.name = "client"}, [=](Env& env) {
    return std::make_unique<Asker>(env, node, value, reporter, acknowledged);
  }));
  acknowledged_ = false;
  const Instant end = world.now() + kPatience;
  world.run_until(end);
  return acknowledged_;
}

void ConfigSave::tell(World& world) {
  ask(world, kNewValue);
}

std::string ConfigSave::check_file(const std::string& text, bool must_be_new) {
  const bool is_new = text == new_text_;
  if (!is_new && text != setting_.old_text) {
    return "the file holds " + std::to_string(text.size()) +
           " bytes that are neither the old file's " + std::to_string(setting_.old_text.size()) +
           " nor the new one's " + std::to_string(new_text_.size()) + ": " + shown_bytes(text);
  }
  if (must_be_new && !is_new) return "the old file, although the save was acknowledged";
  const std::string_view name[] = {kOperatorsDirective};
  const std::string value = node_->config().get(name).at(0).second;
  const bool names_it = text.find(kOperatorsDirective) != std::string::npos;
  if (!names_it || (value == kNewValue) == is_new) return {};
  return "the node has the value " + value + " of the other file";
}

std::string ConfigSave::check(World& world, bool to_its_end) {
  const bool acknowledged = acknowledged_;
  if (to_its_end && !acknowledged) return "the save is not acknowledged";
  node_ = nullptr;
  world.boot(host_);
  world.run_for(Duration::seconds(1));
  if (node_ == nullptr || !world.host(host_).running()) {
    const auto& lines = world.host(host_).log_lines();
    return "the node does not start: " + (lines.empty() ? "not a word" : lines.back());
  }
  Disk& disk = world.host(host_).disk();
  auto text = disk.contents(kFile);
  if (!text) return "there is no file: " + std::string(describe(text.error()));
  if (std::string wrong = check_file(*text, acknowledged); !wrong.empty()) return wrong;
  const std::string next = saved(*text, kLastValue);
  if (!ask(world, kLastValue)) return "the next save is not acknowledged";
  auto last = disk.contents(kFile);
  return last && *last == next ? "" : "the next save has not saved";
}

}  // namespace

RunResult save_config_everywhere(const ScenarioSpec& spec, const RunOptions& options) {
  const Setting setting = draw_setting(options.seed);
  const Plants plants(options.plant);
  WorldOptions world;
  world.faults.disk_split = setting.in_pieces ? 1'000'000 : 0;
  world.trace = options.trace;
  world.sink = options.sink;
  world.recorder = options.recorder;
  for (const std::string& fault : options.faults) {
    const std::string error = set_fault(world.faults, fault);
    ASSERT(error.empty());  // the caller has looked
  }
  PlacesOfRun places(options.seed, Unlucky{});
  const CrashReport report = crash_everywhere(
      options.seed, world, [&] { return std::make_unique<ConfigSave>(setting, plants); });
  RunResult result;
  result.digest = report.digest;
  result.events = report.events;
  result.simulated = report.simulated;
  result.commands = report.crashes;
  result.faults = world.faults;
  result.fired = report.fired;
  result.marks = places.marks();
  result.drawn = "old_bytes=" + std::to_string(setting.old_text.size()) +
                 " boundaries=" + std::to_string(report.boundaries) +
                 " crashes=" + std::to_string(report.crashes);
  if (report.cut_short > 0) {
    result.remarks.push_back(std::to_string(report.cut_short) +
                             " boundaries had more ways to age than were tried");
  }
  if (report.shown) {
    result.recorded = report.shown_length;
    result.remarks.push_back("recorded is the crash at boundary " +
                             std::to_string(report.shown->boundary) + ": " + report.shown->where);
  }
  result.fixed = spec;
  result.fixed.seed = options.seed;
  result.fixed.plant = options.plant;
  result.fixed.script.emplace();
  result.fixed.strikes.emplace();
  result.fixed.windows.emplace();
  if (!report.failure) return result;
  const CrashFailure& failure = *report.failure;
  result.violation = {"files", failure.at, "node",
                      "the node starts with the old or the new configuration after every crash",
                      "boundary " + std::to_string(failure.boundary) + " of " +
                          std::to_string(report.boundaries) + ", " + failure.where + ": " +
                          failure.seen};
  result.fixed.fails = "files";
  return result;
}

}  // namespace redoubt::sim

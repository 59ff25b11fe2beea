#include "sim/report/data.h"

#include <algorithm>
#include <map>
#include <utility>

#include "sim/faults.h"
#include "sim/report/escape.h"

namespace redoubt::sim {

namespace {

// Of texts far from the violation.
constexpr size_t kShortText = 64;
constexpr size_t kOffsetsMax = 600;  // a host
constexpr size_t kStatesMax = 2'000;
constexpr size_t kBins = 240;  // of the picture of the whole run
constexpr size_t kBinsOfMany = 60;
constexpr size_t kManyHosts = 40;

// Builds an object or a list, with the commas in the right places.
class Json {
 public:
  explicit Json(std::string& out) : out_(out) {}

  Json& open(char bracket) {
    out_ += bracket;
    first_ = true;
    return *this;
  }
  void close(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  Json& name(std::string_view name) {
    comma();
    append_json(out_, name);
    out_ += ':';
    first_ = true;
    return *this;
  }
  void number(int64_t value) {
    comma();
    out_ += std::to_string(value);
  }
  void text(std::string_view value, TextKind kind = TextKind::words) {
    comma();
    append_json(out_, value, kind);
  }
  void word(std::string_view value) {
    comma();
    out_ += value;
  }
  // An object or list within this list.
  Json& open_item(char bracket) {
    comma();
    return open(bracket);
  }

 private:
  void comma() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

// Texts that occur again are there once.
class Texts {
 public:
  // 0 is the empty text.
  int64_t index(std::string_view text, TextKind kind) {
    if (text.empty()) return 0;
    const Text key = {text, kind};
    const auto [known, fresh] = indices_.try_emplace(key, static_cast<int64_t>(list_.size()) + 1);
    if (fresh) list_.push_back(key);
    return known->second;
  }
  void write(Json& json) const {
    json.name("texts").open('[');
    json.text("");
    for (const auto& [text, kind] : list_) json.text(text, kind);
    json.close(']');
  }

 private:
  using Text = std::pair<std::string_view, TextKind>;

  std::map<Text, int64_t> indices_;
  std::vector<Text> list_;
};

class Writer {
 public:
  Writer(const Timeline& timeline, const Thinned& thinned, const ReportFacts& facts)
      : timeline_(timeline), thinned_(thinned), facts_(facts), json_(out_) {}

  std::string run();

 private:
  void write_facts();
  void write_violation();
  void write_hosts();
  void write_density();
  void write_items();
  void write_links();
  void write_joined();

  // A column with a value for each item.
  template <typename Value>
  void dense(std::string_view name, Value value) {
    json_.name(name).open('[');
    for (size_t i = 0; i < thinned_.kept.size(); ++i) json_.number(value(i));
    json_.close(']');
  }
  // One where most values are 0: pairs of the distance from the pair before, and the value.
  template <typename Value>
  void sparse(std::string_view name, Value value) {
    json_.name(name).open('[');
    size_t last = 0;
    for (size_t i = 0; i < thinned_.kept.size(); ++i) {
      const int64_t number = value(i);
      if (number == 0) continue;
      json_.number(static_cast<int64_t>(i - last));
      json_.number(number);
      last = i;
    }
    json_.close(']');
  }
  const Item& item(size_t kept) const { return timeline_.items[thinned_.kept[kept].item]; }

  const Timeline& timeline_;
  const Thinned& thinned_;
  const ReportFacts& facts_;
  std::string out_;
  Json json_;
  Texts texts_;
};

void Writer::write_facts() {
  const RunResult& result = facts_.result;
  json_.name("scenario").text(facts_.scenario);
  json_.name("seed").text(std::to_string(facts_.seed));
  json_.name("replay").text(facts_.replay);
  json_.name("digest").text(result.digest);
  json_.name("events").number(static_cast<int64_t>(result.events));
  json_.name("commands").number(static_cast<int64_t>(result.commands));
  json_.name("simulated").number(result.simulated.ns);
  json_.name("end").number(timeline_.end.ns);
  json_.name("drawn").text(result.drawn);
  json_.name("options").text(faults_text(result.faults));
  json_.name("all").number(static_cast<int64_t>(timeline_.items.size()));
  json_.name("left").number(static_cast<int64_t>(thinned_.left_out));
  json_.name("leftBehind").number(thinned_.left_out_behind);
  json_.name("dropped").number(static_cast<int64_t>(timeline_.dropped));
  json_.name("faultNames").open('[');
  for (size_t i = 0; i < kFaultCount; ++i) json_.text(fault_rows()[i].name);
  json_.close(']');
  json_.name("faultTexts").open('[');
  for (size_t i = 0; i < kFaultCount; ++i) json_.text(fault_rows()[i].description);
  json_.close(']');
  json_.name("fired").open('[');
  for (size_t i = 0; i < kFaultCount; ++i) {
    json_.number(static_cast<int64_t>(result.fired.fired[i]));
  }
  json_.close(']');
  json_.name("log").open('[');
  for (const std::string& line : result.log) json_.text(line);
  json_.close(']');
}

void Writer::write_violation() {
  if (!facts_.result.violation) return json_.name("violation").word("null");
  const Violation& violation = *facts_.result.violation;
  json_.name("violation").open('{');
  json_.name("checker").text(violation.checker);
  json_.name("at").number(violation.at.ns);
  json_.name("node").text(violation.node);
  json_.name("expected").text(violation.expected);
  json_.name("seen").text(violation.seen);
  int64_t place = -1;
  for (size_t i = 0; i < thinned_.kept.size(); ++i) {
    if (thinned_.kept[i].item == timeline_.violation) place = static_cast<int64_t>(i);
  }
  json_.name("item").number(place);
  json_.close('}');
}

// Every so many of the list, and all of the last.
template <typename T, typename Write>
void write_some(const std::vector<T>& list, size_t most, Write write) {
  const size_t last = std::min(list.size(), most / 2);
  const size_t before = list.size() - last;
  const size_t step = std::max<size_t>(1, before / std::max<size_t>(1, most - last));
  for (size_t i = 0; i < before; i += step) write(list[i]);
  for (size_t i = before; i < list.size(); ++i) write(list[i]);
}

void Writer::write_hosts() {
  json_.name("hosts").open('[');
  for (const HostLine& host : timeline_.hosts) {
    json_.open_item('{');
    json_.name("name").text(host.name);
    json_.name("boots").number(host.boots);
    json_.name("states").open('[');
    write_some(host.states, kStatesMax, [this](const Since<HostState>& since) {
      json_.number(since.at.ns);
      json_.number(static_cast<int64_t>(since.value));
    });
    json_.close(']');
    json_.name("offsets").open('[');
    write_some(host.offsets, kOffsetsMax, [this](const Since<uint64_t>& since) {
      json_.number(since.at.ns);
      json_.number(static_cast<int64_t>(since.value));
    });
    json_.close(']');
    json_.close('}');
  }
  json_.close(']');
}

// How much happened where and when: of all items, also those left out.
void Writer::write_density() {
  const size_t hosts = timeline_.hosts.size();
  const size_t bins = hosts > kManyHosts ? kBinsOfMany : kBins;
  std::vector<uint32_t> counts(hosts * bins, 0);
  const double scale = static_cast<double>(bins) / static_cast<double>(timeline_.end.ns + 1);
  for (const Item& item : timeline_.items) {
    if (item.host >= hosts) continue;
    const auto bin = static_cast<size_t>(static_cast<double>(item.begin.ns) * scale);
    ++counts[item.host * bins + std::min(bin, bins - 1)];
  }
  json_.name("bins").number(static_cast<int64_t>(bins));
  json_.name("density").open('[');
  for (const uint32_t count : counts) json_.number(count);
  json_.close(']');
}

void Writer::write_items() {
  std::string kinds;
  for (const Kept& kept : thinned_.kept) {
    kinds += static_cast<char>('a' + static_cast<int>(timeline_.items[kept.item].kind));
  }
  json_.name("kind").text(kinds);
  dense("host", [this](size_t i) { return item(i).host == kNowhere ? -1 : item(i).host; });
  dense("at", [this](size_t i) { return item(i).begin.ns - (i == 0 ? 0 : item(i - 1).begin.ns); });
  sparse("lasts", [this](size_t i) { return item(i).end.ns - item(i).begin.ns; });
  sparse("detail", [this](size_t i) { return item(i).detail; });
  sparse("to", [this](size_t i) { return item(i).to == kNowhere ? 0 : item(i).to + 1; });
  sparse("number", [this](size_t i) { return item(i).number; });
  sparse("drift", [this](size_t i) { return item(i).drift_ppm; });
  sparse("flags", [this](size_t i) { return (item(i).lost ? 1 : 0) + (item(i).open ? 2 : 0); });
  const auto shown = [this](size_t i, std::string_view text) {
    return thinned_.kept[i].near ? text : text.substr(0, kShortText);
  };
  dense("text", [&](size_t i) {
    const ItemKind kind = item(i).kind;
    const bool raw = kind == ItemKind::message || kind == ItemKind::operation;
    return texts_.index(shown(i, item(i).text), raw ? TextKind::raw : TextKind::words);
  });
  sparse("reply", [&](size_t i) { return texts_.index(shown(i, item(i).reply), TextKind::raw); });
  texts_.write(json_);
}

// What led to what, as distances; what was left out.
void Writer::write_links() {
  const auto& kept = thinned_.kept;
  dense("cause", [&](size_t i) {
    return kept[i].cause == kNoItem ? 0 : static_cast<int64_t>(i) - kept[i].cause;
  });
  sparse("result",
         [&](size_t i) { return kept[i].result == kNoItem ? 0 : int64_t{kept[i].result} + 1; });
  sparse("via", [&](size_t i) { return kept[i].steps_left_out; });
  sparse("gap", [&](size_t i) { return kept[i].items_left_out; });
}

void Writer::write_joined() {
  json_.name("joined").open('[');
  for (const auto& [span, host] : timeline_.joined) {
    const auto place =
        std::lower_bound(thinned_.kept.begin(), thinned_.kept.end(), span,
                         [](const Kept& kept, uint32_t wanted) { return kept.item < wanted; });
    if (place == thinned_.kept.end() || place->item != span) continue;
    json_.number(place - thinned_.kept.begin());
    json_.number(host);
  }
  json_.close(']');
}

std::string Writer::run() {
  json_.open('{');
  write_facts();
  write_violation();
  write_hosts();
  write_density();
  write_items();
  write_links();
  write_joined();
  json_.close('}');
  return std::move(out_);
}

}  // namespace

std::string report_data(const Timeline& timeline, const Thinned& thinned,
                        const ReportFacts& facts) {
  return Writer(timeline, thinned, facts).run();
}

}  // namespace redoubt::sim

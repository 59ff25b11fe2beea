#include "sim/scenario/spec_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "engine/config/config_text.h"
#include "sim/checkers/node_checker.h"
#include "sim/model/generator.h"
#include "sim/scenario/scenario.h"

namespace redoubt::sim {

namespace {

// The first thing that is wrong ends the reading.
struct Wrong {
  toml::source_region where;
  std::string what;
};

std::string kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a number with a point";
    case toml::node_type::boolean: return "a boolean";
    default: return "a date or time";
  }
}

[[noreturn]] void fail(const toml::node& node, const std::string& expected,
                       const std::string& seen) {
  throw Wrong{node.source(), "expected " + expected + ", not " + seen};
}

const toml::table& table_of(const toml::node& node, const std::string& what) {
  const toml::table* table = node.as_table();
  if (table == nullptr) fail(node, "a table for " + what, kind_of(node));
  return *table;
}

const toml::array& array_of(const toml::node& node, const std::string& what) {
  const toml::array* array = node.as_array();
  if (array == nullptr) fail(node, "an array for " + what, kind_of(node));
  return *array;
}

std::string string_of(const toml::node& node, const std::string& what) {
  const auto text = node.value_exact<std::string>();
  if (!text) fail(node, "a string for " + what, kind_of(node));
  return *text;
}

bool boolean_of(const toml::node& node, const std::string& what) {
  const auto value = node.value_exact<bool>();
  if (!value) fail(node, "true or false for " + what, kind_of(node));
  return *value;
}

int64_t integer_of(const toml::node& node, const std::string& what, int64_t least, int64_t most) {
  const auto value = node.value_exact<int64_t>();
  const std::string expected =
      "an integer from " + std::to_string(least) + " to " + std::to_string(most) + " for " + what;
  if (!value) fail(node, expected, kind_of(node));
  if (*value < least || *value > most) fail(node, expected, std::to_string(*value));
  return *value;
}

void add_alternative(const toml::node& node, const std::string& what, Choice& choice) {
  if (const auto number = node.value_exact<int64_t>()) return choice.add(*number);
  if (!node.is_string()) {
    fail(node, "a number, a range such as \"1..5\", or an array of these for " + what,
         kind_of(node));
  }
  const std::string text = string_of(node, what);
  if (!choice.add_text(text)) fail(node, "a range with the lower end first", "'" + text + "'");
}

Choice choice_of(const toml::node& node, const std::string& what) {
  Choice choice;
  if (const toml::array* array = node.as_array()) {
    if (array->empty()) fail(node, "something to choose from for " + what, "an empty array");
    for (const toml::node& one : *array) add_alternative(one, what, choice);
  } else {
    add_alternative(node, what, choice);
  }
  return choice;
}

Choice number_choice(const toml::node& node, const std::string& what, int64_t least, int64_t most) {
  Choice choice = choice_of(node, what);
  if (!choice.within(least, most)) {
    fail(node,
         "numbers from " + std::to_string(least) + " to " + std::to_string(most) + " for " + what,
         "'" + choice.text() + "'");
  }
  return choice;
}

std::string listed(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

[[noreturn]] void unknown(const toml::key& key, const std::string& where,
                          const std::vector<std::string_view>& names) {
  throw Wrong{key.source(), "expected one of " + listed(names) + " in " + where + ", not '" +
                                std::string(key.str()) + "'"};
}

void read_numbers(const std::string& name, const toml::node& node, ScenarioSpec& spec) {
  std::vector<std::string_view> names;
  for (const NumberRow& row : number_rows()) {
    if (row.table == name) names.push_back(row.name);
  }
  for (const auto& [key, value] : table_of(node, name)) {
    if (name == "workload" && key.str() == "families") {
      for (const auto& [family, weight] : table_of(value, "families")) {
        const auto known = family_names();
        if (std::find(known.begin(), known.end(), family.str()) == known.end()) {
          unknown(family, "families", {known.begin(), known.end()});
        }
        spec.families.emplace_back(family.str(), integer_of(weight, "a weight", 0, 1'000));
      }
      continue;
    }
    const auto row = std::find_if(
        number_rows().begin(), number_rows().end(),
        [&](const NumberRow& one) { return one.table == name && one.name == key.str(); });
    if (row == number_rows().end()) unknown(key, "[" + name + "]", names);
    spec.number(row->field) = number_choice(value, std::string(key.str()), row->least, row->most);
  }
}

void read_config(const toml::node& node, ScenarioSpec& spec) {
  for (const auto& [key, value] : table_of(node, "config")) {
    spec.config.emplace_back(key.str(), choice_of(value, std::string(key.str())));
  }
}

const FaultRow& fault_of(std::string_view name, const toml::source_region& where) {
  const FaultRow* row = find_fault(name);
  if (row == nullptr) {
    throw Wrong{where, "expected a fault (see redoubt-sim list), not '" + std::string(name) + "'"};
  }
  return *row;
}

void read_faults(const toml::node& node, ScenarioSpec& spec) {
  for (const auto& [key, value] : table_of(node, "faults")) {
    if (key.str() == "swarm") {
      for (const toml::node& one : array_of(value, "swarm")) {
        const FaultRow& row = fault_of(string_of(one, "swarm"), one.source());
        if (row.strength) fail(one, "a fault", "a strength");
        spec.swarm.push_back(&row);
      }
    } else {
      const FaultRow& row = fault_of(key.str(), key.source());
      const int64_t least = row.strength ? row.low : 0;
      spec.faults.push_back({&row, number_choice(value, std::string(key.str()), least, row.high)});
    }
  }
}

std::vector<std::string> strings_of(const toml::node& node, const std::string& what) {
  std::vector<std::string> texts;
  for (const toml::node& one : array_of(node, what)) texts.push_back(string_of(one, what));
  return texts;
}

// Lines, each as `parse` reads it.
template <typename T>
std::vector<T> parsed(const toml::node& node, const std::string& what,
                      std::string (*parse)(std::string_view, T*)) {
  std::vector<T> all;
  for (const toml::node& one : array_of(node, what)) {
    const std::string error = parse(string_of(one, what), &all.emplace_back());
    if (!error.empty()) throw Wrong{one.source(), error};
  }
  return all;
}

Duration duration_of(const toml::node& node, const std::string& what) {
  const std::string text = string_of(node, what);
  const auto duration = parse_duration(text);
  if (!duration) fail(node, "a time such as \"1.5s\" or \"20ms\" for " + what, "'" + text + "'");
  return *duration;
}

ScriptStep step_of(const toml::table& table) {
  constexpr int64_t kMost = INT64_MAX;
  ScriptStep step;
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    if (name == "node") {
      step.node = static_cast<uint32_t>(integer_of(value, name, 0, 15));
    } else if (name == "client") {
      step.client = static_cast<uint32_t>(integer_of(value, name, 0, 9'999));
    } else if (name == "at") {
      step.at = Instant() + duration_of(value, name);
    } else if (name == "pauses") {
      for (const toml::node& one : array_of(value, name)) {
        step.pauses.push_back(duration_of(one, name));
      }
    } else if (name == "send") {
      for (const toml::node& one : array_of(value, name)) {
        std::vector<std::string> words;
        const std::string line = string_of(one, name);
        if (!split_words(line, &words) || words.empty()) {
          fail(one, "the words of a command, in quotes where needed", "'" + line + "'");
        }
        step.commands.push_back(std::move(words));
      }
    } else if (name == "inline") {
      for (const toml::node& one : array_of(value, name)) {
        const auto index = static_cast<size_t>(integer_of(one, name, 0, 1'000'000));
        if (step.inline_form.size() <= index) step.inline_form.resize(index + 1);
        step.inline_form[index] = 1;
      }
    } else if (name == "cut") {
      step.cut = static_cast<uint64_t>(integer_of(value, name, 0, kMost));
    } else if (name == "hang_up") {
      step.hangs_up = boolean_of(value, name);
    } else if (name == "farewell") {
      step.farewell = boolean_of(value, name);
    } else {
      unknown(key, "[[step]]",
              {"node", "client", "at", "pauses", "send", "inline", "cut", "hang_up", "farewell"});
    }
  }
  step.inline_form.resize(step.commands.size());
  return step;
}

void read_steps(const toml::node& node, ScenarioSpec& spec) {
  spec.script.emplace();
  for (const toml::node& one : array_of(node, "step")) {
    const toml::table& table = table_of(one, "a step");
    spec.script->push_back(step_of(table));
    const ScriptStep& step = spec.script->back();
    if (step.commands.empty() && step.pauses.empty()) {
      fail(one, "commands to send", "a step without");
    }
  }
}

void read_checkers(const toml::node& node, ScenarioSpec& spec) {
  spec.checkers = strings_of(node, "checkers");
  std::vector<std::string_view> names;
  for (const Named& row : all_checkers()) names.push_back(row.name);
  size_t at = 0;
  for (const std::string& name : spec.checkers) {
    const bool known = std::find(names.begin(), names.end(), name) != names.end();
    if (!known) fail((*node.as_array())[at], "one of " + listed(names), "'" + name + "'");
    ++at;
  }
}

void read_story(const toml::node& node, ScenarioSpec& spec) {
  spec.story = string_of(node, "story");
  const auto known = story_names();
  if (std::find(known.begin(), known.end(), spec.story) != known.end()) return;
  fail(node, "one of " + listed({known.begin(), known.end()}), "'" + spec.story + "'");
}

void read_unlucky(const toml::node& node, ScenarioSpec& spec) {
  std::vector<std::string_view> names;
  for (const PlaceRow& row : unlucky_rows()) names.push_back(row.name);
  spec.unlucky.emplace();
  for (const auto& [key, value] : table_of(node, "unlucky")) {
    const auto at = std::find(names.begin(), names.end(), key.str());
    if (at == names.end()) unknown(key, "[unlucky]", names);
    (*spec.unlucky)[static_cast<size_t>(at - names.begin())] =
        integer_of(value, std::string(key.str()), 0, 1'000'000);
  }
}

void read_plant(const toml::node& node, ScenarioSpec& spec) {
  spec.plant = string_of(node, "plant");
  if (find_plant(spec.plant) == nullptr) {
    fail(node, "a planted bug (see redoubt-sim list)", "'" + spec.plant + "'");
  }
}

void read(const toml::table& table, ScenarioSpec& spec) {
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    if (name == "name") {
      spec.name = string_of(value, name);
    } else if (name == "description") {
      spec.description = string_of(value, name);
    } else if (name == "story") {
      read_story(value, spec);
    } else if (name == "checkers") {
      read_checkers(value, spec);
    } else if (name == "topology" || name == "workload" || name == "memory" || name == "length") {
      read_numbers(name, value, spec);
    } else if (name == "config") {
      read_config(value, spec);
    } else if (name == "faults") {
      read_faults(value, spec);
    } else if (name == "unlucky") {
      read_unlucky(value, spec);
    } else if (name == "seed") {
      spec.seed = static_cast<uint64_t>(integer_of(value, name, 0, INT64_MAX));
    } else if (name == "plant") {
      read_plant(value, spec);
    } else if (name == "fails") {
      spec.fails = string_of(value, name);
    } else if (name == "digest") {
      spec.digest = string_of(value, name);
    } else if (name == "step") {
      read_steps(value, spec);
    } else if (name == "strikes") {
      spec.strikes = parsed<FaultStrike>(value, name, parse_strike);
    } else if (name == "windows") {
      spec.windows = parsed<FaultWindow>(value, name, parse_window);
    } else {
      unknown(key, "a scenario file",
              {"name", "description", "story", "checkers", "topology", "workload", "memory",
               "length", "config", "faults", "unlucky", "seed", "plant", "fails", "digest", "step",
               "strikes", "windows"});
    }
  }
}

}  // namespace

std::optional<ScenarioSpec> parse_scenario(std::string_view file, std::string_view text,
                                           std::string* error) {
  const auto say = [&](const toml::source_region& where, std::string_view what) {
    *error = std::string(file) + ":" + std::to_string(where.begin.line) + ": " + std::string(what);
  };
  try {
    const toml::table table = toml::parse(text, file);
    ScenarioSpec spec;
    read(table, spec);
    if (spec.name.empty()) {
      *error = std::string(file) + ":1: expected a name for the scenario: name = \"...\"";
      return std::nullopt;
    }
    return spec;
  } catch (const toml::parse_error& wrong) {
    say(wrong.source(), wrong.description());
  } catch (const Wrong& wrong) {
    say(wrong.where, wrong.what);
  }
  return std::nullopt;
}

// --- Durations

std::string duration_text(Duration duration) {
  struct Unit {
    int64_t ns;
    const char* name;
  };
  constexpr Unit kUnits[] = {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}};
  // Whole in one of the units, or seconds with a point.
  for (const Unit& unit : kUnits) {
    const bool small = duration.ns / unit.ns < 100'000;
    if (duration.ns % unit.ns == 0 && small)
      return std::to_string(duration.ns / unit.ns) + unit.name;
  }
  std::string digits = std::to_string(duration.ns % 1'000'000'000);
  digits.insert(0, 9 - digits.size(), '0');
  return std::to_string(duration.ns / 1'000'000'000) + "." + digits + "s";
}

std::optional<Duration> parse_duration(std::string_view text) {
  const size_t unit_at = text.find_first_not_of("0123456789.");
  if (unit_at == 0 || unit_at == std::string_view::npos) return std::nullopt;
  const std::string_view unit = text.substr(unit_at);
  int64_t scale = unit == "s" ? 1'000'000'000 : unit == "ms" ? 1'000'000 : unit == "us" ? 1'000 : 0;
  if (unit == "ns") scale = 1;
  const std::string_view number = text.substr(0, unit_at);
  const size_t point = std::min(number.find('.'), number.size());
  int64_t whole = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + point, whole);
  if (scale == 0 || error != std::errc() || end != number.data() + point) return std::nullopt;
  if (whole > INT64_MAX / scale / 2) return std::nullopt;
  int64_t ns = whole * scale;
  for (const char c : number.substr(std::min(point + 1, number.size()))) {
    if (c == '.') return std::nullopt;
    scale /= 10;
    ns += (c - '0') * scale;
  }
  return Duration{ns};
}

}  // namespace redoubt::sim

// ScenarioSpec as the text of a scenario file.
#include <algorithm>

#include "engine/config/config_text.h"
#include "sim/scenario/spec_file.h"

namespace redoubt::sim {

namespace {

// As TOML has strings: literal where that is possible.
std::string toml_string(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(),
                                 [](char c) { return c >= ' ' && c <= '~' && c != '\''; });
  if (plain && text.find_first_of("\\\"") != std::string_view::npos) {
    return "'" + std::string(text) + "'";
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < ' ' || byte > '~') {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Numbers as numbers, ranges as strings, several alternatives as an array.
std::string toml_choice(const Choice& choice) {
  std::string out;
  size_t count = 0;
  std::string text = choice.text();
  for (size_t from = 0; from <= text.size(); ++count) {
    const size_t bar = std::min(text.find(" | ", from), text.size());
    const std::string one = text.substr(from, bar - from);
    const bool digits = !one.empty() && one.find_first_not_of("-0123456789") == std::string::npos;
    if (count > 0) out += ", ";
    out += digits ? one : toml_string(one);
    from = bar + 3;
  }
  return count == 1 ? out : "[" + out + "]";
}

std::string toml_strings(const std::vector<std::string>& texts, std::string_view indent) {
  std::string out = "[";
  for (const std::string& text : texts) {
    out += "\n" + std::string(indent) + toml_string(text) + ",";
  }
  return out + (texts.empty() ? "]" : "\n]");
}

template <typename T>
std::string toml_lines(const std::vector<T>& all, std::string (*text_of)(const T&)) {
  std::vector<std::string> lines;
  lines.reserve(all.size());
  for (const T& one : all) lines.push_back(text_of(one));
  return toml_strings(lines, "  ");
}

std::string numbers_text(const ScenarioSpec& spec) {
  std::string out;
  std::string_view table;
  for (size_t i = 0; i < kNumberCount; ++i) {
    const NumberRow& row = number_rows()[i];
    const bool families = row.table == "workload" && !spec.families.empty();
    if (spec.numbers[i].text() == row.initial && !families) continue;
    if (row.table != table) {
      table = row.table;
      out += "\n[" + std::string(table) + "]\n";
      if (families) {
        out += "families = { ";
        for (const auto& [name, weight] : spec.families) {
          out += (&name == &spec.families[0].first ? "" : ", ") + name + " = " +
                 std::to_string(weight);
        }
        out += " }\n";
      }
    }
    if (spec.numbers[i].text() == row.initial) continue;
    out += std::string(row.name) + " = " + toml_choice(spec.numbers[i]) + "\n";
  }
  return out;
}

std::string faults_table(const ScenarioSpec& spec) {
  if (spec.swarm.empty() && spec.faults.empty()) return {};
  std::string out = "\n[faults]\n";
  if (!spec.swarm.empty()) {
    std::vector<std::string> names;
    names.reserve(spec.swarm.size());
    for (const FaultRow* row : spec.swarm) names.emplace_back(row->name);
    out += "swarm = " + toml_strings(names, "  ") + "\n";
  }
  for (const FaultChoice& fault : spec.faults) {
    out += std::string(fault.row->name) + " = " + toml_choice(fault.choice) + "\n";
  }
  return out;
}

}  // namespace

std::string step_text(const ScriptStep& step) {
  std::string out = "\n[[step]]\n";
  if (step.node > 0) out += "node = " + std::to_string(step.node) + "\n";
  out += "client = " + std::to_string(step.client) + "\n";
  out += "at = " + toml_string(duration_text(step.at - Instant())) + "\n";
  if (!step.pauses.empty()) {
    out += "pauses = [";
    for (const Duration& pause : step.pauses) {
      out += (&pause == &step.pauses[0] ? "" : ", ") + toml_string(duration_text(pause));
    }
    out += "]\n";
  }
  std::vector<std::string> lines;
  lines.reserve(step.commands.size());
  std::string inline_form;
  for (size_t i = 0; i < step.commands.size(); ++i) {
    std::string line;
    for (const std::string& word : step.commands[i]) {
      line += (line.empty() ? "" : " ") + quote_word(word);
    }
    lines.push_back(std::move(line));
    if (i < step.inline_form.size() && step.inline_form[i] != 0) {
      inline_form += (inline_form.empty() ? "" : ", ") + std::to_string(i);
    }
  }
  out += "send = " +
         (lines.size() == 1 ? "[" + toml_string(lines[0]) + "]" : toml_strings(lines, "  ")) + "\n";
  if (!inline_form.empty()) out += "inline = [" + inline_form + "]\n";
  if (step.cut > 0) out += "cut = " + std::to_string(step.cut) + "\n";
  if (step.hangs_up) out += "hang_up = true\n";
  if (step.farewell) out += "farewell = true\n";
  return out;
}

std::string scenario_text(const ScenarioSpec& spec, std::string_view comment) {
  std::string out;
  for (size_t from = 0; from < comment.size();) {
    const size_t end = std::min(comment.find('\n', from), comment.size());
    out += "# " + std::string(comment.substr(from, end - from)) + "\n";
    from = end + 1;
  }
  out += "name = " + toml_string(spec.name) + "\n";
  if (!spec.description.empty()) out += "description = " + toml_string(spec.description) + "\n";
  if (!spec.story.empty()) out += "story = " + toml_string(spec.story) + "\n";
  if (spec.seed) out += "seed = " + std::to_string(*spec.seed) + "\n";
  if (!spec.plant.empty()) out += "plant = " + toml_string(spec.plant) + "\n";
  if (!spec.fails.empty()) out += "fails = " + toml_string(spec.fails) + "\n";
  if (!spec.checkers.empty()) out += "checkers = " + toml_strings(spec.checkers, "  ") + "\n";
  if (!spec.digest.empty()) out += "digest = " + toml_string(spec.digest) + "\n";
  if (spec.strikes) out += "strikes = " + toml_lines(*spec.strikes, strike_text) + "\n";
  if (spec.windows) out += "windows = " + toml_lines(*spec.windows, window_text) + "\n";
  if (spec.script && spec.script->empty()) out += "step = []\n";
  out += numbers_text(spec);
  if (!spec.config.empty()) out += "\n[config]\n";
  for (const auto& [name, choice] : spec.config) out += name + " = " + toml_choice(choice) + "\n";
  out += faults_table(spec);
  if (spec.unlucky) {
    out += "\n[unlucky]\n";
    for (size_t i = 0; i < kUnluckyCount; ++i) {
      if ((*spec.unlucky)[i] == 0) continue;
      out +=
          std::string(unlucky_rows()[i].name) + " = " + std::to_string((*spec.unlucky)[i]) + "\n";
    }
  }
  if (spec.script) {
    for (const ScriptStep& step : *spec.script) out += step_text(step);
  }
  return out;
}

}  // namespace redoubt::sim

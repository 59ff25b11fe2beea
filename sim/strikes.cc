#include "sim/strikes.h"

#include <algorithm>
#include <charconv>

namespace redoubt::sim {

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMillisecond = 1'000'000;

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

// Exact: "200ms" below ten seconds when it is so many, otherwise seconds, "1.234567891s".
std::string nanoseconds_text(int64_t ns) {
  if (ns % kMillisecond == 0 && ns % kSecond != 0 && ns < 10 * kSecond) {
    return std::to_string(ns / kMillisecond) + "ms";
  }
  std::string text = std::to_string(ns / kSecond);
  if (const int64_t rest = ns % kSecond; rest != 0) {
    const std::string digits = std::to_string(rest);
    text += "." + std::string(9 - digits.size(), '0') + digits;
    while (text.back() == '0') text.pop_back();
  }
  return text + "s";
}

bool parse_number(std::string_view text, int64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

// "1.5s", "200ms", "30us", "7ns"; not below zero, at most 100 years, nothing finer than 1 ns.
bool parse_nanoseconds(std::string_view text, int64_t* ns) {
  const size_t digits_end = text.find_first_not_of("0123456789.");
  if (digits_end == std::string_view::npos) return false;
  const std::string_view unit = text.substr(digits_end);
  const int64_t scale = unit == "s"    ? kSecond
                        : unit == "ms" ? kMillisecond
                        : unit == "us" ? 1'000
                        : unit == "ns" ? 1
                                       : 0;
  const std::string_view number = text.substr(0, digits_end);
  const size_t point = number.find('.');
  int64_t whole = 0;
  if (scale == 0 || !parse_number(number.substr(0, point), &whole)) return false;
  constexpr int64_t kLongest = int64_t{100} * 365 * 86'400 * kSecond;
  if (whole > kLongest / scale) return false;
  *ns = whole * scale;
  if (point == std::string_view::npos) return true;
  const std::string_view fraction = number.substr(point + 1);
  if (fraction.empty()) return false;
  int64_t place = scale;
  for (const char c : fraction) {
    if (c == '.' || place % 10 != 0) return false;
    place /= 10;
    *ns += (c - '0') * place;
  }
  return true;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (!word.empty()) words.push_back(word);
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
  }
  return words;
}

std::string_view amount_unit(Fault fault) {
  return fault == Fault::clock_jump ? "ms" : "";
}

bool is_keyword(std::string_view word) {
  constexpr std::string_view kKeywords[] = {"with", "deaf", "mute", "by", "at", "for"};
  return std::find(std::begin(kKeywords), std::end(kKeywords), word) != std::end(kKeywords);
}

// The words behind fault and host.
std::string parse_details(std::span<const std::string_view> words, FaultStrike* strike) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "with") {
      while (i + 1 < words.size() && !is_keyword(words[i + 1])) {
        strike->others.emplace_back(words[++i]);
      }
      continue;
    }
    if (word == "deaf" || word == "mute") {
      strike->amount = word == "deaf" ? -1 : 1;
      continue;
    }
    if (!is_keyword(word)) return "there is no place for " + quoted(word) + " in a strike";
    if (++i == words.size()) return "something is to follow " + quoted(word);
    std::string_view value = words[i];
    if (word == "at" && !parse_nanoseconds(value, &strike->at.ns)) {
      return "a strike is at a time such as 1.5s or 20ms, not " + quoted(value);
    }
    if (word == "for" && !parse_nanoseconds(value, &strike->lasts.ns)) {
      return "a strike lasts for a time such as 1.5s or 20ms, not " + quoted(value);
    }
    if (word != "by") continue;
    const std::string_view unit = amount_unit(strike->fault);
    if (!unit.empty() && value.ends_with(unit)) value.remove_suffix(unit.size());
    if (!parse_number(value, &strike->amount)) {
      return "a strike is by a number, not " + quoted(words[i]);
    }
  }
  return {};
}

}  // namespace

bool lasts(Fault fault) {
  return fault != Fault::net_half_open && fault != Fault::clock_jump && fault != Fault::disk_rot;
}

std::string strike_text(const FaultStrike& strike) {
  std::string text = std::string(fault_row(strike.fault).name) + " " + strike.host;
  if (!strike.others.empty()) text += " with";
  for (const std::string& other : strike.others) text += " " + other;
  if (strike.fault == Fault::net_one_way) {
    text += strike.amount < 0 ? " deaf" : " mute";
  } else if (strike.amount != 0) {
    text += " by " + std::to_string(strike.amount) + std::string(amount_unit(strike.fault));
  }
  text += " at " + nanoseconds_text(strike.at.ns);
  if (strike.lasts.ns > 0) text += " for " + nanoseconds_text(strike.lasts.ns);
  return text;
}

std::string parse_strike(std::string_view text, FaultStrike* strike) {
  const std::vector<std::string_view> words = words_of(text);
  if (words.size() < 2) return "a strike begins with a fault and a host, not " + quoted(text);
  const FaultRow* row = find_fault(words[0]);
  if (row == nullptr || row->kind != FaultKind::timed) {
    return "there is no timed fault " + quoted(words[0]) + "; see redoubt-sim list";
  }
  FaultStrike read;
  read.fault = static_cast<Fault>(row - fault_rows().data());
  read.host = words[1];
  const std::string error = parse_details(std::span(words).subspan(2), &read);
  if (!error.empty()) return error;
  if (read.lasts.ns > 0 && !lasts(read.fault)) return std::string(row->name) + " has no end";
  if (read.lasts.ns == 0 && lasts(read.fault)) {
    return std::string(row->name) + " lasts for some time: 'for 20ms'";
  }
  if (read.fault == Fault::net_one_way && read.amount == 0) {
    return "net_one_way makes its host 'deaf' or 'mute'";
  }
  *strike = std::move(read);
  return {};
}

std::string window_text(const FaultWindow& window) {
  std::string text = std::string(fault_row(window.fault).name) + "=" +
                     std::to_string(window.value) + " from " + nanoseconds_text(window.from.ns);
  if (window.until == Instant::never()) return text + " until end";
  return text + " until " + nanoseconds_text(window.until.ns);
}

std::string parse_window(std::string_view text, FaultWindow* window) {
  const std::vector<std::string_view> words = words_of(text);
  const bool form = words.size() == 5 && words[1] == "from" && words[3] == "until";
  if (!form) return "a window is 'name=value from 0s until 12.5s', not " + quoted(text);
  FaultOptions options;
  const std::string error = set_fault(options, words[0]);
  if (!error.empty()) return error;
  const std::string_view name = words[0].substr(0, words[0].find('='));
  const FaultRow* row = find_fault(name);
  if (row->kind != FaultKind::chance && row->kind != FaultKind::level) {
    return std::string(name) + " has no windows: it is no fault of chance and no level";
  }
  FaultWindow read;
  read.fault = static_cast<Fault>(row - fault_rows().data());
  read.value = options.*row->field;
  if (!parse_nanoseconds(words[2], &read.from.ns) ||
      (words[4] != "end" && !parse_nanoseconds(words[4], &read.until.ns))) {
    return "a window is from and until a time such as 1.5s or 20ms, not in " + quoted(text);
  }
  *window = read;
  return {};
}

std::vector<FaultWindow> whole_run(const FaultOptions& options) {
  std::vector<FaultWindow> windows;
  for (size_t i = 0; i < kFaultCount; ++i) {
    const FaultKind kind = fault_rows()[i].kind;
    const auto fault = static_cast<Fault>(i);
    const int64_t value = value_of(options, fault);
    if (kind == FaultKind::timed || value == 0) continue;
    windows.push_back({fault, value, Instant(), Instant::never()});
  }
  return windows;
}

}  // namespace redoubt::sim

#include "tests/source/symbols.h"

#include <algorithm>
#include <array>
#include <set>

namespace redoubt::source {

namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

bool matches(const Symbol& symbol, const Allowed& allowed) {
  if (!allowed.object.empty() &&
      ("|" + allowed.object + "|").find("|" + symbol.object + "|") == std::string::npos) {
    return false;
  }
  const std::string_view name = allowed.name;
  if (name.ends_with('*')) return symbol.name.starts_with(name.substr(0, name.size() - 1));
  return symbol.name == name;
}

bool is_mutable_section(std::string_view section) {
  if (section.starts_with(".data.rel.ro")) return false;
  return section.starts_with(".data") || section.starts_with(".bss") ||
         section.starts_with(".tdata") || section.starts_with(".tbss") || section == "*COM*";
}

// Not ours, and never written: fast_float's volatile constant keeps the compiler from knowing it;
// the frame of std::noop_coroutine(), which a coroutine of libstdc++ ends with.
constexpr std::array<std::string_view, 2> kHarmless = {
    "_ZZN10fast_float6detail17rounds_to_nearestEvE4fmin",
    "_ZNSt7__n486116coroutine_handleINS_22noop_coroutine_promiseEE5_S_frE"};

std::set<std::string_view> defined_in(const std::vector<Symbol>& symbols) {
  std::set<std::string_view> defined;
  for (const Symbol& symbol : symbols) {
    if (!symbol.undefined()) defined.insert(symbol.name);
  }
  return defined;
}

}  // namespace

// "Symbols from libredoubt_net.a[env.cc.o]:", then rows "name|value|class|type|size|line|section".
std::vector<Symbol> parse_symbols(std::string_view nm_output) {
  std::vector<Symbol> symbols;
  std::string object;
  for (std::string_view line : split_lines(nm_output)) {
    if (line.ends_with("]:")) {
      const size_t open = line.rfind('[');
      object = line.substr(open + 1, line.size() - open - 3);
      continue;
    }
    const size_t first = line.find('|');
    const size_t last = line.rfind('|');
    if (first == std::string_view::npos || first == last) continue;
    symbols.push_back({std::string(trimmed(line.substr(0, first))), object,
                       std::string(trimmed(line.substr(last + 1)))});
  }
  return symbols;
}

std::vector<Allowed> parse_allowed(std::string_view text) {
  std::vector<Allowed> allowed;
  for (std::string_view line : split_lines(text)) {
    const std::string_view words = trimmed(line.substr(0, line.find('#')));
    const size_t space = std::min(words.find(' '), words.size());
    if (words.empty()) continue;
    allowed.push_back(
        {std::string(words.substr(0, space)), std::string(trimmed(words.substr(space)))});
  }
  return allowed;
}

std::vector<Finding> check_undefined(const std::vector<Symbol>& symbols,
                                     const std::vector<Allowed>& allowed) {
  const std::set<std::string_view> defined = defined_in(symbols);
  std::vector<Finding> findings;
  std::set<std::string_view> told;
  for (const Symbol& symbol : symbols) {
    if (!symbol.undefined() || defined.contains(symbol.name)) continue;
    const bool is_allowed =
        std::ranges::any_of(allowed, [&](const Allowed& one) { return matches(symbol, one); });
    if (is_allowed || !told.insert(symbol.name).second) continue;
    findings.push_back({symbol.object, 0, "asks for " + symbol.name});
  }
  return findings;
}

std::vector<Finding> check_allowed_in_use(const std::vector<Symbol>& symbols,
                                          const std::vector<Allowed>& allowed) {
  std::vector<Finding> findings;
  for (const Allowed& one : allowed) {
    const bool used = std::ranges::any_of(
        symbols, [&](const Symbol& symbol) { return symbol.undefined() && matches(symbol, one); });
    if (!used) findings.push_back({"tests/source/allowed_symbols.txt", 0, "not used: " + one.name});
  }
  return findings;
}

std::vector<Finding> check_globals(const std::vector<Symbol>& symbols) {
  std::vector<Finding> findings;
  for (const Symbol& symbol : symbols) {
    if (is_mutable_section(symbol.section) &&
        std::ranges::find(kHarmless, symbol.name) == kHarmless.end()) {
      // gcc 12 puts `constexpr std::array x = {...}` there unless its type is spelled out.
      findings.push_back({symbol.object, 0, symbol.name + " is in " + symbol.section});
    }
  }
  return findings;
}

}  // namespace redoubt::source

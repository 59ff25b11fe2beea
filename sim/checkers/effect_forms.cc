#include "sim/checkers/effect_forms.h"

#include <algorithm>

#include "sim/model/call.h"
#include "sim/model/resp_value.h"

namespace redoubt::sim {

namespace {

// By the clock: they say from now on.
constexpr std::string_view kRelative[] = {
    "EXPIRE",   "PEXPIRE",   "EXPIREAT", "SETEX",    "PSETEX",    "GETEX",  "HEXPIRE",
    "HPEXPIRE", "HEXPIREAT", "SEXPIRE",  "SPEXPIRE", "SEXPIREAT", "HGETEX", "INCREX"};
// By chance, by rounding, or by what else is there.
constexpr std::string_view kOpen[] = {
    "SPOP",     "INCRBYFLOAT", "HINCRBYFLOAT", "XREADGROUP", "XREAD",      "XAUTOCLAIM", "LMPOP",
    "ZMPOP",    "BLPOP",       "BRPOP",        "BLMOVE",     "BRPOPLPUSH", "BLMPOP",     "BLMOVEM",
    "BZPOPMIN", "BZPOPMAX",    "BZMPOP",       "RANDOMKEY",  "SRANDMEMBER"};

template <size_t N>
bool is_among(std::string_view word, const std::string_view (&names)[N]) {
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view name) { return same_word(word, name); });
}

// One of the words from argument `first` to `last` is EX, PX or EXAT.
bool has_relative_option(std::span<const std::string_view> words, size_t first, size_t last) {
  constexpr std::string_view kOptions[] = {"EX", "PX", "EXAT"};
  for (size_t i = first; i < std::min(last, words.size()); ++i) {
    if (is_among(words[i], kOptions)) return true;
  }
  return false;
}

size_t place_of(std::span<const std::string_view> words, std::string_view wanted, size_t from) {
  size_t i = from;
  while (i < words.size() && !same_word(words[i], wanted)) ++i;
  return i;
}

// XADD key [options] id ..., XTRIM key options.
std::string_view wrong_stream_form(std::span<const std::string_view> words) {
  constexpr std::string_view kTrims[] = {"MAXLEN", "MINID"};
  constexpr std::string_view kAlone[] = {"NOMKSTREAM", "KEEPREF", "DELREF", "ACKED"};
  for (size_t i = 2; i < words.size(); ++i) {
    if (is_among(words[i], kTrims)) {
      if (i + 1 < words.size() && words[i + 1] == "~") return "trims about so many";
      i += i + 1 < words.size() && words[i + 1] == "=" ? 2 : 1;
    } else if (same_word(words[i], "IDMP")) {
      i += 2;
    } else if (same_word(words[i], "IDMPAUTO") || same_word(words[i], "LIMIT")) {
      ++i;
    } else if (!is_among(words[i], kAlone)) {
      const bool open = same_word(words[0], "XADD") && words[i].ends_with('*');
      return open ? "leaves the id open" : "";
    }
  }
  return "";
}

}  // namespace

std::string wrong_effect_form(std::span<const std::string_view> words) {
  const std::string_view name = words[0];
  std::string_view why;
  if (is_among(name, kRelative)) why = "says a time that is not absolute, in milliseconds";
  if (is_among(name, kOpen)) why = "leaves open what is done";
  const bool has_time =
      (same_word(name, "SET") && has_relative_option(words, 3, SIZE_MAX)) ||
      (same_word(name, "HSETEX") && has_relative_option(words, 2, place_of(words, "FIELDS", 2))) ||
      (same_word(name, "RESTORE") && place_of(words, "ABSTTL", 4) == words.size() &&
       words.size() > 2 && words[2] != "0");
  if (has_time) why = "says a time that is not absolute, in milliseconds";
  if (same_word(name, "MSETEX") && words.size() > 1) {
    const std::optional<int64_t> keys = parse_integer(words[1]);
    const size_t options = keys ? 2 + 2 * static_cast<size_t>(*keys) : words.size();
    if (has_relative_option(words, options, SIZE_MAX)) why = "says a time that is not absolute";
  }
  if (same_word(name, "XADD") || same_word(name, "XTRIM")) {
    const std::string_view stream = wrong_stream_form(words);
    if (!stream.empty()) why = stream;
  }
  if (same_word(name, "XCLAIM") && place_of(words, "TIME", 5) == words.size()) {
    why = "does not say when it was delivered";
  }
  return std::string(why);
}

void EffectFormChecker::effect(std::span<const std::string_view> words) {
  const std::string why = wrong_effect_form(words);
  if (why.empty()) return;
  std::string text;
  for (const std::string_view word : words.subspan(0, std::min<size_t>(words.size(), 8))) {
    text += (text.empty() ? "" : " ") + quote_bytes(word.substr(0, 60));
  }
  report("effects", "an effect that gives the same wherever and whenever it is applied",
         text + ": it " + why);
}

}  // namespace redoubt::sim

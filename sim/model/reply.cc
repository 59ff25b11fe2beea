#include "sim/model/reply.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "sim/model/resp_value.h"

namespace redoubt::sim {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

using Views = std::vector<std::string_view>;

Views sorted_views(const std::vector<std::string>& texts) {
  Views views(texts.begin(), texts.end());
  std::sort(views.begin(), views.end());
  return views;
}

// The texts of an array or set of bulk strings; false: it is something else.
bool bulk_texts(std::string_view reply, Views& texts) {
  if ((reply[0] != '*' && reply[0] != '~') || !split_resp(reply, texts)) {
    return false;
  }
  for (std::string_view& text : texts) {
    const std::optional<std::string_view> bulk = resp_bulk_text(text);
    if (!bulk) {
      return false;
    }
    text = *bulk;
  }
  return true;
}

bool matches_unordered(std::string_view reply, const std::vector<std::string>& expected) {
  Views seen;
  if (!bulk_texts(reply, seen)) {
    return false;
  }
  std::sort(seen.begin(), seen.end());
  return seen == sorted_views(expected);
}

// The elements as RESP, `width` values each. False: they do not come out even, or it is not an
// aggregate of this type.
bool split_elements(std::string_view reply, char type, size_t width, Views& elements) {
  Views values;
  if (reply.empty() || reply[0] != type || !split_resp(reply, values) ||
      values.size() % width != 0) {
    return false;
  }
  elements.reserve(values.size() / width);
  for (size_t i = 0; i < values.size(); i += width) {
    const char* end = values[i + width - 1].data() + values[i + width - 1].size();
    elements.emplace_back(values[i].data(), static_cast<size_t>(end - values[i].data()));
  }
  return true;
}

bool matches_some(std::string_view reply, const ModelReply& expected) {
  Views seen;
  if (!split_elements(reply, expected.bytes[0], expected.width, seen) ||
      seen.size() != static_cast<size_t>(expected.low)) {
    return false;
  }
  std::sort(seen.begin(), seen.end());
  const bool repeats = std::adjacent_find(seen.begin(), seen.end()) != seen.end();
  if (repeats && expected.rule != ModelReply::Rule::draws) {
    return false;
  }
  const Views allowed = sorted_views(expected.choices);
  return std::all_of(seen.begin(), seen.end(), [&](std::string_view element) {
    return std::binary_search(allowed.begin(), allowed.end(), element);
  });
}

bool matches_scan_page(std::string_view reply, const ModelReply& expected) {
  Views parts;
  if (!split_elements(reply, '*', 1, parts) || parts.size() != 2) {
    return false;
  }
  const std::optional<std::string_view> cursor = resp_bulk_text(parts[0]);
  if (!cursor || !all_digits(*cursor)) {
    return false;
  }
  Views seen;
  const bool whole = expected.width == 1 ? parts[1][0] == '*' && bulk_texts(parts[1], seen)
                                         : split_elements(parts[1], '*', expected.width, seen);
  return whole && std::all_of(seen.begin(), seen.end(), [&](std::string_view element) {
           return std::find(expected.choices.begin(), expected.choices.end(), element) !=
                  expected.choices.end();
         });
}

bool matches_two_bulks(const RespValue& value) {
  return value.kind == RespValue::Kind::array && value.items.size() == 2 &&
         value.items[0].kind == RespValue::Kind::bulk && all_digits(value.items[0].text) &&
         value.items[1].kind == RespValue::Kind::bulk && all_digits(value.items[1].text);
}

std::string describe_choices(const std::vector<std::string>& choices, bool replies) {
  std::string out;
  constexpr size_t shown_max = 40;
  for (size_t i = 0; i < choices.size() && i < shown_max; i++) {
    out += i == 0 ? "" : ", ";
    out += replies ? describe_reply(choices[i]) : quote_bytes(choices[i]);
  }
  if (choices.size() > shown_max) {
    out += ", ... (" + std::to_string(choices.size()) + " in all)";
  }
  return out;
}

}  // namespace

bool ModelReply::matches(std::string_view reply) const {
  if (rule == Rule::exact) {
    return reply == bytes;
  }
  if (rule == Rule::one_of) {
    return std::find(choices.begin(), choices.end(), reply) != choices.end();
  }
  if (reply.empty()) {
    return false;
  }
  if (rule == Rule::unordered) {
    return (bytes.empty() || reply[0] == bytes[0]) && matches_unordered(reply, choices);
  }
  if (rule == Rule::scan_page) {
    return matches_scan_page(reply, *this);
  }
  if (rule == Rule::some || rule == Rule::draws) {
    return matches_some(reply, *this);
  }
  RespValue value;
  if (!parse_resp_exactly(reply, value)) {
    return false;
  }
  switch (rule) {
    case Rule::integer_between:
      return value.kind == RespValue::Kind::integer && value.integer >= low &&
             value.integer <= high;
    case Rule::two_bulks: return matches_two_bulks(value);
    case Rule::not_error: return !value.is_error();
    default: return true;
  }
}

std::string ModelReply::expected_text() const {
  switch (rule) {
    case Rule::exact: return describe_reply(bytes);
    case Rule::one_of: return "one of " + describe_choices(choices, true);
    case Rule::integer_between:
      return "an integer from " + std::to_string(low) + " to " + std::to_string(high);
    case Rule::unordered: return "in any order: " + describe_choices(choices, false);
    case Rule::scan_page: return "a cursor and some of: " + describe_choices(choices, false);
    case Rule::some:
      return std::to_string(low) + " different ones of " + describe_choices(choices, false);
    case Rule::draws: return std::to_string(low) + " of " + describe_choices(choices, false);
    case Rule::two_bulks: return "an array of two numbers";
    case Rule::not_error: return "anything but an error";
    case Rule::anything: return "any reply";
  }
  return "";
}

std::string resp_integer(int64_t number) {
  char text[24];
  text[0] = ':';
  char* end = std::to_chars(text + 1, text + sizeof text, number).ptr;
  std::string out(text, static_cast<size_t>(end - text));
  out += "\r\n";
  return out;
}

std::string resp_bulk(std::string_view text) {
  std::string out = resp_header('$', text.size());
  out.reserve(out.size() + text.size() + 2);
  out += text;
  out += "\r\n";
  return out;
}

std::vector<std::string> resp_bulks(const SortedSet& texts) {
  std::vector<std::string> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) {
    out.push_back(resp_bulk(text));
  }
  return out;
}

std::string resp_null(int resp) {
  return resp == 2 ? "$-1\r\n" : "_\r\n";
}

std::string resp_header(char type, size_t count) {
  std::string out(1, type);
  out += std::to_string(count);
  out += "\r\n";
  return out;
}

ModelReply reply_exact(std::string bytes) {
  ModelReply reply;
  reply.bytes = std::move(bytes);
  return reply;
}

ModelReply reply_ok() {
  return reply_exact("+OK\r\n");
}
ModelReply reply_integer(int64_t number) {
  return reply_exact(resp_integer(number));
}
ModelReply reply_bulk(std::string_view text) {
  return reply_exact(resp_bulk(text));
}
ModelReply reply_null(int resp) {
  return reply_exact(resp_null(resp));
}

ModelReply reply_status(std::string_view text) {
  return reply_exact("+" + std::string(text) + "\r\n");
}

ModelReply reply_error(std::string_view text) {
  // What ends a line does not do so within it.
  std::string line(text);
  std::replace(line.begin(), line.end(), '\r', ' ');
  std::replace(line.begin(), line.end(), '\n', ' ');
  return reply_exact("-" + line + "\r\n");
}

ModelReply reply_one_of(std::vector<std::string> choices) {
  ModelReply reply;
  reply.rule = ModelReply::Rule::one_of;
  reply.choices = std::move(choices);
  return reply;
}

ModelReply reply_integer_between(int64_t low, int64_t high) {
  ModelReply reply;
  reply.rule = ModelReply::Rule::integer_between;
  reply.low = low;
  reply.high = high;
  return reply;
}

ModelReply reply_unordered(std::vector<std::string> elements) {
  ModelReply reply;
  reply.rule = ModelReply::Rule::unordered;
  reply.choices = std::move(elements);
  return reply;
}

ModelReply reply_some(std::vector<std::string> choices, size_t count, char type, size_t width) {
  ModelReply reply = reply_rule(ModelReply::Rule::some);
  reply.bytes.assign(1, type);
  reply.choices = std::move(choices);
  reply.low = static_cast<int64_t>(count);
  reply.width = width;
  return reply;
}

ModelReply reply_draws(std::vector<std::string> choices, size_t count, size_t width) {
  ModelReply reply = reply_some(std::move(choices), count, '*', width);
  reply.rule = ModelReply::Rule::draws;
  return reply;
}

ModelReply reply_rule(ModelReply::Rule rule) {
  ModelReply reply;
  reply.rule = rule;
  return reply;
}

}  // namespace redoubt::sim

#include "sim/model/resp_value.h"

#include <charconv>

namespace redoubt::sim {
namespace {

// A line's end is searched no further than this: no header or simple string of ours is longer.
constexpr size_t line_bytes_max = size_t{1} << 20;
constexpr int64_t bulk_bytes_max = int64_t{1} << 30;
constexpr int64_t items_max = int64_t{1} << 31;

// The line at `from`, without its CR LF; `next` is what follows.
RespParse read_line(std::string_view bytes, size_t from, std::string_view& line, size_t& next) {
  size_t cr = bytes.find('\r', from);
  if (cr == std::string_view::npos || cr + 1 >= bytes.size()) {
    return bytes.size() - from > line_bytes_max ? RespParse::invalid : RespParse::incomplete;
  }
  if (bytes[cr + 1] != '\n') {
    return RespParse::invalid;
  }
  line = bytes.substr(from, cr - from);
  next = cr + 2;
  return RespParse::complete;
}

bool read_number(std::string_view text, int64_t& number) {
  if (!text.empty() && text[0] == '+') {
    text.remove_prefix(1);
  }
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool is_line_type(char type) {
  return type == '+' || type == '-' || type == ':' || type == ',' || type == '#' || type == '(' ||
         type == '_';
}

bool is_bulk_type(char type) {
  return type == '$' || type == '!' || type == '=';
}

// How many values follow the header of an aggregate, for one counted item; 0 for no aggregate.
uint64_t values_per_item(char type) {
  switch (type) {
    case '*':
    case '~':
    case '>': return 1;
    case '%':
    case '|': return 2;
    default: return 0;
  }
}

RespValue::Kind kind_of(char type) {
  switch (type) {
    case '+': return RespValue::Kind::simple;
    case '-': return RespValue::Kind::error;
    case ':': return RespValue::Kind::integer;
    case ',': return RespValue::Kind::real;
    case '#': return RespValue::Kind::boolean;
    case '(': return RespValue::Kind::big_number;
    case '$': return RespValue::Kind::bulk;
    case '!': return RespValue::Kind::bulk_error;
    case '=': return RespValue::Kind::verbatim;
    case '*': return RespValue::Kind::array;
    case '~': return RespValue::Kind::set;
    case '>': return RespValue::Kind::push;
    case '%': return RespValue::Kind::map;
    case '|': return RespValue::Kind::attribute;
    default: return RespValue::Kind::null;
  }
}

// One header understood: what comes after its line.
struct Header {
  char type = 0;
  std::string_view line;  // without the type byte
  size_t next = 0;        // the byte after the line
  size_t bulk_bytes = 0;  // payload that follows, without its CR LF
  bool has_payload = false;
  bool is_null = false;
  uint64_t values = 0;  // values that follow
};

RespParse read_header(std::string_view bytes, size_t from, Header& header) {
  if (from >= bytes.size()) {
    return RespParse::incomplete;
  }
  header.type = bytes[from];
  const uint64_t per_item = values_per_item(header.type);
  if (!is_line_type(header.type) && !is_bulk_type(header.type) && per_item == 0) {
    return RespParse::invalid;
  }
  RespParse parse = read_line(bytes, from + 1, header.line, header.next);
  if (parse != RespParse::complete) {
    return parse;
  }
  int64_t number = 0;
  switch (header.type) {
    case '+':
    case '-':
    case ',':
    case '(': return RespParse::complete;
    case '_':
      header.is_null = true;
      return header.line.empty() ? RespParse::complete : RespParse::invalid;
    case '#':
      return header.line == "t" || header.line == "f" ? RespParse::complete : RespParse::invalid;
    default: break;
  }
  if (!read_number(header.line, number)) {
    return RespParse::invalid;
  }
  if (header.type == ':') {
    return RespParse::complete;
  }
  if (number == -1 && (header.type == '$' || header.type == '*')) {
    header.is_null = true;
    return RespParse::complete;
  }
  if (number < 0 || number > (per_item != 0 ? items_max : bulk_bytes_max)) {
    return RespParse::invalid;
  }
  header.has_payload = per_item == 0;
  header.bulk_bytes = header.has_payload ? static_cast<size_t>(number) : 0;
  // An attribute is followed by the value that it belongs to.
  header.values = static_cast<uint64_t>(number) * per_item + (header.type == '|' ? 1 : 0);
  return RespParse::complete;
}

RespParse check_payload(std::string_view bytes, const Header& header, size_t& next) {
  if (bytes.size() - header.next < header.bulk_bytes + 2) {
    return RespParse::incomplete;
  }
  if (bytes.substr(header.next + header.bulk_bytes, 2) != "\r\n") {
    return RespParse::invalid;
  }
  next = header.next + header.bulk_bytes + 2;
  return RespParse::complete;
}

RespParse parse_at(std::string_view bytes, size_t& position, RespValue& value, int depth) {
  if (depth > resp_depth_max) {
    return RespParse::invalid;
  }
  Header header;
  RespParse parse = read_header(bytes, position, header);
  if (parse != RespParse::complete) {
    return parse;
  }
  value = RespValue();
  value.kind = header.is_null ? RespValue::Kind::null : kind_of(header.type);
  size_t next = header.next;
  if (header.is_null) {
    value.text = header.type;
    value.text += header.line;
  } else if (header.has_payload) {
    parse = check_payload(bytes, header, next);
    if (parse != RespParse::complete) {
      return parse;
    }
    value.text = bytes.substr(header.next, header.bulk_bytes);
  } else if (is_line_type(header.type)) {
    value.text = header.line;
    if (header.type == ':') {
      read_number(header.line, value.integer);
    } else if (header.type == '#') {
      value.integer = header.line == "t" ? 1 : 0;
    }
  }
  for (uint64_t i = 0; i < header.values; i++) {
    parse = parse_at(bytes, next, value.items.emplace_back(), depth + 1);
    if (parse != RespParse::complete) {
      return parse;
    }
  }
  position = next;
  return RespParse::complete;
}

void append_items(const RespValue& value, char open, char close, std::string& out) {
  const bool pairs = value.kind == RespValue::Kind::map || value.kind == RespValue::Kind::attribute;
  out += open;
  for (size_t i = 0; i < value.items.size(); i++) {
    if (i > 0) {
      out += pairs && i % 2 == 1 ? ": " : ", ";
    }
    out += describe_resp(value.items[i]);
  }
  out += close;
}

}  // namespace

RespParse parse_resp(std::string_view bytes, RespValue& value, size_t& used) {
  size_t position = 0;
  RespParse parse = parse_at(bytes, position, value, 0);
  used = parse == RespParse::complete ? position : 0;
  return parse;
}

bool parse_resp_exactly(std::string_view bytes, RespValue& value) {
  size_t used = 0;
  return parse_resp(bytes, value, used) == RespParse::complete && used == bytes.size();
}

bool split_resp(std::string_view bytes, std::vector<std::string_view>& values) {
  Header header;
  if (read_header(bytes, 0, header) != RespParse::complete || header.is_null ||
      header.type == '|' || values_per_item(header.type) == 0) {
    return false;
  }
  std::string_view rest = bytes.substr(header.next);
  for (uint64_t i = 0; i < header.values; i++) {
    ReplyFramer framer;
    size_t end = 0;
    if (framer.find_end(rest, end) != RespParse::complete) {
      return false;
    }
    values.push_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return rest.empty();
}

std::optional<std::string_view> resp_bulk_text(std::string_view bytes) {
  Header header;
  size_t end = 0;
  if (read_header(bytes, 0, header) != RespParse::complete || header.type != '$' ||
      !header.has_payload || check_payload(bytes, header, end) != RespParse::complete ||
      end != bytes.size()) {
    return std::nullopt;
  }
  return bytes.substr(header.next, header.bulk_bytes);
}

RespParse ReplyFramer::find_end(std::string_view buffer, size_t& end) {
  while (pending_ > 0) {
    Header header;
    RespParse parse = read_header(buffer, position_, header);
    size_t next = header.next;
    if (parse == RespParse::complete && header.has_payload) {
      parse = check_payload(buffer, header, next);
    }
    if (parse != RespParse::complete) {
      if (parse == RespParse::invalid) {
        reset();
      }
      return parse;
    }
    position_ = next;
    pending_ = pending_ - 1 + header.values;
  }
  end = position_;
  reset();
  return RespParse::complete;
}

std::string describe_resp(const RespValue& value) {
  std::string out;
  switch (value.kind) {
    case RespValue::Kind::simple: out = "+" + quote_bytes(value.text); break;
    case RespValue::Kind::error: out = "(error) " + quote_bytes(value.text); break;
    case RespValue::Kind::integer: out = "(integer) " + value.text; break;
    case RespValue::Kind::bulk: out = quote_bytes(value.text); break;
    case RespValue::Kind::null: out = "(null " + value.text + ")"; break;
    case RespValue::Kind::array: append_items(value, '[', ']', out); break;
    case RespValue::Kind::map: append_items(value, '{', '}', out); break;
    case RespValue::Kind::set: append_items(value, '~', '~', out); break;
    case RespValue::Kind::push:
      out = "(push) ";
      append_items(value, '[', ']', out);
      break;
    case RespValue::Kind::attribute:
      out = "(attribute) ";
      append_items(value, '{', '}', out);
      break;
    case RespValue::Kind::real: out = "(double) " + value.text; break;
    case RespValue::Kind::boolean: out = value.integer != 0 ? "(true)" : "(false)"; break;
    case RespValue::Kind::big_number: out = "(big number) " + value.text; break;
    case RespValue::Kind::bulk_error: out = "(bulk error) " + quote_bytes(value.text); break;
    case RespValue::Kind::verbatim: out = "(verbatim) " + quote_bytes(value.text); break;
  }
  return out;
}

std::string describe_reply(std::string_view bytes) {
  RespValue value;
  return parse_resp_exactly(bytes, value) ? describe_resp(value)
                                          : "(not a reply) " + quote_bytes(bytes);
}

std::string quote_bytes(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      default:
        if (byte >= 0x20 && byte < 0x7f) {
          out += c;
        } else {
          out += "\\x";
          out += digits[byte >> 4];
          out += digits[byte & 15];
        }
    }
  }
  out += '"';
  return out;
}

}  // namespace redoubt::sim

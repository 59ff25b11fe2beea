#include "net/resp/reply_writer.h"

#include <charconv>

#include "net/double_text.h"

namespace redoubt {

namespace {

// Writes a number and a line end; returns the end. 20 digits at most.
char* number_line(char* to, int64_t value) {
  if (value >= 0 && value < 10) {
    *to++ = static_cast<char>('0' + value);
  } else if (value >= 10 && value < 100) {
    *to++ = static_cast<char>('0' + value / 10);
    *to++ = static_cast<char>('0' + value % 10);
  } else {
    to = std::to_chars(to, to + 20, value).ptr;
  }
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

constexpr size_t kHeaderMax = 1 + 20 + 2;

}  // namespace

void ReplyWriter::line(char type, std::string_view text) {
  char* to = out_->reserve(text.size() + 3);
  *to++ = type;
  for (const char c : text) *to++ = c == '\r' || c == '\n' ? ' ' : c;
  *to++ = '\r';
  *to++ = '\n';
  out_->commit(text.size() + 3);
}

void ReplyWriter::aggregate(char type, size_t count) {
  char* start = out_->reserve(kHeaderMax);
  *start = type;
  const char* end = number_line(start + 1, static_cast<int64_t>(count));
  out_->commit(static_cast<size_t>(end - start));
}

void ReplyWriter::simple(std::string_view text) {
  line('+', text);
}

void ReplyWriter::error(std::string_view text) {
  line('-', text);
}

void ReplyWriter::integer(int64_t value) {
  char* start = out_->reserve(kHeaderMax);
  *start = ':';
  const char* end = number_line(start + 1, value);
  out_->commit(static_cast<size_t>(end - start));
}

void ReplyWriter::bulk(std::string_view bytes) {
  if (bytes.size() > Output::kPieceBytes) [[unlikely]] {
    aggregate('$', bytes.size());
    out_->append(bytes);
    out_->append("\r\n");
    return;
  }
  char* start = out_->reserve(bytes.size() + kHeaderMax + 2);
  *start = '$';
  char* to = number_line(start + 1, static_cast<int64_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  to += bytes.size();
  *to++ = '\r';
  *to++ = '\n';
  out_->commit(static_cast<size_t>(to - start));
}

void ReplyWriter::bulk_integer(int64_t value) {
  char digits[20];
  const char* end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  bulk({digits, static_cast<size_t>(end - digits)});
}

void ReplyWriter::null() {
  out_->append(resp3() ? "_\r\n" : "$-1\r\n");
}

void ReplyWriter::null_array() {
  out_->append(resp3() ? "_\r\n" : "*-1\r\n");
}

void ReplyWriter::boolean(bool value) {
  if (resp3()) {
    out_->append(value ? "#t\r\n" : "#f\r\n");
  } else {
    out_->append(value ? ":1\r\n" : ":0\r\n");
  }
}

void ReplyWriter::real(double value) {
  real_text(DoubleText(value).view());
}

void ReplyWriter::real_text(std::string_view text) {
  resp3() ? line(',', text) : bulk(text);
}

void ReplyWriter::big_number(std::string_view digits) {
  resp3() ? line('(', digits) : bulk(digits);
}

void ReplyWriter::verbatim(std::string_view format, std::string_view text) {
  ASSERT(format.size() == 3);
  if (!resp3()) {
    bulk(text);
    return;
  }
  char* start = out_->reserve(kHeaderMax);
  *start = '=';
  const char* end = number_line(start + 1, static_cast<int64_t>(text.size() + 4));
  out_->commit(static_cast<size_t>(end - start));
  out_->append(format);
  out_->append(":");
  out_->append(text);
  out_->append("\r\n");
}

}  // namespace redoubt

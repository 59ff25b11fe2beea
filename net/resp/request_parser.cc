#include "net/resp/request_parser.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "net/resp/quoted_word.h"

namespace redoubt {

namespace {

// From this size on an argument that is not yet complete gets a Blob of its own.
constexpr size_t kLargeArgument = 64 * 1024;

constexpr int64_t kUnknown = -1;

constexpr size_t kRequestsKept = 4096;
constexpr size_t kArgumentsKept = 16384;

// What is parsed without remembering how far it was understood.
constexpr uint64_t kFewArguments = 64;
constexpr ptrdiff_t kFewDigits = 9;

// The number of "digits\r\n" at `at`, which is moved behind it. 0 when it is not there whole, or
// begins with a zero, or is long: those are RequestParser::header's.
[[gnu::noinline]] uint64_t few_digits(const char*& at, const char* end) {
  if (end - at < 3 || *at == '0') return 0;
  const char* stop = at + std::min(end - at - 1, kFewDigits);
  uint64_t number = 0;
  for (const char* p = at; p < stop; ++p) {
    const auto digit = static_cast<unsigned char>(*p - '0');
    if (digit > 9) {
      if (*p != '\r') return 0;
      at = p + 2;
      return number;
    }
    number = number * 10 + digit;
  }
  return 0;
}

// The same; most numbers have one digit or two.
inline uint64_t short_number(const char*& at, const char* end) {
  if (end - at >= 4) [[likely]] {
    const unsigned first = static_cast<unsigned char>(at[0]) - unsigned{'0'};
    const unsigned second = static_cast<unsigned char>(at[1]) - unsigned{'0'};
    if (first - 1 < 9 && at[1] == '\r') {
      at += 3;
      return first;
    }
    if (first - 1 < 9 && second < 10 && at[2] == '\r') {
      at += 4;
      return first * 10 + second;
    }
  }
  return few_digits(at, end);
}

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\v' || c == '\f';
}

}  // namespace

void RequestBatch::clear() {
  args.clear();
  requests.clear();
  owned.clear();
  // One request of a million arguments should not be remembered for ever.
  if (args.capacity() > kArgumentsKept) args.shrink_to_fit();
  if (requests.capacity() > kRequestsKept) requests.shrink_to_fit();
}

// How far a request has been understood. Offsets are into the bytes that hold it.
struct RequestParser::Progress {
  size_t start = 0;                   // where the request begins
  size_t at = 0;                      // the next byte to look at
  size_t searched = 0;                // no line end before this byte
  int64_t arguments_left = kUnknown;  // kUnknown: the array's header was not read yet
  int64_t bulk_size = kUnknown;       // kUnknown: the next bulk's header was not read yet
  size_t first_arg = 0;               // in RequestBatch::args
  size_t wire_bytes = 0;              // bytes of Blobs
};

// A request that is not complete, or, once retired, storage that arguments point to.
struct RequestParser::Partial {
  struct Piece {
    size_t offset;  // into `bytes`; or index into `blobs`
    size_t size;
    bool in_blob;
  };

  Blob bytes;
  Progress progress;
  std::vector<Piece> pieces;       // arguments read so far
  std::vector<Blob> blobs;         // large arguments; the last may be incomplete
  size_t blob_missing = 0;         // bytes that the last Blob still waits for
  std::vector<std::string> words;  // of inline commands with quotes

  void append(std::string_view more) {
    if (more.empty()) return;
    const size_t size = bytes.size();
    if (size + more.size() > bytes.capacity()) {
      bytes.reserve(size + more.size() + std::min(size, size_t{1} << 20));
    }
    bytes.set_size(size + more.size());
    std::memcpy(bytes.data() + size, more.data(), more.size());
  }
  bool wants_blob() const { return progress.bulk_size >= static_cast<int64_t>(kLargeArgument); }
  // Moves what has come of a large argument, which begins at progress.at, to its final place.
  void begin_blob() {
    const size_t announced = static_cast<size_t>(progress.bulk_size);
    const std::string_view begun = bytes.view().substr(progress.at);
    const size_t present = std::min(begun.size(), announced);
    Blob blob;
    blob.reserve(std::min(announced, std::max(present, kLargeArgument)));
    blob.set_size(present);
    std::memcpy(blob.data(), begun.data(), present);
    blob_missing = announced - present;
    blobs.push_back(std::move(blob));
    std::memmove(bytes.data() + progress.at, begun.data() + present, begun.size() - present);
    bytes.set_size(bytes.size() - present);
  }
  size_t memory_bytes() const {
    size_t sum = sizeof(Partial) + bytes.footprint() + pieces.capacity() * sizeof(Piece);
    for (const Blob& blob : blobs) sum += blob.footprint();
    return sum;
  }
};

RequestParser::RequestParser() = default;
RequestParser::~RequestParser() = default;

void RequestParser::drop_retired() {
  retired_.clear();
}

size_t RequestParser::memory_bytes() const {
  return partial_ == nullptr ? 0 : partial_->memory_bytes();
}

RequestParser::Step RequestParser::fail(std::string message) {
  error_ = "ERR Protocol error: " + std::move(message);
  return Step::error;
}

// Beyond the limits of those who have not authenticated. Who has asked for something before may do
// so with that.
RequestParser::Step RequestParser::beyond_limit(const ParserLimits& limits, const RequestBatch& out,
                                                std::string message) {
  const bool undecided = limits.others_wait || out.requests.size() > first_request_;
  // What is in a Blob already was begun with authentication, which was lost meanwhile.
  const bool has_blobs = partial_ != nullptr && !partial_->blobs.empty();
  return undecided && !has_blobs ? Step::held : fail(std::move(message));
}

// Reads "<sign>digits\r\n" at progress.at. The line end is looked for only in bytes not searched
// before.
RequestParser::Step RequestParser::header(std::string_view bytes, Progress& progress,
                                          int64_t& number, const char* too_long,
                                          const char* invalid) {
  const size_t from = std::max(progress.at, progress.searched);
  const char* found =
      from >= bytes.size()
          ? nullptr
          : static_cast<const char*>(std::memchr(bytes.data() + from, '\r', bytes.size() - from));
  // The limit holds whether the line end has come already or not: segments must not matter.
  const size_t end = found == nullptr ? bytes.size() : static_cast<size_t>(found - bytes.data());
  if (end - progress.at > ParserLimits::kMaxInline) return fail(too_long);
  if (end + 1 >= bytes.size()) {
    progress.searched = end;
    return Step::incomplete;
  }
  const char* first = bytes.data() + progress.at + 1;
  const auto [stop, error] = std::from_chars(first, found, number);
  const bool leading_zero =
      found - first > 1 && (*first == '0' || (*first == '-' && first[1] == '0'));
  if (error != std::errc() || stop != found || leading_zero) return fail(invalid);
  progress.at = static_cast<size_t>(found - bytes.data()) + 2;
  return Step::complete;
}

RequestParser::Step RequestParser::parse_array(std::string_view bytes, Progress& p,
                                               const ParserLimits& limits, RequestBatch& out) {
  if (p.arguments_left == kUnknown) {
    int64_t count = 0;
    const Step step =
        header(bytes, p, count, "too big mbulk count string", "invalid multibulk length");
    if (step != Step::complete) return step;
    if (count > static_cast<int64_t>(ParserLimits::kMaxArguments)) {
      return fail("invalid multibulk length");
    }
    if (count > 10 && !limits.authenticated) {
      return beyond_limit(limits, out, "unauthenticated multibulk length");
    }
    p.arguments_left = std::max<int64_t>(count, 0);
  }
  while (p.arguments_left > 0) {
    if (p.bulk_size == kUnknown) {
      if (p.at >= bytes.size()) return Step::incomplete;
      if (bytes[p.at] != '$') {
        return fail(std::string("expected '$', got '") + bytes[p.at] + "'");
      }
      int64_t size = 0;
      const Step step = header(bytes, p, size, "too big bulk count string", "invalid bulk length");
      if (step != Step::complete) return step;
      if (size < 0 || static_cast<uint64_t>(size) > limits.bulk_bytes_max) {
        return fail("invalid bulk length");
      }
      if (size > 16384 && !limits.authenticated) {
        return beyond_limit(limits, out, "unauthenticated bulk length");
      }
      p.bulk_size = size;
    }
    const size_t size = static_cast<size_t>(p.bulk_size);
    if (bytes.size() - p.at < size + 2) return Step::incomplete;
    out.args.push_back(bytes.substr(p.at, size));
    p.at += size + 2;
    p.bulk_size = kUnknown;
    --p.arguments_left;
  }
  return Step::complete;
}

bool RequestParser::split_inline(std::string_view line, RequestBatch& out) {
  size_t at = 0;
  for (;;) {
    while (at < line.size() && is_space(line[at])) ++at;
    if (at == line.size()) return true;
    const size_t start = at;
    while (at < line.size() && !is_space(line[at]) && line[at] != '"' && line[at] != '\'') ++at;
    if (at == line.size() || is_space(line[at])) {
      out.args.push_back(line.substr(start, at - start));
      continue;
    }
    // A word with quotes: its bytes differ from the line's. They live as long as the other
    // requests'.
    std::string word(line.substr(start, at - start));
    while (at < line.size() && !is_space(line[at])) {
      const char c = line[at++];
      if (c != '"' && c != '\'') {
        word += c;
      } else if (!read_quoted_word(line, at, c, word) ||
                 (at < line.size() && !is_space(line[at]))) {
        return false;
      }
    }
    auto holder = std::make_unique<Partial>();
    holder->words.push_back(std::move(word));
    out.args.push_back(holder->words.back());
    retired_.push_back(std::move(holder));
  }
}

RequestParser::Step RequestParser::parse_inline(std::string_view bytes, Progress& p,
                                                RequestBatch& out) {
  const size_t from = std::max(p.at, p.searched);
  const char* end =
      from >= bytes.size()
          ? nullptr
          : static_cast<const char*>(std::memchr(bytes.data() + from, '\n', bytes.size() - from));
  const size_t length =
      (end == nullptr ? bytes.size() : static_cast<size_t>(end - bytes.data())) - p.at;
  if (length > ParserLimits::kMaxInline) return fail("too big inline request");
  if (end == nullptr) {
    p.searched = bytes.size();
    return Step::incomplete;
  }
  std::string_view line = bytes.substr(p.at, length);
  p.at += line.size() + 1;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (!split_inline(line, out)) {
    out.args.resize(p.first_arg);
    return fail("unbalanced quotes in request");
  }
  return Step::complete;
}

RequestParser::Step RequestParser::parse(std::string_view bytes, Progress& progress,
                                         const ParserLimits& limits, RequestBatch& out) {
  if (progress.start >= bytes.size()) return Step::incomplete;
  if (bytes[progress.start] == '*') return parse_array(bytes, progress, limits, out);
  return parse_inline(bytes, progress, out);
}

// The arguments from progress.first_arg on are a request, unless there are none: "*0" and empty
// lines are passed over.
void RequestParser::finish(const Progress& progress, RequestBatch& out) {
  const size_t count = out.args.size() - progress.first_arg;
  if (count == 0) return;
  const size_t wire =
      std::min<size_t>(progress.at - progress.start + progress.wire_bytes, UINT32_MAX);
  out.requests.push_back({static_cast<uint32_t>(progress.first_arg), static_cast<uint32_t>(count),
                          static_cast<uint32_t>(wire)});
}

// A request as nearly all are: an array of a few arguments, none empty, that lies whole in the
// bytes from `start` on. Returns where it ends; 0 when it is not of that kind or has an error, so
// that parse() has to look.
size_t RequestParser::parse_whole(std::string_view bytes, size_t start, const ParserLimits& limits,
                                  RequestBatch& out) {
  if (bytes[start] != '*' || !limits.authenticated) return 0;
  const char* const end = bytes.data() + bytes.size();
  const char* at = bytes.data() + start + 1;
  const uint64_t count = short_number(at, end);
  if (count == 0 || count > kFewArguments) return 0;
  const size_t first_arg = out.args.size();
  for (uint64_t i = 0; i < count; ++i) {
    const bool is_bulk = at < end && *at == '$';
    const uint64_t size = is_bulk ? short_number(++at, end) : 0;
    if (size == 0 || size > limits.bulk_bytes_max || static_cast<uint64_t>(end - at) < size + 2) {
      out.args.resize(first_arg);
      return 0;
    }
    out.args.emplace_back(at, size);
    at += size + 2;
  }
  const auto next = static_cast<size_t>(at - bytes.data());
  out.requests.push_back({static_cast<uint32_t>(first_arg), static_cast<uint32_t>(count),
                          static_cast<uint32_t>(std::min<size_t>(next - start, UINT32_MAX))});
  return next;
}

RequestParser::Status RequestParser::parse_all(std::string_view bytes, const ParserLimits& limits,
                                               RequestBatch& out) {
  for (size_t start = 0; start < bytes.size();) {
    if (const size_t next = parse_whole(bytes, start, limits, out); next != 0) {
      start = next;
      continue;
    }
    Progress progress;
    progress.start = progress.at = progress.searched = start;
    progress.first_arg = out.args.size();
    switch (parse(bytes, progress, limits, out)) {
      case Step::complete: finish(progress, out); break;
      case Step::error: out.args.resize(progress.first_arg); return Status::protocol_error;
      case Step::incomplete: keep(bytes, progress, out); return Status::ok;
      case Step::held:
        out.args.resize(progress.first_arg);
        partial_ = std::make_unique<Partial>();
        partial_->append(bytes.substr(start));
        held_ = true;
        return Status::held;
    }
    start = progress.at;
  }
  return Status::ok;
}

// Copies what there is of a cut request to storage of its own. Arguments read so far become
// offsets.
void RequestParser::keep(std::string_view bytes, const Progress& progress, RequestBatch& out) {
  partial_ = std::make_unique<Partial>();
  Partial& partial = *partial_;
  partial.progress = progress;
  partial.progress.start = 0;
  partial.progress.at = progress.at - progress.start;
  partial.progress.searched =
      progress.searched > progress.start ? progress.searched - progress.start : 0;
  const char* base = bytes.data() + progress.start;
  for (size_t i = progress.first_arg; i < out.args.size(); ++i) {
    partial.pieces.push_back(
        {static_cast<size_t>(out.args[i].data() - base), out.args[i].size(), false});
  }
  out.args.resize(progress.first_arg);
  partial.append(bytes.substr(progress.start));
  if (partial.wants_blob()) partial.begin_blob();
}

std::span<char> RequestParser::direct_room() {
  if (partial_ == nullptr || partial_->blob_missing == 0) return {};
  Blob& blob = partial_->blobs.back();
  if (blob.size() == blob.capacity()) {
    // Twice what has really come, but no more than was announced.
    blob.reserve(std::min(blob.size() * 2, blob.size() + partial_->blob_missing));
  }
  const size_t room = std::min(blob.capacity() - blob.size(), partial_->blob_missing);
  return {blob.data() + blob.size(), room};
}

void RequestParser::direct_filled(size_t count) {
  ASSERT(partial_ != nullptr && count <= partial_->blob_missing);
  Blob& blob = partial_->blobs.back();
  blob.set_size(blob.size() + count);
  partial_->blob_missing -= count;
}

RequestParser::Status RequestParser::resume(std::string_view bytes, const ParserLimits& limits,
                                            RequestBatch& out) {
  Partial& partial = *partial_;
  while (partial.blob_missing > 0 && !bytes.empty()) {
    const std::span<char> room = direct_room();
    const size_t taken = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), taken);
    direct_filled(taken);
    bytes.remove_prefix(taken);
  }
  if (partial.memory_bytes() + bytes.size() > limits.query_bytes_max) return Status::limit_exceeded;
  partial.append(bytes);
  if (partial.blob_missing > 0) return Status::ok;

  Progress& p = partial.progress;
  if (partial.wants_blob()) {
    // The Blob is full; its line end follows in `bytes`.
    if (partial.bytes.size() - p.at < 2) return Status::ok;
    p.at += 2;
    partial.pieces.push_back({partial.blobs.size() - 1, partial.blobs.back().size(), true});
    p.wire_bytes += partial.blobs.back().size();
    p.bulk_size = kUnknown;
    --p.arguments_left;
  }
  const std::string_view held = partial.bytes.view();
  const size_t first_new = out.args.size();
  p.first_arg = first_new;
  const Step step = parse(held, p, limits, out);
  if (step == Step::error) {
    out.args.resize(first_new);
    return Status::protocol_error;
  }
  if (step == Step::held) {
    out.args.resize(first_new);
    p = Progress();
    partial.pieces.clear();
    held_ = true;
    return Status::held;
  }
  if (step == Step::incomplete) {
    for (size_t i = first_new; i < out.args.size(); ++i) {
      const size_t offset = static_cast<size_t>(out.args[i].data() - held.data());
      partial.pieces.push_back({offset, out.args[i].size(), false});
    }
    out.args.resize(first_new);
    if (partial.wants_blob()) partial.begin_blob();
    return Status::ok;
  }
  // Complete: the pieces of earlier calls go in front of the arguments of this one.
  std::vector<std::string_view> later(out.args.begin() + static_cast<ptrdiff_t>(first_new),
                                      out.args.end());
  out.args.resize(first_new);
  for (const Partial::Piece& piece : partial.pieces) {
    if (!piece.in_blob) {
      out.args.push_back(held.substr(piece.offset, piece.size));
      continue;
    }
    Blob& blob = partial.blobs[piece.offset];
    out.args.push_back(blob.view());
    out.owned.push_back({static_cast<uint32_t>(out.args.size() - 1), std::move(blob)});
  }
  out.args.insert(out.args.end(), later.begin(), later.end());
  finish(p, out);
  const std::string_view rest = held.substr(p.at);
  retired_.push_back(std::move(partial_));
  return parse_all(rest, limits, out);
}

RequestParser::Status RequestParser::feed(std::span<const char> bytes, const ParserLimits& limits,
                                          RequestBatch& out) {
  ASSERT(error_.empty() && (!held_ || bytes.empty()));
  held_ = false;
  first_request_ = out.requests.size();
  const std::string_view text(bytes.data(), bytes.size());
  if (partial_ != nullptr) return resume(text, limits, out);
  return parse_all(text, limits, out);
}

}  // namespace redoubt

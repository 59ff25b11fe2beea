// The parser of requests: RESP arrays of bulk strings, and inline commands.
//
// Requests that lie whole in the received bytes are parsed in place: their arguments are views into
// those bytes. A request that is cut by the end of the bytes is copied to storage of the parser's
// own and resumed there, without looking at any byte twice, when more comes. An argument of 64 KB
// or more that is not there in whole is received into a Blob of its own, which the store can take
// over.
//
// Memory is bounded by what was really received: a Blob grows with its bytes, not with what the
// client announced. An idle connection holds no storage at all.
//
// Protocol: https://redis.io/docs/latest/develop/reference/protocol-spec/
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/blob.h"

namespace redoubt {

// Requests of one turn, from one connection or several. Arguments of a request are args[first_arg
// .. first_arg + arg_count), at least one.
struct RequestBatch {
  struct Request {
    uint32_t first_arg;
    uint32_t arg_count;
    uint32_t bytes;  // that the request took on the wire, roughly (for statistics and limits)
  };
  // The Blob that holds the bytes of an argument.
  struct Owned {
    uint32_t arg;
    Blob blob;
  };

  std::vector<std::string_view> args;
  std::vector<Request> requests;
  std::vector<Owned> owned;

  void clear();
};

struct ParserLimits {
  static constexpr size_t kMaxArguments = 1024 * 1024;
  static constexpr size_t kMaxInline = 64 * 1024;

  size_t bulk_bytes_max = 512 * 1024 * 1024;    // proto-max-bulk-len
  size_t query_bytes_max = 1024 * 1024 * 1024;  // client-query-buffer-limit
  bool authenticated = true;                    // otherwise 10 arguments of 16 KB at most
  // Requests of the connection wait to be executed that were fed before.
  bool others_wait = false;
};

class RequestParser {
 public:
  enum class Status : uint8_t {
    ok,              // all bytes were taken
    protocol_error,  // error() says which; close the connection after the reply
    limit_exceeded,  // more than query_bytes_max in one request
    held,            // see held()
  };

  RequestParser();
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Takes the bytes and appends the requests that are complete now, also those before an error. The
  // views point into `bytes` or into the parser: both must stay until the requests have been
  // executed and release() was called. Not to be called after an error.
  Status feed(std::span<const char> bytes, const ParserLimits& limits, RequestBatch& out);

  // Room for the next bytes of a large argument, to receive into; empty when there is none waiting.
  std::span<char> direct_room();
  // `count` bytes were received into direct_room(). (They complete no request: a line end follows.)
  void direct_filled(size_t count);

  // A request of more arguments, or longer ones, than a client may send that has not authenticated
  // stands behind requests that were not executed yet, and one of them may be AUTH. The parser has
  // stopped in front of it and keeps the bytes. To be fed nothing once those are executed; until
  // then nothing is to be received.
  bool held() const { return held_; }

  // The requests parsed so far were executed.
  void release() {
    if (!retired_.empty()) drop_retired();
  }

  // After protocol_error: the reply without "-" and line end, such as
  // "ERR Protocol error: invalid bulk length".
  const std::string& error() const { return error_; }

  // True in the middle of a request.
  bool in_request() const { return partial_ != nullptr; }
  // Bytes held between calls.
  size_t memory_bytes() const;

 private:
  enum class Step : uint8_t { complete, incomplete, error, held };
  struct Progress;
  struct Partial;

  Step parse(std::string_view bytes, Progress& progress, const ParserLimits& limits,
             RequestBatch& out);
  Step parse_array(std::string_view bytes, Progress& progress, const ParserLimits& limits,
                   RequestBatch& out);
  static size_t parse_whole(std::string_view bytes, size_t start, const ParserLimits& limits,
                            RequestBatch& out);
  Step parse_inline(std::string_view bytes, Progress& progress, RequestBatch& out);
  bool split_inline(std::string_view line, RequestBatch& out);
  Step header(std::string_view bytes, Progress& progress, int64_t& number, const char* too_long,
              const char* invalid);
  bool check_bulk(std::string_view bytes, const Progress& progress);
  Step fail(std::string message);
  Step beyond_limit(const ParserLimits& limits, const RequestBatch& out, std::string message);
  Status parse_all(std::string_view bytes, const ParserLimits& limits, RequestBatch& out);
  Status resume(std::string_view bytes, const ParserLimits& limits, RequestBatch& out);
  void keep(std::string_view bytes, const Progress& progress, RequestBatch& out);
  void finish(const Progress& progress, RequestBatch& out);
  void drop_retired();

  std::unique_ptr<Partial> partial_;
  std::vector<std::unique_ptr<Partial>> retired_;
  std::string error_;
  size_t first_request_ = 0;  // of this call of feed(), in RequestBatch::requests
  bool held_ = false;
};

}  // namespace redoubt

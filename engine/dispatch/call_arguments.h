// CallArguments: the arguments of one call of a command, and its reply. Functions that read an
// argument reply with an error when it is not what they expect, and then return nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/dispatch/services.h"
#include "net/blob.h"
#include "net/resp/reply_writer.h"
#include "net/time.h"

namespace redoubt {

struct RequestBatch;

class CallArguments {
 public:
  // With the command's name (and its subcommand's) in front.
  std::span<const std::string_view> args;
  ReplyWriter reply;

  // Replies with an error ("ERR syntax error") and counts it.
  void error(std::string_view text);
  void syntax_error() { error("ERR syntax error"); }
  // Whether the reply is an error.
  bool failed() const { return failed_; }

  // Whether an argument is this option, compared without case.
  bool is(size_t index, std::string_view option) const;
  // An argument as an integer. The error is "ERR value is not an integer or out of range", or
  // `message`.
  std::optional<int64_t> integer(size_t index, std::string_view message = {});
  // An integer within [low, high].
  std::optional<int64_t> integer_between(size_t index, int64_t low, int64_t high,
                                         std::string_view message = {});
  // An argument in seconds, with fractions, as the moment until which a command may wait; never()
  // for 0.
  std::optional<Instant> timeout(size_t index);
  // The same for an argument in whole milliseconds.
  std::optional<Instant> timeout_ms(size_t index);
  // The Blob that holds exactly this argument's bytes, for the store to take over; empty when the
  // argument is only a view. The view stays valid.
  Blob take_blob(size_t index);

  // Set by dispatch: the batch that holds Blobs of arguments, and the number of the first argument
  // in it.
  void set_batch(RequestBatch* batch, size_t first_arg) {
    batch_ = batch;
    first_arg_ = first_arg;
  }

 protected:
  // The services outlive it.
  CallArguments(const Services& services, std::span<const std::string_view> arguments,
                ReplyWriter writer)
      : args(arguments), reply(writer), services_(services) {}
  ~CallArguments() = default;

  const Services& services_;

 private:
  std::optional<Instant> deadline_in(int64_t ms);

  RequestBatch* batch_ = nullptr;
  size_t first_arg_ = 0;
  bool failed_ = false;
};

}  // namespace redoubt

// XADD IDMP and IDMPAUTO: a message that a producer sends again is not added again.
//
// Another option of XADD, IDMP-RECORDED, is what the stream of effects says of a message that was
// added: with it the message is remembered as of the time that is given, whatever the clock says
// when the effect is executed, and by a stream that remembers nothing yet with the limits that are
// given. No message is looked for then.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/commands/streams/stream_trim.h"

namespace redoubt {

struct IdempotentOptions {
  // As an effect says it.
  struct Recorded {
    int64_t made_ms = 0;
    IdempotencyLimits limits;
  };

  bool given = false;      // IDMP or IDMPAUTO
  bool automatic = false;  // IDMPAUTO
  std::string_view producer;
  std::string id;
  std::optional<Recorded> recorded;

  // IDMPAUTO: the id follows from the fields and values, whatever their order.
  void complete(std::span<const std::string_view> fields);
};

// Reads the option at an argument.
StreamOptionWord read_idempotent_option(Context& c, size_t& index, IdempotentOptions& options);
// Whether the options go together with the entry's id: whether it is another one than "*", and is
// given in full. False, after an error.
bool finish_idempotent_options(Context& c, const IdempotentOptions& options, bool has_id,
                               bool has_whole_id);

// Whether the message was added already: then its entry's id is replied.
bool is_duplicate(Context& c, const IdempotentOptions& options, Stream& stream);
// The message has become an entry.
void remember_message(Context& c, const IdempotentOptions& options, Stream& stream, StreamId entry);

// The options that make a replica remember the same.
class IdempotentEffect {
 public:
  IdempotentEffect(const Context& c, const IdempotentOptions& options, const Stream& stream);
  // The views point into this object.
  void append_to(std::vector<std::string_view>& args) const;

 private:
  const IdempotentOptions& options_;
  std::string made_ms_;
  std::string duration_;
  std::string maxsize_;
};

}  // namespace redoubt

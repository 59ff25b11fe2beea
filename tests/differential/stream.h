// A stream of commands played against two servers, or against a server and the model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/model/generator.h"
#include "sim/model/model.h"
#include "tests/differential/compare.h"
#include "tests/differential/connection.h"

namespace redoubt::differential {

// Who is compared with the reference.
class Subject {
 public:
  virtual ~Subject() = default;
  // Begins a stream: everything is deleted, the protocol version chosen.
  virtual void start(int resp) = 0;
  // Sends a batch; after it, check() is called once for each command, in order.
  virtual void send(const std::vector<OwnedCommand>& batch) = 0;
  // Empty, or what the subject answered (or expected) instead of `reference`.
  virtual std::string check(const OwnedCommand& command, std::string_view reference) = 0;
};

std::unique_ptr<Subject> server_subject(const Endpoint& endpoint);
// The model stands in for a redis-server 7.0.
std::unique_ptr<Subject> model_subject();

struct Difference {
  size_t index = 0;  // of the command in the stream
  OwnedCommand command;
  std::string reference;  // readable
  std::string subject;
};

class StreamRunner {
 public:
  StreamRunner(const Endpoint& reference, Subject& subject)
      : reference_(reference), subject_(subject) {}

  // Plays the commands and answers with the differences, at most `limit`.
  std::vector<Difference> play(const std::vector<OwnedCommand>& commands, int resp, size_t limit);

  // The commands that still make a difference when as many as possible are left out.
  std::vector<OwnedCommand> shrink(std::vector<OwnedCommand> commands, int resp);

  uint64_t compared() const { return compared_; }
  uint64_t skipped() const { return skipped_; }

 private:
  Connection reference_;
  Subject& subject_;
  uint64_t compared_ = 0;
  uint64_t skipped_ = 0;
};

// The stream of a seed. Commands that 7.0 does not have are left out, and so are, unless the model
// is the subject, those that leave different data behind on purpose.
std::vector<OwnedCommand> make_stream(uint64_t seed, size_t commands, bool for_model);

int64_t wall_ms();

}  // namespace redoubt::differential

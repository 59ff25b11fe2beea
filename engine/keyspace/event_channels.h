// EventChannels: the channels on which keyspace events are published. Pub/sub implements it.
#pragma once

#include <cstdint>
#include <string_view>

namespace redoubt {

class EventChannels {
 public:
  // Whether any client could receive a message.
  virtual bool has_listeners() const = 0;
  // Returns how many messages were sent.
  virtual int64_t publish(std::string_view channel, std::string_view message) = 0;

 protected:
  ~EventChannels() = default;
};

}  // namespace redoubt

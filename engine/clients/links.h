// Links: connections of a node that are no clients' sessions, to its primary and from its replicas.
// CLIENT LIST shows them and CLIENT KILL ends them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "net/connection.h"
#include "net/time.h"

namespace redoubt {

enum class LinkKind : uint8_t { primary, replica };

class Link {
 public:
  struct Facts {
    uint64_t id = 0;  // as those of sessions
    LinkKind kind = LinkKind::replica;
    const Connection* connection = nullptr;  // null: none at the moment
    Instant connected;
    Instant last_request;
    size_t waiting_bytes = 0;  // for this connection to send
    size_t memory_bytes = 0;
  };

  virtual Facts facts() const = 0;
  virtual void kill() = 0;

 protected:
  ~Link() = default;
};

class LinkTable {
 public:
  // The link removes itself before it is destroyed.
  void add(Link& link) { links_.push_back(&link); }
  void remove(Link& link) { std::erase(links_, &link); }
  const std::vector<Link*>& all() const { return links_; }

 private:
  std::vector<Link*> links_;
};

}  // namespace redoubt

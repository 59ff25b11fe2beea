// ListenAddresses: the addresses at which a node listens, by port, bind, unixsocket and
// unixsocketperm, at the start and after CONFIG SET.
//
// A change opens new addresses first and closes old ones last, so that a mistake leaves the node
// reachable. One case is the other way round: "*" cannot be bound while 127.0.0.1 is on the same
// port. Then the old address is closed, and opened again when the new one cannot be bound.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/config/settings.h"
#include "net/expected.h"
#include "net/op.h"

namespace redoubt {

// Opens and closes listeners for it.
class ListenDoor {
 public:
  virtual Expected<Handle> open_listener(const Address& address, uint32_t mode) = 0;
  virtual void close_listener(Handle handle) = 0;

 protected:
  ~ListenDoor() = default;
};

class ListenAddresses {
 public:
  explicit ListenAddresses(ListenDoor& door) : door_(door) {}

  // Listens at what the settings say, and nowhere else. False: one address could not be had, *why
  // says which and the reason in one line, and the node listens where it did before.
  bool change(const Settings& settings, std::string* why);
  // Listens nowhere until the next change().
  void close_all();
  bool empty() const { return open_.empty(); }

 private:
  struct Wanted {
    Address address;
    uint32_t mode = 0;
    bool optional = false;  // "-::1": it may be missing
  };
  struct Open {
    Wanted wanted;
    Handle handle;
    bool stale = false;  // the settings no longer ask for it
  };

  static std::vector<Wanted> wanted_by(const Settings& settings);
  Open* find(const Address& address);
  Error open(const Wanted& wanted);
  bool close_stale_of(uint16_t port, std::vector<Wanted>* closed);
  void close_stale();

  ListenDoor& door_;
  std::vector<Open> open_;
};

}  // namespace redoubt

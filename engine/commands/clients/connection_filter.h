// Which connections CLIENT LIST and CLIENT KILL mean: the filters of Redis 7.4 and Valkey 9.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/clients/links.h"
#include "engine/clients/session.h"
#include "engine/dispatch/context.h"

namespace redoubt {

// What a filter asks of a connection, be it a client's session or a link to another node.
struct ConnectionFacts {
  uint64_t id = 0;
  std::string_view type;  // normal, pubsub, replica or master
  std::string_view user;
  Address peer;
  Address local;
  std::string_view name;
  std::string_view library_name;
  std::string_view library_version;
  int db = 0;
  Instant connected;
  Instant last_request;
};
ConnectionFacts facts_of(const Session& session);
ConnectionFacts facts_of(const Link::Facts& link);

class ClientFilter {
 public:
  // Reads "OPTION value" pairs from argument `first` to the end; an ID may be followed by more of
  // them. Of an option that is given twice the last one counts. False: an error was replied.
  bool read(Context& c, size_t first);
  // True for a connection that all conditions mean. `c`: of the client that asks.
  bool matches(const Context& c, const ConnectionFacts& connection) const;

  bool skip_me = true;

 private:
  enum class Subject : uint8_t {
    id,
    type,
    user,
    address,
    local_address,
    name,
    library_name,
    library_version,
    db,
    age,
    idle,
  };
  static constexpr size_t kSubjects = 11;
  // What one option asks; there is at most one for each subject, and one negated.
  struct Condition {
    bool given = false;
    std::string_view text;
    int64_t number = 0;
    std::vector<uint64_t> ids;  // ascending
  };
  struct Option {
    std::string_view name;
    Subject subject;
    bool negatable;
  };
  static const std::array<Option, kSubjects> kOptions;

  bool read_condition(Context& c, const Option& option, size_t& at, Condition& condition);
  bool read_ids(Context& c, size_t& at, Condition& condition);
  static bool holds(const Condition& condition, Subject subject, const Context& c,
                    const ConnectionFacts& connection);

  std::array<std::array<Condition, 2>, kSubjects> conditions_;
};

// True when this is a type of clients that TYPE knows.
bool is_client_type(std::string_view type);

}  // namespace redoubt

#include "engine/dispatch/batch.h"

#include <algorithm>

#include "net/places.h"

namespace redoubt {

RequestParser::Status Batch::take(Session& session, std::span<const char> bytes,
                                  const ParserLimits& limits) {
  const size_t first = requests_.requests.size();
  if (session.parser.in_request()) REDOUBT_REACHED(request_in_pieces);
  const RequestParser::Status status = session.parser.feed(bytes, limits, requests_);
  for (size_t i = first; i < requests_.requests.size(); ++i) {
    Planned& planned = planned_.emplace_back();
    planned.session = &session;
    planned.request = static_cast<uint32_t>(i);
    planned.in_batch = true;
  }
  if (status == RequestParser::Status::protocol_error) {
    REDOUBT_REACHED(broken_request);
    Planned& planned = planned_.emplace_back();
    planned.session = &session;
    planned.malformed = true;
  }
  return status;
}

size_t Batch::largest_request() const {
  size_t largest = 0;
  for (const RequestBatch::Request& request : requests_.requests) {
    largest = std::max(largest, static_cast<size_t>(request.bytes));
  }
  return largest;
}

void Batch::plan(size_t first, size_t end) {
  ASSERT(first <= end && end <= planned_.size());
  for (size_t i = first; i < end; ++i) find_command(planned_[i]);
  if (end - first == 1) return;
  for (size_t i = first; i < end; ++i) {
    const Planned& planned = planned_[i];
    if (planned.hash != 0) {
      keys_.database(planned.session->db).dict().prefetch_entry(planned.hash);
    }
  }
}

void Batch::find_command(Planned& planned) {
  if (planned.malformed) return;
  const std::span<const std::string_view> request = args(planned);
  if (request[0] == last_name_) {
    planned.entry = last_entry_;
  } else {
    planned.entry = commands_.resolve(request, &planned.container);
    const bool is_word = planned.entry != nullptr && planned.entry->container == nullptr &&
                         planned.entry->subcommands.empty();
    if (is_word) {
      last_name_ = request[0];
      last_entry_ = planned.entry;
    }
  }
  if (planned.entry == nullptr || planned.entry->first_key == 0) return;
  const size_t at = static_cast<size_t>(planned.entry->first_key);
  if (at >= request.size()) return;
  planned.hash = keys_.hash(request[at]);
  keys_.database(planned.session->db).dict().prefetch_bucket(planned.hash);
}

void Batch::clear() {
  ASSERT(planned_.empty());  // they point into the requests
  requests_.clear();
  last_name_ = {};
  last_entry_ = nullptr;
}

}  // namespace redoubt

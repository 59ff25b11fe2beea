#include "sim/checkers/waiting.h"

#include <algorithm>
#include <cmath>

#include "sim/model/call.h"
#include "sim/model/resp_value.h"
#include "sim/model/streams.h"

namespace redoubt::sim {

namespace {

constexpr std::string_view kUnblocked = "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n";

std::string text_of(std::span<const std::string_view> args) {
  std::string text;
  for (const std::string_view arg : args) text += (text.empty() ? "" : " ") + quote_bytes(arg);
  return text;
}

std::optional<WaitTerms> seconds_terms(std::string_view text, size_t first, size_t end,
                                       ModelType type) {
  const std::optional<long double> seconds = parse_float(text);
  const long double ms = seconds ? std::ceil(*seconds * 1000) : -1;
  if (ms < 0 || ms >= 0x1p63L) return std::nullopt;
  WaitTerms terms;
  terms.ms = static_cast<int64_t>(ms);
  terms.first_key = first;
  terms.end_key = end;
  terms.type = type;
  return terms;
}

// A time-out, the number of keys, the keys.
std::optional<WaitTerms> counted_terms(std::span<const std::string_view> args, ModelType type) {
  const std::optional<int64_t> keys = parse_integer(args[2]);
  if (!keys || *keys < 1 || *keys >= static_cast<int64_t>(args.size()) - 3) return std::nullopt;
  return seconds_terms(args[1], 3, 3 + static_cast<size_t>(*keys), type);
}

std::optional<WaitTerms> stream_terms(std::span<const std::string_view> args) {
  WaitTerms terms;
  terms.type = ModelType::stream;
  terms.by_group = same_word(args[0], "XREADGROUP");
  bool waits = false;
  for (size_t i = 1; i < args.size() && terms.first_key == 0; ++i) {
    if (same_word(args[i], "STREAMS")) {
      terms.first_key = i + 1;
      terms.end_key = terms.first_key + (args.size() - terms.first_key) / 2;
    } else if (same_word(args[i], "GROUP")) {
      i += 2;
    } else if (same_word(args[i], "COUNT")) {
      ++i;
    } else if (same_word(args[i], "BLOCK") && i + 1 < args.size()) {
      const std::optional<int64_t> ms = parse_integer(args[++i]);
      if (!ms || *ms < 0) return std::nullopt;
      waits = true;
      terms.ms = *ms;
    }
  }
  return waits && terms.first_key < terms.end_key ? std::optional(terms) : std::nullopt;
}

}  // namespace

std::optional<WaitTerms> wait_terms(std::span<const std::string_view> args) {
  const std::string_view name = args[0];
  if (args.size() < 3 || name.size() < 5) return std::nullopt;
  // All of their names begin with one of these: most commands are told apart at once.
  if (name[0] != 'B' && name[0] != 'b' && name[0] != 'X' && name[0] != 'x') return std::nullopt;
  const size_t last = args.size() - 1;
  if (same_word(name, "BLPOP") || same_word(name, "BRPOP")) {
    return seconds_terms(args[last], 1, last, ModelType::list);
  }
  if (same_word(name, "BLMOVE") || same_word(name, "BRPOPLPUSH")) {
    return seconds_terms(args[last], 1, 2, ModelType::list);
  }
  if (same_word(name, "BLMOVEM") && args.size() > 5) {
    return seconds_terms(args[5], 1, 2, ModelType::list);
  }
  if (same_word(name, "BZPOPMIN") || same_word(name, "BZPOPMAX")) {
    return seconds_terms(args[last], 1, last, ModelType::zset);
  }
  if (same_word(name, "BLMPOP")) return counted_terms(args, ModelType::list);
  if (same_word(name, "BZMPOP")) return counted_terms(args, ModelType::zset);
  if (same_word(name, "XREAD") || same_word(name, "XREADGROUP")) return stream_terms(args);
  return std::nullopt;
}

bool WaitingChecker::Waiter::waits_for(const ModelSession& other, const std::string& key,
                                       ModelType type) const {
  if (client.database != other.database || terms.type != type) return false;
  const auto first = words.begin() + static_cast<ptrdiff_t>(terms.first_key);
  const auto end = words.begin() + static_cast<ptrdiff_t>(terms.end_key);
  return std::find(first, end, key) != end;
}

const WaitingChecker::Waiter* WaitingChecker::find(uint64_t session) const {
  for (const Waiter& waiter : waiters_) {
    if (waiter.session == session) return &waiter;
  }
  return nullptr;
}

void WaitingChecker::clear() {
  waiters_.clear();
  early_.reset();
}

void WaitingChecker::session_closed(uint64_t session) {
  std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.session == session; });
}

void WaitingChecker::began(uint64_t session, const ModelSession& client,
                           std::span<const std::string_view> args, const WaitTerms& terms,
                           Instant now, const Model& model, int64_t now_ms) {
  Waiter& waiter = waiters_.emplace_back();
  waiter.session = session;
  waiter.client = client;
  waiter.terms = terms;
  waiter.words.assign(args.begin(), args.end());
  waiter.deadline = terms.ms == 0 ? Instant::never() : now + Duration::milliseconds(terms.ms);
  if (terms.type != ModelType::stream) return;
  // "$" is where the stream ends now.
  for (size_t i = terms.first_key; i < terms.end_key; ++i) {
    std::string& position = waiter.words[i + terms.end_key - terms.first_key];
    if (position != "$") continue;
    const auto& keys = model.database(client.database);
    const auto entry = keys.find(waiter.words[i]);
    const bool lives =
        entry != keys.end() && entry->second.stream != nullptr && !entry->second.expired_at(now_ms);
    position = model_streams::id_text(lives ? entry->second.stream->last : ModelStreamId());
  }
}

// Somebody who came before waits for each key that could have served this one, and is there still.
std::optional<WaitingChecker::Problem> WaitingChecker::passed_over(const Waiter& served,
                                                                   Model& model,
                                                                   int64_t now_ms) const {
  std::vector<std::string> ready;
  const auto& keys = model.database(served.client.database);
  for (size_t i = served.terms.first_key; i < served.terms.end_key; ++i) {
    const auto entry = keys.find(served.words[i]);
    if (entry == keys.end() || entry->second.expired_at(now_ms)) continue;
    if (entry->second.type == served.terms.type) ready.push_back(served.words[i]);
  }
  if (ready.empty()) return std::nullopt;
  for (const Waiter& earlier : waiters_) {
    if (&earlier == &served) return std::nullopt;
    if (earlier.stale) continue;
    const bool shares = std::all_of(ready.begin(), ready.end(), [&](const std::string& key) {
      return earlier.waits_for(served.client, key, served.terms.type);
    });
    if (!shares) continue;
    ModelSession client = earlier.client;
    const std::vector<std::string_view> args = earlier.args();
    const ModelReply reply = model.apply(client, args, now_ms);
    if (reply.waits || reply.bytes.starts_with('-')) continue;
    return Problem{
        "session " + std::to_string(earlier.session) + ", which waits longer with " +
            text_of(args) + ", is served before",
        "session " + std::to_string(served.session) + " is, with " + text_of(served.args())};
  }
  return std::nullopt;
}

std::optional<WaitingChecker::Problem> WaitingChecker::ended(uint64_t session,
                                                             std::span<const std::string_view> args,
                                                             std::string_view reply, Model& model,
                                                             Instant now, int64_t now_ms) {
  if (std::optional<Problem> problem = sent_away()) return problem;
  const auto waiter = std::find_if(waiters_.begin(), waiters_.end(),
                                   [&](const Waiter& other) { return other.session == session; });
  const std::vector<std::string_view> own = waiter->args();
  if (!std::equal(own.begin(), own.end(), args.begin(), args.end())) {
    return Problem{"the command that waits: " + text_of(own), text_of(args)};
  }
  const bool in_vain = reply == (waiter->client.resp == 3 ? "_\r\n" : "*-1\r\n");
  const bool with_error = reply == kUnblocked;
  if (!in_vain && !with_error) {
    if (std::optional<Problem> problem = passed_over(*waiter, model, now_ms)) return problem;
  }
  const ModelReply expected = model.apply(waiter->client, own, now_ms);
  if (in_vain || with_error) {
    early_ = {session, with_error, with_error || now < waiter->deadline, text_of(own)};
    if (!expected.waits && !expected.bytes.starts_with('-') && !waiter->stale) {
      return Problem{text_of(own) + " -> " + expected.expected_text(), describe_reply(reply)};
    }
  } else if (expected.waits || !expected.matches(reply)) {
    return Problem{text_of(own) + " -> " + expected.expected_text(), describe_reply(reply)};
  }
  waiters_.erase(waiter);
  return std::nullopt;
}

std::optional<ModelReply> WaitingChecker::executed(std::span<const std::string_view> args) {
  if (args.size() < 3 || !same_word(args[0], "CLIENT") || !same_word(args[1], "UNBLOCK")) {
    if (early_ && !early_->certainly) early_.reset();
    return std::nullopt;
  }
  const std::optional<int64_t> id = parse_integer(args[2]);
  const bool with_error = args.size() == 4 && same_word(args[3], "ERROR");
  const bool unblocked = early_ && id && early_->session == static_cast<uint64_t>(*id) &&
                         early_->with_error == with_error;
  if (!unblocked) {
    // Whoever waits would have been unblocked.
    return reply_integer(id && waits(static_cast<uint64_t>(*id)) ? 1 : 0);
  }
  const bool certainly = early_->certainly;
  early_.reset();
  return certainly ? reply_integer(1) : reply_integer_between(0, 1);
}

std::optional<WaitingChecker::Problem> WaitingChecker::sent_away() const {
  if (!early_ || !early_->certainly) return std::nullopt;
  return Problem{
      "session " + std::to_string(early_->session) + " waits on with " + early_->text,
      early_->with_error ? "it is told that it was unblocked" : "it is told that its time is over"};
}

std::optional<WaitingChecker::Problem> WaitingChecker::turn_ended(Model& model, int64_t now_ms) {
  for (Waiter& waiter : waiters_) {
    const auto& keys = model.database(waiter.client.database);
    for (size_t i = waiter.terms.first_key; i < waiter.terms.end_key; ++i) {
      const auto entry = keys.find(waiter.words[i]);
      waiter.stale = waiter.stale || (entry != keys.end() && entry->second.expired_at(now_ms));
    }
    if (waiter.stale) continue;
    const std::vector<std::string_view> args = waiter.args();
    const ModelReply reply = model.apply(waiter.client, args, now_ms);
    if (reply.waits || (reply.bytes.starts_with('-') && !waiter.terms.by_group)) continue;
    return Problem{"session " + std::to_string(waiter.session) + " is served: " + text_of(args) +
                       " -> " + reply.expected_text(),
                   "it waits"};
  }
  return std::nullopt;
}

}  // namespace redoubt::sim

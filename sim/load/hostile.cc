#include "sim/load/hostile.h"

#include <algorithm>
#include <array>

namespace redoubt::sim {

namespace {

constexpr Duration kHostileReconnectMean = Duration::milliseconds(200);
// How long it stays, at most, after its last byte.
constexpr int64_t kStayMs = 20'000;
// A line that never ends, and is longer than the node takes.
constexpr size_t kEndless = 70'000;
constexpr size_t kUnread = 2'000;

constexpr std::array<std::string_view, 12> kBroken = {
    "*-1\r\n",
    "*0\r\n\r\n",
    "*1\r\n+PING\r\n",
    "*1048577\r\n",
    "*99999999999999999999\r\n",
    "*1\r\n$-5\r\n",
    "*1\r\n$9999999999\r\n",
    "*1\r\n$4\r\nPINGxx",
    "*3\r\n$3\r\nSET\r\n$1\r\n",
    "*1\r\n$abc\r\n",
    "GET \"unbalanced\r\n",
    "\r\n\r\n\r\n",
};

}  // namespace

HostileClient::HostileClient(Env& env, LoadPlan& plan, NodeChecker& checker, uint32_t number,
                             Random random)
    : LoadConnection(env, plan, checker, number, random, kHostileReconnectMean) {
  start();
}

std::string HostileClient::broken_request() {
  std::string bytes(kBroken[random_.below(kBroken.size())]);
  if (random_.coin()) return bytes;
  // And whatever follows it.
  const size_t size = 1 + random_.below(200);
  for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(random_.below(256));
  return bytes;
}

void HostileClient::choose() {
  bytes_.clear();
  piece_ = SIZE_MAX;
  deaf_ = false;
  switch (random_.below(6)) {
    case 0: break;  // not a word
    case 1: bytes_.assign(kEndless, 'x'); break;
    case 2:  // byte by byte
      bytes_ = "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI";
      piece_ = 1;
      break;
    case 3:  // many questions whose answers are not read
      for (size_t i = 0; i < kUnread; ++i) bytes_ += "*1\r\n$4\r\nPING\r\n";
      deaf_ = true;
      break;
    default: bytes_ = broken_request();
  }
}

void HostileClient::on_connected() {
  if (plan_.farewell) {
    stop_for_good();
    return hang_up();
  }
  link_->hostile = true;
  choose();
  read_slowly(deaf_ ? kStayMs * 10'000 : 0);
  sent_ = 0;
  send_next();
}

void HostileClient::send_next() {
  if (sent_ == bytes_.size() || plan_.farewell) {
    const Duration stay = Duration::milliseconds(random_.between_log(1, kStayMs));
    return env_.arm_in(timer_, plan_.farewell ? Duration{1} : stay);
  }
  env_.arm_in(timer_, Duration::milliseconds(kStayMs));
  const size_t size = std::min(piece_, bytes_.size() - sent_);
  const size_t from = sent_;
  sent_ += size;
  send(as_slice(std::string_view(bytes_).substr(from, size)));
}

void HostileClient::on_sent() {
  send_next();
}

}  // namespace redoubt::sim

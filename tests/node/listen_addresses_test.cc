// Where a node listens, and what a change of it leaves behind.
#include "engine/clients/listen_addresses.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace redoubt {
namespace {

// Addresses of this machine; "0.0.0.0" and another IPv4 address of one port exclude each other.
class FakeDoor : public ListenDoor {
 public:
  std::map<uint32_t, std::string> open;
  std::vector<std::string> log;
  std::string taken;  // by somebody else

  Expected<Handle> open_listener(const Address& address, uint32_t) override {
    const std::string text = address.unix_socket ? address.host : address.to_string();
    log.push_back("+" + text);
    if (address.host == "192.0.2.1") return Error::address_not_found;
    if (text == taken) return Error::address_in_use;
    for (const auto& [handle, other] : open) {
      if (other == text || excludes(text, other) || excludes(other, text)) {
        return Error::address_in_use;
      }
    }
    open[++last_] = text;
    return Handle{last_, 1};
  }
  void close_listener(Handle handle) override {
    log.push_back("-" + open.at(handle.index));
    open.erase(handle.index);
  }
  std::vector<std::string> addresses() const {
    std::vector<std::string> all;
    for (const auto& [handle, text] : open) all.push_back(text);
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  static bool excludes(const std::string& every, const std::string& one) {
    return every.starts_with("0.0.0.0:") && !one.starts_with('[') && one.ends_with(every.substr(7));
  }
  uint32_t last_ = 0;
};

using Lines = std::vector<std::string>;

class ListenAddressesTest : public testing::Test {
 protected:
  std::string change(int port, std::vector<std::string> bind, std::string unixsocket = "") {
    Settings settings;
    settings.port = port;
    settings.bind = std::move(bind);
    settings.unixsocket = std::move(unixsocket);
    std::string why;
    door.log.clear();
    const bool changed = addresses.change(settings, &why);
    EXPECT_EQ(changed, why.empty());
    return why;
  }

  FakeDoor door;
  ListenAddresses addresses{door};
};

TEST_F(ListenAddressesTest, OpensWhatTheSettingsSay) {
  EXPECT_EQ(change(6379, {"*", "-::*", "*"}, "/run/s"), "");
  EXPECT_EQ(door.addresses(), (Lines{"/run/s", "0.0.0.0:6379", "[::]:6379"}));
  EXPECT_EQ(change(0, {"*"}, "/run/s"), "");
  EXPECT_EQ(door.addresses(), Lines{"/run/s"});
}

TEST_F(ListenAddressesTest, OptionalOnesMayBeMissing) {
  EXPECT_EQ(change(6379, {"127.0.0.1", "-192.0.2.1"}), "");
  EXPECT_EQ(door.addresses(), Lines{"127.0.0.1:6379"});
  EXPECT_EQ(change(6379, {"127.0.0.1", "192.0.2.1"}),
            "cannot listen on 192.0.2.1:6379: address not available on this machine");
  EXPECT_EQ(door.addresses(), Lines{"127.0.0.1:6379"});
}

TEST_F(ListenAddressesTest, WhatWasClosedIsOpenedAgain) {
  EXPECT_EQ(change(6379, {"127.0.0.1"}, "/run/s"), "");
  addresses.close_all();
  EXPECT_TRUE(addresses.empty());
  EXPECT_EQ(door.addresses(), Lines{});
  EXPECT_EQ(change(6379, {"127.0.0.1"}, "/run/s"), "");
  EXPECT_EQ(door.addresses(), (Lines{"/run/s", "127.0.0.1:6379"}));
}

TEST_F(ListenAddressesTest, NewOnesComeFirstAndOthersStay) {
  change(6379, {"127.0.0.1", "::1"});
  EXPECT_EQ(change(6379, {"10.0.0.1", "::1"}), "");
  EXPECT_EQ(door.log, (Lines{"+10.0.0.1:6379", "-127.0.0.1:6379"}));
  EXPECT_EQ(change(7000, {"10.0.0.1", "::1"}), "");
  EXPECT_EQ(door.log, (Lines{"+10.0.0.1:7000", "+[::1]:7000", "-[::1]:6379", "-10.0.0.1:6379"}));
}

TEST_F(ListenAddressesTest, AFailureLeavesEverythingAsItWas) {
  change(6379, {"127.0.0.1", "::1"});
  door.taken = "[::1]:7000";
  EXPECT_NE(change(7000, {"127.0.0.1", "::1"}), "");
  EXPECT_EQ(door.addresses(), (Lines{"127.0.0.1:6379", "[::1]:6379"}));
  door.taken.clear();
  EXPECT_EQ(change(7000, {"127.0.0.1", "::1"}), "");
}

TEST_F(ListenAddressesTest, EveryAddressTakesThePlaceOfOne) {
  change(6379, {"127.0.0.1"});
  EXPECT_EQ(change(6379, {"*"}), "");
  EXPECT_EQ(door.addresses(), Lines{"0.0.0.0:6379"});
  EXPECT_EQ(change(6379, {"127.0.0.1"}), "");
  EXPECT_EQ(door.addresses(), Lines{"127.0.0.1:6379"});
  // What had to go first comes back.
  door.taken = "0.0.0.0:6379";
  EXPECT_NE(change(6379, {"*"}), "");
  EXPECT_EQ(door.addresses(), Lines{"127.0.0.1:6379"});
}

}  // namespace
}  // namespace redoubt

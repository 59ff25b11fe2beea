#include "engine/clients/listen_addresses.h"

#include <fmt/format.h>

#include <algorithm>

namespace redoubt {

std::vector<ListenAddresses::Wanted> ListenAddresses::wanted_by(const Settings& settings) {
  std::vector<Wanted> all;
  const auto add = [&all](const Wanted& wanted) {
    const bool named = std::any_of(all.begin(), all.end(), [&wanted](const Wanted& other) {
      return other.address == wanted.address;
    });
    if (!named) all.push_back(wanted);
  };
  if (settings.port != 0) {
    for (const std::string& name : settings.bind) {
      const bool optional = name.starts_with("-");
      std::string host = optional ? name.substr(1) : name;
      if (host == "*") host = "0.0.0.0";
      if (host == "::*") host = "::";
      add({Address::tcp(host, static_cast<uint16_t>(settings.port)), 0, optional});
    }
  }
  if (!settings.unixsocket.empty()) {
    add({Address::local(settings.unixsocket), settings.unixsocketperm, false});
  }
  return all;
}

ListenAddresses::Open* ListenAddresses::find(const Address& address) {
  const auto found = std::find_if(open_.begin(), open_.end(), [&address](const Open& one) {
    return one.wanted.address == address;
  });
  return found == open_.end() ? nullptr : &*found;
}

Error ListenAddresses::open(const Wanted& wanted) {
  const Expected<Handle> handle = door_.open_listener(wanted.address, wanted.mode);
  if (handle) {
    open_.push_back({wanted, handle.value(), false});
    return Error::none;
  }
  const Error error = handle.error();
  const bool missing = error == Error::address_not_found || error == Error::unsupported;
  return wanted.optional && missing ? Error::none : error;
}

// Closes what is stale on this port. False: there is nothing of that kind.
bool ListenAddresses::close_stale_of(uint16_t port, std::vector<Wanted>* closed) {
  const size_t before = open_.size();
  std::erase_if(open_, [&](const Open& one) {
    if (!one.stale || one.wanted.address.unix_socket || one.wanted.address.port != port) {
      return false;
    }
    door_.close_listener(one.handle);
    closed->push_back(one.wanted);
    return true;
  });
  return open_.size() != before;
}

void ListenAddresses::close_stale() {
  std::erase_if(open_, [this](const Open& one) {
    if (one.stale) door_.close_listener(one.handle);
    return one.stale;
  });
}

void ListenAddresses::close_all() {
  for (Open& one : open_) one.stale = true;
  close_stale();
}

bool ListenAddresses::change(const Settings& settings, std::string* why) {
  const std::vector<Wanted> wanted = wanted_by(settings);
  for (Open& one : open_) one.stale = true;
  for (const Wanted& one : wanted) {
    if (Open* open = find(one.address)) open->stale = false;
  }
  std::vector<Wanted> closed;
  std::vector<Address> opened;
  for (const Wanted& one : wanted) {
    if (find(one.address) != nullptr) continue;
    Error error = open(one);
    if (error == Error::address_in_use && close_stale_of(one.address.port, &closed)) {
      error = open(one);
    }
    opened.push_back(one.address);
    if (error == Error::none) continue;
    *why = fmt::format("cannot listen on {}: {}",
                       one.address.unix_socket ? one.address.host : one.address.to_string(),
                       describe(error));
    for (Open& before : open_) before.stale = false;
    for (const Address& address : opened) {
      if (Open* given_up = find(address)) given_up->stale = true;
    }
    close_stale();
    for (const Wanted& again : closed) static_cast<void>(open(again));
    return false;
  }
  close_stale();
  return true;
}

}  // namespace redoubt

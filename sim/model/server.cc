// What the model knows of the connection and server families.
#include "sim/model/call.h"

namespace redoubt::sim {
namespace {

ModelReply ping_command(ModelCall& call) {
  if (call.count() > 2) {
    return wrong_arity("ping");
  }
  return call.count() == 2 ? reply_bulk(call.argument(1)) : reply_status("PONG");
}

ModelReply echo_command(ModelCall& call) {
  return reply_bulk(call.argument(1));
}

ModelReply select_command(ModelCall& call) {
  ModelReply error;
  std::optional<int> index = parse_int32(call.argument(1), error);
  if (!index) {
    return error;
  }
  if (*index < 0 || *index >= call.config().databases) {
    return reply_error("ERR DB index is out of range");
  }
  call.session.database = *index;
  return reply_ok();
}

// Only the version: AUTH and SETNAME are for other tests.
ModelReply hello_command(ModelCall& call) {
  if (call.count() == 1) {
    return reply_rule(ModelReply::Rule::not_error);
  }
  std::optional<int64_t> version = parse_integer(call.argument(1));
  if (!version) {
    return reply_error("ERR Protocol version is not an integer or out of range");
  }
  if (*version != 2 && *version != 3) {
    return reply_error("NOPROTO unsupported protocol version");
  }
  if (call.count() > 2) {
    return reply_rule(ModelReply::Rule::anything);
  }
  call.session.resp = static_cast<int>(*version);
  return reply_rule(ModelReply::Rule::not_error);
}

ModelReply reset_command(ModelCall& call) {
  call.session = ModelSession();
  return reply_status("RESET");
}

ModelReply dbsize_command(ModelCall& call) {
  int64_t live = 0;
  int64_t held = 0;
  for (const auto& [key, entry] : call.database()) {
    live += entry.expired_at(call.now_ms) ? 0 : 1;
    held++;
  }
  return live == held || call.config().expiry_is_reported ? reply_integer(held)
                                                          : reply_integer_between(live, held);
}

// [ASYNC | SYNC]
bool flush_arguments_are_right(const ModelCall& call) {
  return call.count() == 1 || (call.count() == 2 && (same_word(call.argument(1), "ASYNC") ||
                                                     same_word(call.argument(1), "SYNC")));
}

ModelReply flushdb_command(ModelCall& call) {
  if (!flush_arguments_are_right(call)) {
    return reply_error(syntax_text);
  }
  call.database().clear();
  return reply_ok();
}

ModelReply flushall_command(ModelCall& call) {
  if (!flush_arguments_are_right(call)) {
    return reply_error(syntax_text);
  }
  call.model.clear();
  return reply_ok();
}

ModelReply swapdb_command(ModelCall& call) {
  ModelReply error;
  std::optional<int> first = parse_int32(call.argument(1), error);
  if (!first) {
    return reply_error("ERR invalid first DB index");
  }
  std::optional<int> second = parse_int32(call.argument(2), error);
  if (!second) {
    return reply_error("ERR invalid second DB index");
  }
  const int databases = call.config().databases;
  if (*first < 0 || *first >= databases || *second < 0 || *second >= databases) {
    return reply_error("ERR DB index is out of range");
  }
  call.swap_databases(*first, *second);
  return reply_ok();
}

ModelReply time_command(ModelCall&) {
  return reply_rule(ModelReply::Rule::two_bulks);
}

constexpr ModelCommand server_table[] = {
    {"dbsize", 1, dbsize_command, false},      {"echo", 2, echo_command, false},
    {"flushall", -1, flushall_command, false}, {"flushdb", -1, flushdb_command, false},
    {"hello", -1, hello_command, false},       {"ping", -1, ping_command, false},
    {"reset", 1, reset_command, false},        {"select", 2, select_command, false},
    {"swapdb", 3, swapdb_command, false},      {"time", 1, time_command, false},
};

}  // namespace

std::span<const ModelCommand> server_commands() {
  return server_table;
}

}  // namespace redoubt::sim

// Services: what a node has, for those of its components and commands that need more than one part
// of it. The node makes it and holds what it refers to.
#pragma once

namespace redoubt {

class Clients;
class CommandTable;
class Config;
class Dispatcher;
class EffectLog;
class Env;
class Eviction;
class Instrumentation;
class Keyspace;
class Logger;
class Node;
class Parts;
class Random;
class ReplyGate;
struct Settings;
struct Stats;

struct Services {
  Env& env;
  Config& config;
  const Settings& settings;
  CommandTable& commands;
  Stats& stats;
  Instrumentation& instrumentation;
  Logger& logger;
  EffectLog& effects;
  ReplyGate& gate;
  Random& random;
  Keyspace& keys;
  Eviction& eviction;
  Clients& clients;
  Dispatcher& dispatcher;
  Parts& parts;
  Node& node;
};

}  // namespace redoubt

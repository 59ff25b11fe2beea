// Rows of INFO about the keyspace.
#pragma once

namespace redoubt {

class InfoRegistry;
class Keyspace;

// Registers the rows; `keyspace` outlives the registry.
void register_keyspace(InfoRegistry& registry, Keyspace& keyspace);

}  // namespace redoubt

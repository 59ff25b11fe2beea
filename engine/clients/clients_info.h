// Rows of INFO about the clients.
#pragma once

namespace redoubt {

class Clients;
class InfoRegistry;

// Registers the rows; `clients` outlives the registry.
void register_clients(InfoRegistry& registry, Clients& clients);

}  // namespace redoubt

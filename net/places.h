// Places in product code that a simulation knows by name.
//
// A mark says that something that is seldom was reached: a sweep counts it, and tells of marks that
// no seed has reached. An unlucky place is a choice that is free by all contracts, at which the
// code usually takes the better one; a simulation takes the worse one, now and then:
//
//   REDOUBT_REACHED(expiry_cut_short);
//   size_t window = REDOUBT_UNLUCKY(window_of_one) ? 1 : kWindow;
//
// Code of which nothing is left outside stands behind `if constexpr (kSimulation)`.
//
// Outside of simulations nothing is left of any. Files that include this one are compiled a
// second time for the simulator (CMakeLists.txt), so it is for .cc files only.
#pragma once

#include <cstdint>

// X(name, description)
#define REDOUBT_MARKS(X)                                                                  \
  X(expiry_cut_short, "active expiry has more to do than a step may")                     \
  X(eviction_of_nothing, "memory is over the limit, and there is nothing to evict")       \
  X(refused_for_memory, "a command is refused because memory is used up")                 \
  X(freed_in_slices, "a removed value needs more than one slice to be freed")             \
  X(wait_served, "a command that waits is served by a write")                             \
  X(wait_in_vain, "a command that waits is told that its time is over")                   \
  X(wait_retried, "a command that waited runs again and goes on waiting")                 \
  X(watch_failed, "EXEC runs nothing because a watched key has changed")                  \
  X(watched_key_expired, "EXEC runs nothing because a watched key has expired")           \
  X(rolled_back, "a transaction is undone")                                               \
  X(output_held, "a client does not read as fast as it is answered")                      \
  X(request_in_pieces, "a request arrives in several pieces")                             \
  X(broken_request, "a request breaks the protocol, and its connection ends")             \
  X(accept_failed, "a connection cannot be accepted, for lack of handles or for a fault") \
  X(stored_while_paused, "commands are kept while CLIENT PAUSE lasts")                    \
  X(snapshot_kept, "a snapshot keeps what a writer changes")                              \
  X(snapshot_kept_database, "a snapshot keeps a database that is flushed")                \
  X(snapshots_at_once, "two snapshots run at once")                                       \
  X(dict_segment_split, "a part of a table of keys is full and becomes two")              \
  X(dict_segments_merged, "two parts of a table of keys become one")                      \
  X(dict_segment_clustered, "a part of a table of keys is too uneven to become smaller")  \
  X(list_unpacked, "a list becomes one of several nodes")                                 \
  X(list_packed, "a list becomes one block again")                                        \
  X(list_node_split, "a node of a list becomes two")                                      \
  X(list_nodes_merged, "two nodes of a list become one")                                  \
  X(integers_to_listpack, "a set of integers gets a text")                                \
  X(set_to_table, "a set becomes a table")                                                \
  X(hash_with_deadlines, "a packed hash gets a field that expires")                       \
  X(hash_to_table, "a hash becomes a table")                                              \
  X(hyperloglog_dense, "a HyperLogLog becomes dense")                                     \
  X(rank_tree_of_three_levels, "a sorted set has three levels of nodes")                  \
  X(rank_tree_leaf_dropped, "the leaves of a sorted set become fewer")                    \
  X(rank_tree_inner_dropped, "the inner nodes of a sorted set become fewer")              \
  X(rank_tree_root_lowered, "a sorted set has one level less")

#define REDOUBT_UNLUCKY_PLACES(X)                                                 \
  X(window_of_one, "requests of a batch are fetched and executed one by one")     \
  X(expiry_of_one, "active expiry looks at one segment only")                     \
  X(eviction_sample_of_one, "eviction looks at one key only")                     \
  X(free_later, "a removed value is kept for the slices, however small it is")    \
  X(free_little, "of what is to be freed in slices, next to nothing is freed")    \
  X(trim_everything, "memory that is not needed goes back to the system at once") \
  X(snapshot_of_one, "a snapshot takes next to nothing in a step")                \
  X(aof_entry_alone, "an entry of the append-only file is written by itself")

namespace redoubt {

#define X(name, ...) name,
enum class Mark : uint8_t { REDOUBT_MARKS(X) };
enum class UnluckyPlace : uint8_t { REDOUBT_UNLUCKY_PLACES(X) };
#undef X

// Only in simulations (sim/places.cc).
void reached(Mark mark);
bool unlucky(UnluckyPlace place);

#ifdef REDOUBT_SIMULATION
#define REDOUBT_REACHED(name) ::redoubt::reached(::redoubt::Mark::name)
#define REDOUBT_UNLUCKY(name) ::redoubt::unlucky(::redoubt::UnluckyPlace::name)
constexpr bool kSimulation = true;
#else
#define REDOUBT_REACHED(name) static_cast<void>(0)
#define REDOUBT_UNLUCKY(name) false
constexpr bool kSimulation = false;
#endif

}  // namespace redoubt

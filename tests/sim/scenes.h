// Small worlds around naive programs, for the faults to break. A scene builds its world, runs it
// and returns what was seen: a complaint, or a story that did not finish, means that the program
// broke.
#pragma once

#include "tests/sim/naive.h"

namespace redoubt::sim {

using Scene = Seen (*)(World&);

// A client and an echo: answers come whole, unchanged, in time, and always.
Seen ask_an_echo(World& world);
// Two echoes: one of them is always there.
Seen ask_one_of_two(World& world);
// A connection breaks between messages, not within one.
Seen receive_messages(World& world);
// What is sent first, on one stream, arrives before what is sent later on another.
Seen send_on_two_streams(World& world);
// A send completes before its answer comes.
Seen send_and_receive_at_once(World& world);
// What is cancelled is over at once; and does not complete any more.
Seen cancel_and_look(World& world);
Seen cancel_and_forget(World& world);
// Lent chunks can be kept, and handles be had, without end.
Seen keep_what_is_lent(World& world);
Seen collect_connections(World& world);

// Writes succeed, soon; with syncs, too.
Seen write_a_file(World& world);
Seen write_and_sync(World& world);
// A reader sees a write as a whole.
Seen read_beside_a_write(World& world);
// A sync that is submitted well after a write covers it.
Seen sync_behind_a_write(World& world);
// What was synced is there after a power loss, without a look at what the sync answers.
Seen sync_then_lose_power(World& world);
// What was written over is there after a power loss, without a sync.
Seen overwrite_then_lose_power(World& world);
// So is a file that was created, and one that was renamed, without a sync of the directory.
Seen create_then_lose_power(World& world);
Seen rename_then_lose_power(World& world);
// What was synced, names too, is there whenever the process looks, as it was.
Seen keep_a_file(World& world);
// And what was only written.
Seen write_and_trust(World& world);

// Clocks tell the same everywhere, run as fast, never jump, and timers are on time.
Seen trust_clocks(World& world);

}  // namespace redoubt::sim

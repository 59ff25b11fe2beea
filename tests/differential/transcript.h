// Transcripts: commands and the exact bytes that answer them, as readable text.
//
//   # Comment.                 for the reader
//   # resp 3                   from here on in RESP3 (a file begins in RESP2)
//   # newer 8.4                the commands until the next blank line are newer than Redis 7.0
//   # differs: why             the commands until the next blank line differ from 7.0 on purpose
//   # ordered no               the next reply's elements come in any order
//   > SET k "a \x00 b"         a command: words, or double quotes with \n \r \t \\ \" \xNN
//   +OK                        its reply, line by line, CR LF after each
//   > GET k
//   $5
//   a \x00 b                   escapes as in quotes, so every byte can be written down; \- is
//   nothing,
//                              for a line that is empty
//
// In a reply line `...` stands for any text to the end of the line, so `-ERR ...` is any ERR error
// and `:...` any integer. A file begins with an empty server (FLUSHALL, SELECT 0, HELLO 2), and so
// does each part that begins with a line `## title`.
#pragma once

#include <cstddef>
#include <string>

#include "tests/differential/connection.h"

namespace redoubt::differential {

struct TranscriptResult {
  size_t passed = 0;
  size_t failed = 0;
  size_t left_out = 0;
};

// Plays a file and prints what differs. With `skip_newer` the commands marked as newer or different
// are left out, so that a redis-server 7.0 passes. `server` is HOST:PORT, or "model"; the model
// leaves out the commands that it does not know. Throws when the file cannot be read or is wrong.
void play_transcript(const std::string& server, const std::string& file, bool skip_newer,
                     TranscriptResult& result);

}  // namespace redoubt::differential

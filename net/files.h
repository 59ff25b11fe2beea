// Whole files, as coroutines: the straight stories that a rewrite of a configuration, a list of
// users or a manifest has in common.
#pragma once

#include <cstdint>
#include <string>

#include "net/env.h"
#include "net/task.h"

namespace redoubt {

// Single operations.
Task<Expected<Handle>> open_file(Env& env, std::string path, OpenFlags flags);
Task<Expected<uint64_t>> file_size(Env& env, Handle file);
Task<Error> rename_file(Env& env, std::string from, std::string to);
Task<Error> remove_file(Env& env, std::string path);
// Error::exists: something of that name is there.
Task<Error> make_directory(Env& env, std::string path);
// The names in it reach the medium.
Task<Error> sync_directory(Env& env, std::string path);

// The first bytes of a file, fewer than asked when it is shorter.
Task<Expected<std::string>> read_beginning(Env& env, std::string path, size_t bytes);
// All of a file. One that is larger than `bytes_max` is Error::invalid.
Task<Expected<std::string>> read_whole(Env& env, std::string path, uint64_t bytes_max);

// Gives the file new contents, whole: they are written to PATH.tmp, reach the medium, and take the
// file's name, which reaches the medium too. So a crash leaves the old file or the new one. On an
// error the old one is there, and PATH.tmp is removed; but when the last step fails (the name may
// not have reached the medium) the new one is there. Of two at a time for one path, either may win.
Task<Error> replace_file(Env& env, std::string path, std::string contents);

// What a path's name is in: "/etc" of "/etc/x", "." of "x".
std::string directory_of(const std::string& path);

}  // namespace redoubt

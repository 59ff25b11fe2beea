// What the process asks of the kernel: processors, its place in the order in which a kernel out of
// memory ends processes, descriptors, files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace redoubt {

// Binds the calling thread to processors, as "0-7:2,8" (checked before). False: the kernel refuses.
bool use_cpus(const std::string& list);

// /proc/self/oom_score_adj.
std::optional<int> oom_score_adj();
bool set_oom_score_adj(int score);

// The number of a group of users; nullopt when there is none of that name.
std::optional<int64_t> group_number(const std::string& name);

// The file at `path`; "-" is standard input. False: *why says why not.
bool read_file(const std::string& path, std::string* text, std::string* why);
// The files that match the pattern, in order.
std::vector<std::string> find_files(const std::string& pattern);
// The same path from the root, without links; as it is when there is nothing.
std::string absolute(const std::string& path);

}  // namespace redoubt

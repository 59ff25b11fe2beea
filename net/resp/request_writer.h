// Requests as a client writes them: arrays of bulk strings.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace redoubt {

// Appends a request of these words, the command's name first.
void append_request(std::string& out, std::initializer_list<std::string_view> words);

}  // namespace redoubt

#include "net/resp/request_writer.h"

namespace redoubt {

void append_request(std::string& out, std::initializer_list<std::string_view> words) {
  const auto header = [&out](char type, size_t number) {
    out += type;
    out += std::to_string(number);
    out += "\r\n";
  };
  header('*', words.size());
  for (const std::string_view word : words) {
    header('$', word.size());
    out += word;
    out += "\r\n";
  }
}

}  // namespace redoubt

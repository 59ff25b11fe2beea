// Elements of packed values, which are texts or integers, as commands show them.
#pragma once

#include <optional>
#include <string_view>

#include "engine/store/listpack.h"
#include "net/resp/reply_writer.h"

namespace redoubt {

// An element's bytes, its digits when it is an integer.
class ElementText {
 public:
  explicit ElementText(const Listpack::Element& element)
      : text_(element.is_number ? digits_.emplace(element.number).view() : element.text) {}
  ElementText(const ElementText&) = delete;
  ElementText& operator=(const ElementText&) = delete;
  std::string_view view() const { return text_; }

 private:
  std::optional<IntegerText> digits_;
  std::string_view text_;
};

// An element as a bulk string.
inline void reply_element(ReplyWriter& reply, const Listpack::Element& element) {
  element.is_number ? reply.bulk_integer(element.number) : reply.bulk(element.text);
}

}  // namespace redoubt

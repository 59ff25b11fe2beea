// AofParser: the commands and annotations of an append-only file, from pieces of it.
//
// It keeps what it was fed from keep_from() on, so that commands can be looked at as long as an
// entry needs them: arguments are places in the bytes, not copies. A length that is claimed costs
// nothing before the bytes are there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace redoubt {

class AofParser {
 public:
  enum class Item : uint8_t {
    need_more,   // the file goes on, or ends within an item
    command,     // args()
    annotation,  // line(), with its '#' and without its end
    malformed,   // problem()
  };

  // An argument: where it is in the file.
  struct Place {
    uint64_t at;
    size_t size;
  };

  // `first` is the place in the file of the first byte that is fed.
  explicit AofParser(uint64_t first = 0) : base_(first), at_(first) {}

  // More bytes of the file. Views end.
  void feed(std::string_view bytes) { buffer_ += bytes; }
  // Room for `size` bytes of the file, to be filled before took() says how many there are.
  char* room(size_t size);
  void took(size_t size) { buffer_.resize(filled_ + size); }

  // Reads the next item. After `need_more` and `malformed` it stands where it stood.
  Item next();
  const std::vector<Place>& args() const { return args_; }
  std::string_view line() const { return line_; }
  const std::string& problem() const { return problem_; }

  // The place in the file behind the last item.
  uint64_t at() const { return at_; }
  // The place behind all bytes that were fed.
  uint64_t fed() const { return base_ + buffer_.size(); }
  // Bytes of the file that are still kept; valid until more is fed.
  std::string_view bytes(uint64_t from, uint64_t to) const {
    return std::string_view(buffer_).substr(static_cast<size_t>(from - base_),
                                            static_cast<size_t>(to - from));
  }
  std::string_view view(const Place& place) const { return bytes(place.at, place.at + place.size); }
  // What is in front of this place is not needed any more.
  void keep_from(uint64_t place);
  size_t memory_bytes() const { return buffer_.capacity(); }

 private:
  // A line such as "*3": its number. `at` moves behind it.
  enum class Number : uint8_t { good, need_more, bad };
  Number read_number(char type, uint64_t* at, int64_t* value);
  Item read_command();
  Item read_annotation();
  Item fail(uint64_t at, std::string_view what);

  std::string buffer_;
  uint64_t base_;  // the place of its first byte
  uint64_t at_;
  size_t filled_ = 0;
  std::vector<Place> args_;
  // Of a command that is not there as a whole: where it goes on, and how many arguments it lacks.
  uint64_t resume_at_ = 0;
  int64_t args_left_ = 0;
  std::string_view line_;
  std::string problem_;
};

}  // namespace redoubt

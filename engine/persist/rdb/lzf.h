// LZF, the compression of strings in RDB files.
//
//   000nnnnn                    n + 1 bytes follow as they are
//   lllooooo oooooooo           l + 2 bytes from o + 1 bytes back; l is 1 to 6
//   111ooooo nnnnnnnn oooooooo  n + 9 bytes from o + 1 bytes back
//
// Own code, because liblzf's compressor looks at uninitialised memory by default: its output is not
// the same each time, and ours has to be.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace redoubt {

// No text becomes more than so many times as long as its compressed form.
inline constexpr size_t kLzfExpansionMax = 88;

// Writes exactly `size` bytes. False: the compressed text does not say what to write there; what is
// written then is undefined. Never reads or writes beyond.
bool lzf_decompress(std::string_view compressed, char* to, size_t size);

// Compresses one text after the other; the same text always becomes the same.
class LzfCompressor {
 public:
  // Writes at most `room` bytes. Returns how many, 0 when there is not room enough or the text is
  // too long to be compressed (2 GB).
  size_t compress(std::string_view text, char* to, size_t room);

 private:
  static constexpr int kHashBits = 13;

  // Where three bytes with a hash were seen last, counted from the first text on.
  std::array<uint32_t, size_t{1} << kHashBits> seen_{};
  uint32_t begin_ = 1;  // where the next text begins
};

}  // namespace redoubt

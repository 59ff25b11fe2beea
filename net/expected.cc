#include "net/expected.h"

namespace redoubt {

std::string_view describe(Error error) {
  switch (error) {
    case Error::none: return "no error";
    case Error::cancelled: return "cancelled";
    case Error::not_found: return "no such file or directory";
    case Error::exists: return "exists already";
    case Error::access_denied: return "permission denied";
    case Error::address_in_use: return "address already in use";
    case Error::address_not_found: return "address not available on this machine";
    case Error::refused: return "connection refused";
    case Error::reset: return "connection reset by peer";
    case Error::closed: return "connection closed by peer";
    case Error::unreachable: return "host or network unreachable";
    case Error::timed_out: return "timed out";
    case Error::no_space: return "no space left on device";
    case Error::too_many_files: return "too many open files";
    case Error::no_memory: return "out of memory";
    case Error::read_only: return "read-only file system";
    case Error::is_directory: return "is a directory";
    case Error::not_directory: return "not a directory";
    case Error::not_empty: return "directory not empty";
    case Error::invalid: return "invalid argument";
    case Error::input_output: return "input/output error";
    case Error::locked: return "locked by another process";
    case Error::unsupported: return "not supported";
  }
  return "unknown error";
}

}  // namespace redoubt

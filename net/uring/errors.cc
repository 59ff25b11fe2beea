#include "net/uring/errors.h"

#include <cerrno>

namespace redoubt {

Error error_from_errno(int code) {
  switch (code) {
    case ECANCELED:
    case EINTR: return Error::cancelled;  // a file operation that was stopped while it ran
    case ENOENT: return Error::not_found;
    case EEXIST: return Error::exists;
    case EACCES:
    case EPERM: return Error::access_denied;
    case EADDRINUSE: return Error::address_in_use;
    case EADDRNOTAVAIL: return Error::address_not_found;
    case ECONNREFUSED: return Error::refused;
    case ECONNRESET:
    case ECONNABORTED: return Error::reset;
    case EPIPE:
    case ENOTCONN:
    case ESHUTDOWN: return Error::closed;
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH: return Error::unreachable;
    case ETIMEDOUT: return Error::timed_out;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return Error::no_space;
    case EMFILE:
    case ENFILE: return Error::too_many_files;
    case ENOMEM:
    case ENOBUFS: return Error::no_memory;
    case EROFS: return Error::read_only;
    case EISDIR: return Error::is_directory;
    case ENOTDIR: return Error::not_directory;
    case ENOTEMPTY: return Error::not_empty;
    case EBADF:
    case EINVAL:
    case ELOOP:
    case ENAMETOOLONG:
    case ESPIPE:
    case EXDEV: return Error::invalid;
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EOPNOTSUPP:
    case ENOSYS: return Error::unsupported;
    default: return Error::input_output;
  }
}

}  // namespace redoubt

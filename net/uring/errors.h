// The one place where the kernel's error numbers become the door's errors.
#pragma once

#include "net/expected.h"

namespace redoubt {

// `code` is a positive errno value.
Error error_from_errno(int code);

}  // namespace redoubt

#include "engine/store/type_ops.h"

#include <array>

#include "engine/store/string_type.h"

namespace redoubt {

namespace {

// Indexed by Type.
constexpr std::array<TypeOps, 1> kRows = {kStringOps};

}  // namespace

const TypeOps& ops_of(Type type) {
  return kRows[static_cast<size_t>(type)];
}

std::string_view encoding_name(Encoding encoding) {
  switch (encoding) {
    case Encoding::raw: return "raw";
    case Encoding::integer: return "int";
    case Encoding::embstr: return "embstr";
  }
  return "unknown";
}

}  // namespace redoubt

#include "sim/scenario/limits.h"

namespace redoubt::sim {

namespace {

constexpr LimitRow kLimitRows[] = {
    {"hash-max-listpack-entries", "512 | 512 | 1..16 log | 1..600 log"},
    {"hash-max-listpack-value", "64 | 64 | 1..12 | 1..300 log"},
    {"set-max-intset-entries", "512 | 512 | 1..16 log | 1..600 log"},
    {"set-max-listpack-entries", "128 | 128 | 1..16 log | 1..600 log"},
    {"set-max-listpack-value", "64 | 64 | 1..12 | 1..300 log"},
    {"zset-max-listpack-entries", "128 | 128 | 1..16 log | 1..600 log"},
    {"zset-max-listpack-value", "64 | 64 | 1..12 | 1..300 log"},
    {"list-max-listpack-size", "-2 | -2 | -5..-1 | 1..16 log | 1..300 log"},
    {"hll-sparse-max-bytes", "3000 | 3000 | 20..300 log | 300..16000 log"},
    {"stream-node-max-entries", "100 | 100 | 1..8 | 1..200 log"},
};

}  // namespace

std::span<const LimitRow> limit_rows() {
  return kLimitRows;
}

}  // namespace redoubt::sim

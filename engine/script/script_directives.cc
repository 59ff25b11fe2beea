// The directives of scripts.
#include <array>

#include "engine/config/directive.h"
#include "engine/script/scripting.h"

namespace redoubt {

namespace {

using namespace directive;
using S = ScriptSettings;

}  // namespace

constexpr std::array<Directive, kScriptDirectiveCount> kScriptDirectives = {
    integer("busy-reply-threshold", "5000", 0, kMax)
        .also("lua-time-limit")
        .sets(store<&S::busy_reply_threshold_ms>),
    integer("script-max-time", "0", 0, kMax).sets(store<&S::time_max_ms>),
    choice("script-on-error", "keep", "keep|rollback").sets(store<&S::on_error>),
    boolean("script-undo-killed", "yes").sets(store<&S::undo_killed>),
    memory("script-memory-max", "1073741824", size_t{8} << 20).sets(store<&S::memory_max>),
};

}  // namespace redoubt

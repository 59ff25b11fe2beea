#include "engine/script/script_cache.h"

#include <fmt/format.h>

#include <utility>

#include "engine/script/script_header.h"
#include "engine/script/sha1.h"
#include "net/text.h"

namespace redoubt {

namespace {

constexpr size_t kShaBytes = 40;

size_t bytes_of(const CachedScript& script) {
  return sizeof script + 2 * script.sha.size() + script.text.size() + 64;
}

}  // namespace

const CachedScript* ScriptCache::find(std::string_view sha) {
  if (sha.size() != kShaBytes) return nullptr;
  auto at = scripts_.find(sha);
  if (at == scripts_.end()) at = scripts_.find(to_lower(sha));
  if (at == scripts_.end()) return nullptr;
  use(at->second);
  return &at->second;
}

bool ScriptCache::contains(std::string_view sha) const {
  return sha.size() == kShaBytes && scripts_.contains(to_lower(sha));
}

const CachedScript* ScriptCache::get(std::string_view text, bool load, std::string* error) {
  const std::array<char, kShaBytes> sha = sha1_hex(text);
  if (const auto known = scripts_.find(view_of(sha)); known != scripts_.end()) {
    CachedScript& script = known->second;
    if (load && !script.loaded) {
      script.loaded = true;
      evaluated_.erase(script.used);
    }
    use(script);
    return &script;
  }
  ScriptHeader header;
  *error = parse_script_header(text, &header);
  if (!error->empty()) return nullptr;
  const std::optional<int> function = vm_.compile(header.code, error);
  if (!function) {
    *error = fmt::format("ERR Error compiling script (new function): {}", *error);
    return nullptr;
  }
  if (!load && evaluated_.size() >= kEvaluatedMax) forget_oldest();
  CachedScript& script = scripts_[std::string(view_of(sha))];
  script.sha = view_of(sha);
  script.text = text;
  script.flags = header.flags;
  script.function = *function;
  script.loaded = load;
  bytes_ += bytes_of(script);
  use(script);
  return &script;
}

void ScriptCache::use(CachedScript& script) {
  if (script.loaded) return;
  evaluated_.erase(script.used);
  script.used = ++uses_;
  evaluated_.emplace(script.used, &script);
}

void ScriptCache::forget_oldest() {
  CachedScript& oldest = *evaluated_.begin()->second;
  evaluated_.erase(evaluated_.begin());
  vm_.release(oldest.function);
  bytes_ -= bytes_of(oldest);
  scripts_.erase(scripts_.find(oldest.sha));
  ++evicted_;
}

}  // namespace redoubt

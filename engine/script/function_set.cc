#include "engine/script/function_set.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "engine/script/script_header.h"

namespace redoubt {

namespace {

size_t bytes_of(const FunctionLibrary& library) {
  size_t bytes = sizeof library + 2 * library.name.size() + library.source.size() + 64;
  for (const ScriptVm::Registered& each : library.functions) {
    bytes += sizeof each + 2 * each.name.size() + each.description.size() + 64;
  }
  return bytes;
}

}  // namespace

std::string FunctionSet::load(std::string_view source, bool replace, bool trusted,
                              std::string* name) {
  ScriptHeader header;
  std::string error = parse_library_header(source, &header);
  if (!error.empty()) return error;
  const auto old = libraries_.find(header.library);
  if (old != libraries_.end() && !replace) {
    return fmt::format("ERR Library '{}' already exists", header.library);
  }
  std::optional<std::vector<ScriptVm::Registered>> functions =
      vm_.load_library(header.code, trusted, &error);
  if (!functions) return "ERR " + error;
  if (functions->empty()) error = "ERR No functions registered";
  for (const ScriptVm::Registered& each : *functions) {
    const auto other = functions_.find(each.name);
    if (other != functions_.end() && other->second->name != header.library) {
      error = fmt::format("ERR Function {} already exists", each.name);
    }
  }
  if (!error.empty()) {
    for (const ScriptVm::Registered& each : *functions) vm_.release(each.function);
    return error;
  }
  *name = header.library;
  if (old != libraries_.end()) remove(*name);
  FunctionLibrary& library = libraries_[*name];
  library = {.name = *name, .source = std::string(source), .functions = std::move(*functions)};
  for (const ScriptVm::Registered& each : library.functions) functions_[each.name] = &library;
  bytes_ += bytes_of(library);
  return {};
}

bool FunctionSet::remove(std::string_view name) {
  const auto at = libraries_.find(name);
  if (at == libraries_.end()) return false;
  for (const ScriptVm::Registered& each : at->second.functions) {
    vm_.release(each.function);
    functions_.erase(each.name);
  }
  bytes_ -= bytes_of(at->second);
  libraries_.erase(at);
  return true;
}

const ScriptVm::Registered* FunctionSet::find(std::string_view function) const {
  const auto at = functions_.find(function);
  if (at == functions_.end()) return nullptr;
  for (const ScriptVm::Registered& each : at->second->functions) {
    if (each.name == function) return &each;
  }
  UNREACHABLE();
}

std::vector<std::string> FunctionSet::sources() const {
  std::vector<std::string> sources;
  sources.reserve(libraries_.size());
  for (const auto& [name, library] : libraries_) sources.push_back(library.source);
  return sources;
}

}  // namespace redoubt

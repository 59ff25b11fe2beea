// FunctionSources: the sources of a node's function libraries. They belong to its data: snapshots
// have them, and whoever loads data replaces them. What compiles them is elsewhere (engine/script).
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace redoubt {

// Compiles the libraries. It outlives the sources, or is taken out.
class FunctionUser {
 public:
  // Other sources have come in place of those that there were. Returns an empty text, or why one of
  // them cannot be used; then none is.
  virtual std::string on_functions_replaced(const std::vector<std::string>& sources) = 0;

 protected:
  ~FunctionUser() = default;
};

class FunctionSources {
 public:
  FunctionSources() = default;
  FunctionSources(const FunctionSources&) = delete;
  FunctionSources& operator=(const FunctionSources&) = delete;

  const std::vector<std::string>& all() const { return all_; }
  // Null: they are only kept.
  void set_user(FunctionUser* user) { user_ = user; }

  // Data was loaded that has these. Returns an empty text, or why one of them cannot be used.
  std::string replace(std::vector<std::string> sources) {
    all_ = std::move(sources);
    return user_ == nullptr ? std::string() : user_->on_functions_replaced(all_);
  }
  // The user has changed them.
  void keep(std::vector<std::string> sources) { all_ = std::move(sources); }

 private:
  std::vector<std::string> all_;
  FunctionUser* user_ = nullptr;
};

}  // namespace redoubt

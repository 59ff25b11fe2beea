#include "server/title.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace redoubt {

ProcessTitle::ProcessTitle(int argc, char** argv) {
  if (argc == 0) return;
  program_ = argv[0];
  char* end = argv[0];
  const auto extend = [&end](char* text) {
    if (text == end) end = text + strlen(text) + 1;
  };
  for (int i = 0; i < argc; ++i) extend(argv[i]);
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    extend(*variable);
    variables.emplace_back(*variable);
  }
  clearenv();
  for (const std::string& variable : variables) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos) continue;
    setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
  }
  memory_ = argv[0];
  size_ = static_cast<size_t>(end - argv[0]);
}

void ProcessTitle::set(std::string_view title) {
  if (size_ == 0) return;
  const size_t shown = std::min(title.size(), size_ - 1);
  std::memcpy(memory_, title.data(), shown);
  std::memset(memory_ + shown, 0, size_ - shown);
}

namespace {

std::string title_field(const Config& config, std::string_view program, std::string_view name) {
  const Settings& settings = config.settings();
  const std::string port = std::to_string(settings.port);
  if (name == "title") return std::string(program);
  if (name == "listen-addr") {
    if (settings.port == 0) return settings.unixsocket;
    return (settings.bind.empty() ? "*" : settings.bind.front()) + ":" + port;
  }
  if (name == "port") return port;
  if (name == "tls-port") return "0";
  if (name == "unixsocket") return settings.unixsocket;
  if (name == "config-file") return config.file();
  return {};  // server-mode: neither a sentinel nor of a cluster
}

}  // namespace

std::string title_text(const Config& config, std::string_view program) {
  std::string text;
  std::string_view rest = config.settings().process_title;
  while (!rest.empty()) {
    const size_t open = std::min(rest.find('{'), rest.size());
    text += rest.substr(0, open);
    rest.remove_prefix(open);
    if (rest.empty()) break;
    const size_t close = rest.find('}');  // there is one: the directive was checked
    text += title_field(config, program, rest.substr(1, close - 1));
    rest.remove_prefix(close + 1);
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace redoubt

#include "engine/insight/logger.h"

#include <string>

#include "engine/insight/log_format.h"

namespace redoubt {

Logger::Logger(Env& env, const Settings& settings)
    : env_(env), settings_(settings), pid_(env.backend().process_facts().pid) {}

void Logger::log(LogLevel level, std::string_view message) const {
  if (level < settings_.loglevel || level == LogLevel::nothing) return;
  const std::string line =
      format_log_line({settings_.log_format, env_.wall(), pid_, role_, level}, message);
  env_.backend().log(static_cast<Level>(level), line);
}

}  // namespace redoubt

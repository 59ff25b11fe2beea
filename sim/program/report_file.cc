#include "sim/program/report_file.h"

#include <utility>

namespace redoubt::sim {

ReportFile::~ReportFile() {
  if (file_ != nullptr) std::fclose(file_);
}

bool ReportFile::open(const std::string& path) {
  if (path.empty()) return true;
  file_ = std::fopen(path.c_str(), "we");
  return file_ != nullptr;
}

bool ReportFile::write(const ReportFacts& facts) {
  if (file_ == nullptr) return true;
  const std::string page = make_report(recorder_, facts);
  const bool whole = std::fwrite(page.data(), 1, page.size(), file_) == page.size();
  return std::fclose(std::exchange(file_, nullptr)) == 0 && whole;
}

}  // namespace redoubt::sim

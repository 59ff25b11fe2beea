// What `--report F.html` asks for: the file, opened before the filter of system calls is there, and
// the recorder of the run.
#pragma once

#include <cstdio>
#include <string>

#include "sim/report/report.h"

namespace redoubt::sim {

class ReportFile {
 public:
  ReportFile() = default;
  ~ReportFile();
  ReportFile(const ReportFile&) = delete;
  ReportFile& operator=(const ReportFile&) = delete;

  // Empty: no report is wanted. False, with errno: it cannot be written there.
  bool open(const std::string& path);
  // For RunOptions::recorder; null when no report is wanted.
  RunRecorder* recorder() { return file_ == nullptr ? nullptr : &recorder_; }
  // After the run. True when all is written, or none is wanted.
  bool write(const ReportFacts& facts);

 private:
  std::FILE* file_ = nullptr;
  RunRecorder recorder_;
};

}  // namespace redoubt::sim

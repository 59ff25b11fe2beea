// Compares servers by what they answer. Nothing is started here: the servers run already.
//
//   differential --reference HOST:PORT --subject HOST:PORT|model [--seeds A..B] [--commands N]
//     plays the same random commands, in RESP2 and RESP3, to a redis-server 7.0 and to the subject
//   differential transcripts --server HOST:PORT|model [--skip-newer] FILE...
//     plays transcripts (tests/transcripts) to one server, or to the model
//
// The last line is "N passed, N failed"; exit status 0 when nothing failed, 1 otherwise, 2 on bad
// usage or without a server. WARNING: the servers' data is deleted.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/differential/stream.h"
#include "tests/differential/transcript.h"

namespace redoubt::differential {
namespace {

struct Options {
  std::string reference;
  std::string subject;
  std::string server;
  uint64_t first_seed = 1;
  uint64_t last_seed = 20;
  size_t commands = 2000;
  bool skip_newer = false;
  std::vector<std::string> files;
};

uint64_t parse_count(std::string_view text) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::runtime_error("expected a number, got '" + std::string(text) + "'");
  }
  return number;
}

void parse_seeds(std::string_view text, Options& options) {
  const size_t dots = text.find("..");
  options.first_seed = parse_count(text.substr(0, dots));
  options.last_seed =
      dots == std::string_view::npos ? options.first_seed : parse_count(text.substr(dots + 2));
}

Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); i++) {
    const std::string& word = arguments[i];
    if (word == "--skip-newer") {
      options.skip_newer = true;
    } else if (word.rfind("--", 0) != 0) {
      options.files.push_back(word);
    } else if (i + 1 == arguments.size()) {
      throw std::runtime_error(word + " needs a value");
    } else if (word == "--reference") {
      options.reference = arguments[++i];
    } else if (word == "--subject") {
      options.subject = arguments[++i];
    } else if (word == "--server") {
      options.server = arguments[++i];
    } else if (word == "--seeds") {
      parse_seeds(arguments[++i], options);
    } else if (word == "--commands") {
      options.commands = parse_count(arguments[++i]);
    } else {
      throw std::runtime_error("unknown option " + word);
    }
  }
  return options;
}

void report(StreamRunner& runner, uint64_t seed, int resp,
            const std::vector<OwnedCommand>& commands, const std::vector<Difference>& differences) {
  std::printf("\nseed %llu, RESP%d:\n", static_cast<unsigned long long>(seed), resp);
  for (const Difference& difference : differences) {
    std::printf("  #%zu %s\n    reference %s\n    subject   %s\n", difference.index,
                describe_command(difference.command).c_str(), difference.reference.c_str(),
                difference.subject.c_str());
  }
  std::printf("  the shortest stream found that still differs:\n");
  for (const OwnedCommand& command : runner.shrink(commands, resp)) {
    std::printf("    %s\n", describe_command(command).c_str());
  }
}

int run_streams(const Options& options) {
  constexpr size_t shown_max = 3;
  constexpr size_t failures_max = 10;
  std::unique_ptr<Subject> subject = options.subject == "model"
                                         ? model_subject()
                                         : server_subject(parse_endpoint(options.subject));
  StreamRunner runner(parse_endpoint(options.reference), *subject);
  size_t passed = 0;
  size_t failed = 0;
  for (uint64_t seed = options.first_seed; seed <= options.last_seed && failed < failures_max;
       seed++) {
    const std::vector<OwnedCommand> commands =
        make_stream(seed, options.commands, options.subject == "model");
    for (int resp : {2, 3}) {
      const std::vector<Difference> differences = runner.play(commands, resp, shown_max);
      (differences.empty() ? passed : failed)++;
      if (!differences.empty()) {
        report(runner, seed, resp, commands, differences);
      }
    }
  }
  std::printf("%llu replies compared, %llu not comparable\n%zu passed, %zu failed\n",
              static_cast<unsigned long long>(runner.compared()),
              static_cast<unsigned long long>(runner.skipped()), passed, failed);
  return failed == 0 ? 0 : 1;
}

int run_transcripts(const Options& options) {
  TranscriptResult result;
  for (const std::string& file : options.files) {
    play_transcript(options.server, file, options.skip_newer, result);
  }
  std::printf("%zu left out\n%zu passed, %zu failed\n", result.left_out, result.passed,
              result.failed);
  return result.failed == 0 ? 0 : 1;
}

int run(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments[0] == "transcripts") {
    const Options options = parse_options({arguments.begin() + 1, arguments.end()});
    if (options.server.empty() || options.files.empty()) {
      throw std::runtime_error("transcripts --server HOST:PORT|model [--skip-newer] FILE...");
    }
    return run_transcripts(options);
  }
  const Options options = parse_options(arguments);
  if (options.reference.empty() || options.subject.empty() || !options.files.empty()) {
    throw std::runtime_error(
        "--reference HOST:PORT --subject HOST:PORT|model [--seeds A..B] [--commands N]");
  }
  return run_streams(options);
}

}  // namespace
}  // namespace redoubt::differential

int main(int argc, char** argv) {
  try {
    return redoubt::differential::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "differential: %s\n", error.what());
    return 2;
  }
}

#include "tests/differential/transcript.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "sim/model/model.h"
#include "sim/model/resp_value.h"
#include "tests/differential/stream.h"

namespace redoubt::differential {
namespace {

struct Step {
  size_t line = 0;
  std::vector<std::string> command;
  std::vector<std::string> reply_lines;  // unescaped, without CR LF
  std::vector<bool> open_ended;          // the line ended in ...
  int resp = 2;
  bool newer = false;
  bool ordered = true;
  bool fresh = false;  // begins with an empty server
};

[[noreturn]] void bad_line(const std::string& file, size_t line, const std::string& why) {
  throw std::runtime_error(file + ":" + std::to_string(line) + ": " + why);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The character of the escape at text[i] == '\\'; moves i to its last byte.
bool take_escape(std::string_view text, size_t& i, char& out) {
  if (i + 1 >= text.size()) {
    return false;
  }
  switch (text[++i]) {
    case 'n': out = '\n'; return true;
    case 'r': out = '\r'; return true;
    case 't': out = '\t'; return true;
    case '\\': out = '\\'; return true;
    case '"': out = '"'; return true;
    case 'x': {
      if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) {
        return false;
      }
      out = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
      return true;
    }
    default: return false;
  }
}

bool unescape(std::string_view text, std::string& out) {
  out.clear();
  for (size_t i = 0; i < text.size(); i++) {
    char c = text[i];
    if (text.substr(i, 2) == "\\-") {  // nothing
      i++;
      continue;
    }
    if (c == '\\' && !take_escape(text, i, c)) {
      return false;
    }
    out += c;
  }
  return true;
}

bool split_command(std::string_view text, std::vector<std::string>& words) {
  for (size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      i++;
      continue;
    }
    const bool quoted = text[i] == '"';
    std::string word;
    size_t end = i + (quoted ? 1 : 0);
    while (end < text.size() && text[end] != (quoted ? '"' : ' ')) {
      end += text[end] == '\\' && quoted ? 2 : 1;
    }
    if (quoted && end >= text.size()) {
      return false;
    }
    const std::string_view inside = text.substr(i + (quoted ? 1 : 0), end - i - (quoted ? 1 : 0));
    if (quoted ? !unescape(inside, word) : (word = inside, false)) {
      return false;
    }
    words.push_back(std::move(word));
    i = end + (quoted ? 1 : 0);
  }
  return !words.empty();
}

bool starts_with(std::string_view text, std::string_view head) {
  return text.substr(0, head.size()) == head;
}

// What the directives above say about the next command.
struct Mood {
  int resp = 2;
  bool newer = false;
  bool ordered = true;
  bool fresh = true;
};

void take_directive(std::string_view line, Mood& mood) {
  if (starts_with(line, "## ")) {
    mood = Mood();
  } else if (starts_with(line, "# resp ")) {
    mood.resp = line.substr(7) == "3" ? 3 : 2;
  } else if (starts_with(line, "# newer ") || starts_with(line, "# differs: ")) {
    mood.newer = true;
  } else if (line == "# ordered no") {
    mood.ordered = false;
  }
}

void take_reply_line(const std::string& file, size_t number, std::string_view line, Step& step) {
  const bool open_ended = line.size() >= 3 && line.substr(line.size() - 3) == "...";
  if (open_ended) {
    line.remove_suffix(3);
  }
  std::string text;
  if (!unescape(line, text)) {
    bad_line(file, number, "an escape that is not known");
  }
  step.reply_lines.push_back(std::move(text));
  step.open_ended.push_back(open_ended);
}

std::vector<Step> read_transcript(const std::string& file) {
  std::ifstream input(file, std::ios::binary);
  if (!input) {
    throw std::runtime_error("cannot read " + file);
  }
  std::vector<Step> steps;
  Mood mood;
  std::string line;
  bool in_reply = false;
  for (size_t number = 1; std::getline(input, line); number++) {
    if (line.empty() && !in_reply) {
      mood.newer = false;
    } else if (line.empty()) {
      in_reply = false;
      mood.newer = false;
    } else if (line[0] == '#') {
      in_reply = false;
      take_directive(line, mood);
    } else if (starts_with(line, "> ")) {
      Step& step = steps.emplace_back();
      step.line = number;
      if (!split_command(std::string_view(line).substr(2), step.command)) {
        bad_line(file, number, "a command that cannot be read");
      }
      step.resp = mood.resp;
      step.newer = mood.newer;
      step.ordered = mood.ordered;
      step.fresh = mood.fresh;
      mood.ordered = true;
      mood.fresh = false;
      in_reply = true;
    } else if (in_reply) {
      take_reply_line(file, number, line, steps.back());
    } else {
      bad_line(file, number, "neither a command, a reply nor a comment");
    }
  }
  return steps;
}

// Line by line, because an open end is only known to reach to the end of its line.
bool reply_matches(const Step& step, std::string_view reply) {
  for (size_t i = 0; i < step.reply_lines.size(); i++) {
    const std::string& wanted = step.reply_lines[i];
    if (!starts_with(reply, wanted)) {
      return false;
    }
    reply.remove_prefix(wanted.size());
    const size_t end = step.open_ended[i] ? reply.find("\r\n") : 0;
    if (end == std::string_view::npos || reply.substr(end, 2) != "\r\n") {
      return false;
    }
    reply.remove_prefix(end + 2);
  }
  return reply.empty();
}

std::string wanted_text(const Step& step) {
  std::string out;
  for (size_t i = 0; i < step.reply_lines.size(); i++) {
    out += step.reply_lines[i] + (step.open_ended[i] ? "..." : "") + "\r\n";
  }
  return out;
}

bool step_passes(const Step& step, std::string_view reply) {
  if (step.ordered) {
    return reply_matches(step, reply);
  }
  sim::RespValue wanted;
  sim::RespValue got;
  if (!sim::parse_resp_exactly(wanted_text(step), wanted) || !sim::parse_resp_exactly(reply, got)) {
    return false;
  }
  auto by_text = [](const sim::RespValue& a, const sim::RespValue& b) { return a.text < b.text; };
  std::sort(wanted.items.begin(), wanted.items.end(), by_text);
  std::sort(got.items.begin(), got.items.end(), by_text);
  return wanted == got;
}

enum class Outcome { passed, failed, unknown };

class Player {
 public:
  virtual ~Player() = default;
  virtual void start() = 0;
  virtual void set_resp(int resp) = 0;
  virtual Outcome play(const Step& step, std::string& got) = 0;
};

class ServerPlayer : public Player {
 public:
  explicit ServerPlayer(const Endpoint& endpoint) : connection_(endpoint) {}

  void start() override {
    set_resp(2);
    connection_.call({"FLUSHALL"});
    connection_.call({"SELECT", "0"});
  }

  void set_resp(int resp) override { connection_.call({"HELLO", resp == 3 ? "3" : "2"}); }

  Outcome play(const Step& step, std::string& got) override {
    std::vector<std::string_view> views(step.command.begin(), step.command.end());
    connection_.queue(views);
    connection_.flush();
    const std::string_view reply = connection_.read_reply();
    got = sim::quote_bytes(reply);
    return step_passes(step, reply) ? Outcome::passed : Outcome::failed;
  }

 private:
  Connection connection_;
};

class ModelPlayer : public Player {
 public:
  void start() override {
    model_.clear();
    session_ = sim::ModelSession();
  }

  void set_resp(int resp) override { session_.resp = resp; }

  Outcome play(const Step& step, std::string& got) override {
    std::vector<std::string_view> views(step.command.begin(), step.command.end());
    const sim::ModelReply reply = model_.apply(session_, views, wall_ms());
    if (reply.rule == sim::ModelReply::Rule::anything) {
      return Outcome::unknown;
    }
    got = reply.expected_text();
    const bool open =
        std::find(step.open_ended.begin(), step.open_ended.end(), true) != step.open_ended.end();
    const bool passed = reply.rule == sim::ModelReply::Rule::exact
                            ? step_passes(step, reply.bytes)
                            : open || reply.matches(wanted_text(step));
    model_.learn(session_, views, wanted_text(step), wall_ms());
    return passed ? Outcome::passed : Outcome::failed;
  }

 private:
  sim::Model model_{sim::ModelConfig{}};
  sim::ModelSession session_;
};

std::unique_ptr<Player> make_player(const std::string& server) {
  if (server == "model") {
    return std::make_unique<ModelPlayer>();
  }
  return std::make_unique<ServerPlayer>(parse_endpoint(server));
}

// `line` is that of the step being played.
void play_steps(Player& player, const std::vector<Step>& steps, const std::string& file,
                bool skip_newer, TranscriptResult& result, size_t& line) {
  int resp = 2;
  for (const Step& step : steps) {
    line = step.line;
    if (step.fresh) {
      player.start();
      resp = 2;
    }
    if (step.newer && skip_newer) {
      result.left_out++;
      continue;
    }
    if (step.resp != resp) {
      player.set_resp(step.resp);
      resp = step.resp;
    }
    std::string got;
    const Outcome outcome = player.play(step, got);
    result.left_out += outcome == Outcome::unknown ? 1 : 0;
    result.passed += outcome == Outcome::passed ? 1 : 0;
    if (outcome == Outcome::failed) {
      result.failed++;
      std::printf("%s:%zu: wanted %s\n  got %s\n", file.c_str(), step.line,
                  sim::quote_bytes(wanted_text(step)).c_str(), got.c_str());
    }
  }
}

}  // namespace

void play_transcript(const std::string& server, const std::string& file, bool skip_newer,
                     TranscriptResult& result) {
  const std::vector<Step> steps = read_transcript(file);
  const std::unique_ptr<Player> player = make_player(server);
  size_t line = 0;
  try {
    play_steps(*player, steps, file, skip_newer, result, line);
  } catch (const std::runtime_error& error) {  // the connection's, which do not say where
    throw std::runtime_error(file + ":" + std::to_string(line) + ": " + error.what());
  }
}

}  // namespace redoubt::differential

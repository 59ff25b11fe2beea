#include "sim/report/report.h"

#include <algorithm>

#include "sim/report/data.h"
#include "sim/report/escape.h"
#include "sim/report/viewer.h"

namespace redoubt::sim {

namespace {

// What is said to those who run no scripts, and to search engines of a CI.
std::string summary(const ReportFacts& facts) {
  std::string text = "<p>Scenario ";
  append_html(text, facts.scenario);
  text += ", seed " + std::to_string(facts.seed) + ": ";
  if (const auto& violation = facts.result.violation) {
    text += "violation of ";
    append_html(text, violation->checker);
    text += "</p><dl><dt>Expected</dt><dd>";
    append_html(text, violation->expected);
    text += "</dd><dt>Seen</dt><dd>";
    append_html(text, violation->seen);
    text += "</dd><dt>Replay</dt><dd>";
    append_html(text, facts.replay);
    text += "</dd></dl>";
  } else {
    text += "every checker held.</p>";
  }
  return text + "<p>The picture needs JavaScript.</p>";
}

std::string title(const ReportFacts& facts) {
  std::string text;
  append_html(text, facts.scenario);
  text += " seed " + std::to_string(facts.seed);
  return text + (facts.result.violation ? " failed" : " ok");
}

// viewer.html with {{name}} replaced. Only the page's own text is looked at: what is put in may
// hold anything.
std::string fill(std::string_view page,
                 std::initializer_list<std::pair<std::string_view, std::string_view>> values) {
  std::string out;
  for (;;) {
    const size_t open = page.find("{{");
    if (open == std::string_view::npos) break;
    const size_t close = page.find("}}", open);
    ASSERT(close != std::string_view::npos);
    const std::string_view name = page.substr(open + 2, close - open - 2);
    out += page.substr(0, open);
    const auto value = std::find_if(values.begin(), values.end(),
                                    [&](const auto& pair) { return pair.first == name; });
    ASSERT(value != values.end());
    out += value->second;
    page.remove_prefix(close + 2);
  }
  out += page;
  return out;
}

}  // namespace

std::string make_report(const RunRecorder& recorder, const ReportFacts& facts,
                        const ReportLimits& limits) {
  std::optional<Found> found;
  if (facts.result.violation) {
    found = Found{facts.result.violation->at, facts.result.violation->node};
  }
  const Duration length = facts.result.recorded.value_or(facts.result.simulated);
  const Timeline timeline = make_timeline(recorder, Instant() + length, found);
  const std::string name = title(facts);
  const std::string words = summary(facts);
  for (size_t room = limits.items_max;;) {
    const std::string data = report_data(timeline, thin(timeline, room), facts);
    std::string page = fill(viewer_html(), {{"title", name},
                                            {"summary", words},
                                            {"style", viewer_css()},
                                            {"data", data},
                                            {"script", viewer_js()}});
    // The last resort is a page that is too large rather than none.
    constexpr size_t kLeast = 64;
    if (page.size() <= limits.bytes_max || room <= kLeast) return page;
    const double ratio = static_cast<double>(limits.bytes_max) / static_cast<double>(page.size());
    room = std::max(kLeast,
                    static_cast<size_t>(static_cast<double>(std::min(room, timeline.items.size())) *
                                        std::min(ratio, 1.0) * 0.97));
  }
}

}  // namespace redoubt::sim

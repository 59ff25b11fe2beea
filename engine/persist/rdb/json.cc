#include "engine/persist/rdb/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "engine/store/hash_type.h"
#include "engine/store/list_type.h"
#include "engine/store/set_type.h"
#include "engine/store/stream_type.h"
#include "engine/store/string_type.h"
#include "engine/store/zset.h"
#include "net/double_text.h"

namespace redoubt {

namespace {

void put_text(std::string& out, std::string_view bytes) {
  out += '"';
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= ' ' && byte <= '~') {
      out += c;
    } else {
      constexpr std::string_view kDigits = "0123456789abcdef";
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  out += '"';
}

std::string string_of(const Listpack::Element& element) {
  return element.is_number ? std::string(IntegerText(element.number).view())
                           : std::string(element.text);
}

// Commas between elements.
class Separator {
 public:
  explicit Separator(std::string& out) : out_(out) {}
  void next() {
    if (!first_) out_ += ',';
    first_ = false;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

// What has deadlines, in order of the names.
void put_deadlines(std::string& out, const std::map<std::string, int64_t>& deadlines) {
  if (deadlines.empty()) return;
  out += ",\"field_expire_ms\":[";
  Separator separator(out);
  for (const auto& [name, deadline_ms] : deadlines) {
    separator.next();
    out += '[';
    put_text(out, name);
    out += fmt::format(",{}]", deadline_ms);
  }
  out += ']';
}

void put_string(std::string& out, const Entry& entry) {
  StringScratch scratch;
  put_text(out, string_value(entry, scratch));
}

void put_list(std::string& out, const Entry& entry) {
  out += '[';
  Separator separator(out);
  for (ListCursor at = ListCursor::at(entry, 0); at; at.next()) {
    separator.next();
    put_text(out, string_of(at.element()));
  }
  out += ']';
}

void put_set(std::string& out, const Entry& entry, std::map<std::string, int64_t>& deadlines) {
  std::vector<std::string> members;
  const SetView set(entry);
  if (set.may_expire()) {
    set.table().for_each([&](const SetItem& item) {
      members.emplace_back(item.name());
      if (item.expires()) deadlines[members.back()] = item.deadline_ms();
    });
  } else {
    set.for_each([&](const SetElement& member) { members.push_back(string_of(member)); });
  }
  std::sort(members.begin(), members.end());
  out += '[';
  Separator separator(out);
  for (const std::string& member : members) {
    separator.next();
    put_text(out, member);
  }
  out += ']';
}

void put_hash(std::string& out, const Entry& entry, std::map<std::string, int64_t>& deadlines) {
  std::map<std::string, std::string> fields;
  HashView(entry).for_each([&](const HashField& field) {
    const std::string name = string_of(field.name);
    if (field.deadline_ms != kNeverExpires) deadlines[name] = field.deadline_ms;
    fields[name] = string_of(field.value);
  });
  out += '[';
  Separator separator(out);
  for (const auto& [name, value] : fields) {
    separator.next();
    out += '[';
    put_text(out, name);
    out += ',';
    put_text(out, value);
    out += ']';
  }
  out += ']';
}

void put_zset(std::string& out, const Entry& entry) {
  out += '[';
  Separator separator(out);
  for (ZsetView::Cursor at = ZsetView(entry).at_rank(0); at; at.next()) {
    separator.next();
    out += '[';
    put_text(out, at.member());
    out += ',';
    put_text(out, DoubleText(at.score()).view());
    out += ']';
  }
  out += ']';
}

void put_id(std::string& out, std::string_view name, StreamId id) {
  out += fmt::format("\"{}\":\"{}\"", name, StreamIdText(id).view());
}

void put_group(std::string& out, const StreamGroup& group) {
  out += "{\"name\":";
  put_text(out, group.name());
  out += ',';
  put_id(out, "last_delivered_id", group.last_id);
  out += group.entries_read == StreamGroup::kUnknown
             ? std::string(",\"entries_read\":null")
             : fmt::format(",\"entries_read\":{}", group.entries_read);
  out += ",\"pending\":[";
  Separator pending_separator(out);
  for (auto at = group.pending.first(); const StreamPending* pending = group.pending.at(at);
       at = group.pending.next(at)) {
    pending_separator.next();
    out += fmt::format("[\"{}\",", StreamIdText(pending->id).view());
    if (pending->consumer == nullptr) {
      out += "null";
    } else {
      put_text(out, owner_of(*pending));
    }
    out += fmt::format(",{},{}]", pending->delivered_ms, pending->deliveries);
  }
  out += "],\"consumers\":[";
  Separator separator(out);
  for (auto at = group.consumers.first(); const StreamConsumer* consumer = group.consumers.at(at);
       at = group.consumers.next(at)) {
    separator.next();
    out += "{\"name\":";
    put_text(out, consumer->name());
    out +=
        fmt::format(",\"seen_ms\":{},\"active_ms\":{}}}", consumer->seen_ms, consumer->active_ms);
  }
  out += "]}";
}

void put_idempotency(std::string& out, const StreamIdempotency& idempotency) {
  out += fmt::format(
      ",\"producers\":{{\"duration_s\":{},\"maxsize\":{},\"ids\":{},"
      "\"duplicates\":{},\"records\":[",
      idempotency.limits().duration_s, idempotency.limits().maxsize, idempotency.made(),
      idempotency.duplicates());
  Separator separator(out);
  idempotency.for_each_producer([&](const IdempotentProducer& producer) {
    for (auto at = producer.by_age.first(); const IdempotentRecord* record = producer.by_age.at(at);
         at = producer.by_age.next(at)) {
      separator.next();
      out += '[';
      put_text(out, producer.name());
      out += ',';
      put_text(out, record->id());
      out += fmt::format(",\"{}\",{}]", StreamIdText(record->entry).view(), record->made_ms);
    }
  });
  out += "]}";
}

void put_stream(std::string& out, const Entry& entry) {
  const Stream& stream = stream_of(entry);
  out += "{\"entries\":[";
  Separator separator(out);
  StreamCursor cursor(stream, {}, StreamId::largest(), false);
  for (StreamEntry each; cursor.next(each);) {
    separator.next();
    out += fmt::format("[\"{}\",[", StreamIdText(each.id).view());
    Separator fields(out);
    each.for_each_field([&](std::string_view name, std::string_view value) {
      fields.next();
      put_text(out, name);
      out += ',';
      put_text(out, value);
    });
    out += "]]";
  }
  out += fmt::format("],\"length\":{},", stream.length());
  put_id(out, "last_id", stream.last_id());
  out += ',';
  put_id(out, "first_id", stream.first_id());
  out += ',';
  put_id(out, "max_deleted_id", stream.max_deleted_id());
  out += fmt::format(",\"entries_added\":{},\"groups\":[", stream.entries_added());
  Separator groups(out);
  for (auto at = stream.groups().first(); const StreamGroup* group = stream.groups().at(at);
       at = stream.groups().next(at)) {
    groups.next();
    put_group(out, *group);
  }
  out += ']';
  if (stream.idempotency() != nullptr) put_idempotency(out, *stream.idempotency());
  out += '}';
}

// The databases of a file, each made when it is needed.
class Databases : public RdbListener {
 public:
  explicit Databases(const HashKey& hash_key) : hash_key_(hash_key) {}

  Database* database(uint64_t index) override {
    constexpr uint64_t kMost = uint64_t{1} << 20;  // more than any server has
    if (index >= kMost) return nullptr;
    std::unique_ptr<Database>& database = databases_[index];
    if (database == nullptr) database = std::make_unique<Database>(hash_key_);
    return database.get();
  }
  void function(std::string_view) override { ++functions; }
  void loaded(const RdbKey& key, Database& database) override {
    const Entry* entry = database.find(key.name, key.hash);
    if (entry->has_expiry()) ++expiring;
    drop_value(key, database);
  }

  uint64_t functions = 0;
  uint64_t expiring = 0;

 protected:
  // The name stays, with a value that takes no memory.
  static void drop_value(const RdbKey& key, Database& database) {
    database.set_integer(key.name, key.hash, 0, NewExpiry::none());
    size_t everything = SIZE_MAX;
    database.remains().free_some(everything);
  }

 private:
  const HashKey& hash_key_;
  std::map<uint64_t, std::unique_ptr<Database>> databases_;
};

class Printer final : public Databases {
 public:
  Printer(const HashKey& hash_key, const RdbPrint& print) : Databases(hash_key), print_(print) {}

  void loaded(const RdbKey& key, Database& database) override {
    const Entry* entry = database.find(key.name, key.hash);
    if (entry->has_expiry()) ++expiring;
    print_line(rdb_json_line(key, *entry));
    drop_value(key, database);
  }
  void skipped(const RdbKey& key, std::string_view what) override {
    std::string line = "{\"skipped\":";
    put_text(line, key.name);
    line += fmt::format(",\"db\":{},\"why\":", key.database);
    put_text(line, what);
    print_line(line + '}');
  }
  void aux(std::string_view name, std::string_view value) override {
    std::string line = "{\"aux\":";
    put_text(line, name);
    line += ",\"value\":";
    put_text(line, value);
    print_line(line + '}');
  }
  void function(std::string_view source) override {
    ++functions;
    std::string line = "{\"function\":";
    put_text(line, source);
    print_line(line + '}');
  }
  void module_data(std::string_view module) override {
    std::string line = "{\"module_data\":";
    put_text(line, module);
    print_line(line + '}');
  }

 private:
  void print_line(std::string line) {
    line += '\n';
    print_(line);
  }

  const RdbPrint& print_;
};

RdbSummary read_all(const RdbRead& read, const HashKey& hash_key, Databases& databases) {
  const RdbLimits limits;
  const RdbReaderOptions options{.verify_checksum = true, .skip_modules = true};
  RdbReader reader(databases, hash_key, limits, options);
  RdbReader::Status status = RdbReader::Status::needs_bytes;
  uint64_t fed = 0;
  while (status == RdbReader::Status::needs_bytes || status == RdbReader::Status::more_steps) {
    if (status == RdbReader::Status::needs_bytes) {
      const std::string_view bytes = read();
      fed += bytes.size();
      if (bytes.empty()) {
        reader.end();
      } else {
        reader.feed(bytes);
      }
    }
    size_t budget = SIZE_MAX;
    status = reader.step(budget);
  }
  return {.whole = status == RdbReader::Status::done,
          .error = reader.error(),
          .version = reader.version(),
          .bytes = reader.offset(),
          .keys = reader.keys(),
          .expiring = databases.expiring,
          .skipped_keys = reader.skipped_keys(),
          .functions = databases.functions,
          .rest_bytes = fed - reader.offset()};
}

std::string name_of(const RdbVersion& version) {
  switch (version.family) {
    case RdbFamily::valkey: return fmt::format("Valkey's RDB version {}", version.number);
    case RdbFamily::redoubt: return fmt::format("Redoubt's RDB version {}", version.number);
    default: return fmt::format("RDB version {}", version.number);
  }
}

}  // namespace

std::string rdb_json_line(const RdbKey& key, const Entry& entry) {
  std::string out = fmt::format("{{\"db\":{},\"key\":", key.database);
  put_text(out, entry.key());
  out += fmt::format(",\"type\":\"{}\",\"value\":", ops_of(entry).name);
  std::map<std::string, int64_t> deadlines;
  switch (entry.type()) {
    case Type::string: put_string(out, entry); break;
    case Type::list: put_list(out, entry); break;
    case Type::set: put_set(out, entry, deadlines); break;
    case Type::zset: put_zset(out, entry); break;
    case Type::hash: put_hash(out, entry, deadlines); break;
    case Type::stream: put_stream(out, entry); break;
  }
  out += entry.has_expiry() ? fmt::format(",\"expire_ms\":{}", entry.expiry_ms())
                            : std::string(",\"expire_ms\":null");
  put_deadlines(out, deadlines);
  if (key.idle_s) out += fmt::format(",\"idle_s\":{}", *key.idle_s);
  if (key.frequency) out += fmt::format(",\"freq\":{}", *key.frequency);
  return out + '}';
}

RdbSummary dump_rdb(const RdbRead& read, const HashKey& hash_key, const RdbPrint& print) {
  Printer printer(hash_key, print);
  return read_all(read, hash_key, printer);
}

RdbSummary check_rdb(const RdbRead& read, const HashKey& hash_key) {
  Databases databases(hash_key);
  return read_all(read, hash_key, databases);
}

std::string describe(const RdbSummary& summary) {
  if (!summary.whole) {
    return fmt::format("at offset {}: {}", summary.error.offset, summary.error.text);
  }
  std::string text =
      fmt::format("{}, {} keys, {} of them with a deadline, {} libraries", name_of(summary.version),
                  summary.keys, summary.expiring, summary.functions);
  if (summary.skipped_keys > 0) {
    text += fmt::format(", {} keys of modules or without elements", summary.skipped_keys);
  }
  if (summary.rest_bytes > 0) {
    text += fmt::format(", and {} bytes behind its end", summary.rest_bytes);
  }
  return text;
}

}  // namespace redoubt

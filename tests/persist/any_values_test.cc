// Values of any texts: what DUMP gives is what RESTORE takes, in each form, and the file says so
// too.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/persist/rdb/payload.h"
#include "engine/store/hash_type.h"
#include "engine/store/list_type.h"
#include "engine/store/set_type.h"
#include "engine/store/type_ops.h"
#include "engine/store/zset.h"
#include "tests/persist/rdb_files.h"
#include "tests/store/random_hash_key.h"

namespace redoubt {
namespace {

// Texts of any bytes, numbers among them, and long ones that can be compressed.
rc::Gen<std::string> any_text() {
  return rc::gen::oneOf(
      rc::gen::arbitrary<std::string>(),
      rc::gen::map(rc::gen::arbitrary<int64_t>(), [](int64_t n) { return std::to_string(n); }),
      rc::gen::map(rc::gen::arbitrary<int16_t>(), [](int16_t n) { return std::to_string(n); }),
      rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 3000), rc::gen::arbitrary<char>()),
                   [](const auto& both) { return std::string(both.first, both.second); }));
}

std::string digest_of(const Entry& entry) {
  Digest digest;
  digest_entry(entry, digest);
  digest.end_element();
  return digest.hex();
}

class AnyValue {
 public:
  void insert(Type type, Encoding encoding, void* value) {
    database.insert_value("k", database.hash("k"), type, encoding, value);
  }
  const Entry& entry() const { return *database.find("k", database.hash("k")); }

  void check() {
    for (const RdbForm form : {RdbForm::redis10, RdbForm::redis11, RdbForm::redis12,
                               RdbForm::valkey80, RdbForm::redoubt1, RdbForm::automatic}) {
      const std::optional<std::string> payload = dump_payload(entry(), true, form);
      if (!payload) continue;
      Database other(hash_key);
      Restored restored = restore_payload(*payload, {other.allocator(), hash_key, limits});
      RC_ASSERT(restored.end == RestoreEnd::restored);
      restored.value.store(other, "k", other.hash("k"), NewExpiry::none());
      RC_ASSERT(digest_of(*other.find("k", other.hash("k"))) == digest_of(entry()));
    }
    std::string error;
    RdbWriterOptions options;
    options.form = RdbForm::automatic;
    const std::string file =
        written_file({{0, &database}}, options, {.whole_parts = 3, .whole_bytes = 100}, &error);
    LoadedFile loaded(hash_key);
    RC_ASSERT(loaded.load(file, 11, 3, limits));
    RC_ASSERT(loaded.difference(0, database).empty());
  }

  const HashKey hash_key = make_hash_key();
  const RdbLimits limits;
  Database database{hash_key};
};

RC_GTEST_PROP(RdbAnyValue, String, ()) {
  AnyValue any;
  any.database.set_string("k", any.database.hash("k"), *any_text(), NewExpiry::none());
  any.check();
}

RC_GTEST_PROP(RdbAnyValue, List, ()) {
  const auto texts = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(any_text()));
  AnyValue any;
  any.insert(Type::list, Encoding::listpack, Listpack::make(any.database.allocator()));
  Entry* entry = any.database.write("k", any.database.hash("k"));
  List list(any.database.allocator(), *entry, any.limits.list_fill);
  for (const std::string& text : texts) {
    list.before_growth(1, text.size());
    list.push(ListEnd::back, text);
  }
  any.check();
}

RC_GTEST_PROP(RdbAnyValue, Set, (bool deadlines)) {
  const auto texts = *rc::gen::nonEmpty(rc::gen::container<std::set<std::string>>(any_text()));
  AnyValue any;
  SetEditor set(any.database.allocator(), any.hash_key, any.limits.set);
  for (const std::string& text : texts) {
    set.add(SetMember(text));
    if (deadlines) set.set_deadline(text, *rc::gen::positive<int64_t>());
  }
  any.insert(Type::set, set.encoding(), set.value());
  any.check();
}

RC_GTEST_PROP(RdbAnyValue, Hash, (bool deadlines)) {
  const auto fields = *rc::gen::nonEmpty(
      rc::gen::container<std::map<std::string, std::string>>(any_text(), any_text()));
  AnyValue any;
  HashEditor hash(any.database.allocator(), any.hash_key, any.limits.hash);
  for (const auto& [name, value] : fields) {
    const bool expires = deadlines && *rc::gen::arbitrary<bool>();
    hash.set(name, value, expires ? *rc::gen::positive<int64_t>() : kNeverExpires);
  }
  any.insert(Type::hash, hash.encoding(), hash.value());
  any.check();
}

RC_GTEST_PROP(RdbAnyValue, SortedSet, ()) {
  const auto members = *rc::gen::nonEmpty(rc::gen::container<std::map<std::string, double>>(
      any_text(),
      rc::gen::oneOf(
          rc::gen::arbitrary<double>(), rc::gen::element(0.0, 1e300, -1e-300),
          rc::gen::map(rc::gen::arbitrary<int>(), [](int n) { return static_cast<double>(n); }))));
  AnyValue any;
  Zset zset(any.database.allocator(), any.hash_key, any.limits.zset);
  for (const auto& [member, score] : members) zset.set(member, score);
  any.insert(Type::zset, zset.encoding(), zset.payload());
  any.check();
}

}  // namespace
}  // namespace redoubt

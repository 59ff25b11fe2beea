#include "tests/commands/local_node.h"
#include "server/assembly/assemble.h"

namespace redoubt {

LocalNodeBase::LocalNodeBase(QuietBackend& backend, const std::vector<std::string_view>& settings)
    : env(backend), quiet_(backend) {
  env.begin_turn();
  env.end_turn();
  auto config = make_config();
  std::string error;
  // There are no files to save to.
  std::vector<std::string_view> all = {"save", ""};
  all.insert(all.end(), settings.begin(), settings.end());
  const bool right = config->set(all, &error);
  ASSERT(right);
  node = make_node(env, std::move(config));
  node->effects().attach(*this);
  session = &node->clients().make_local();
}

LocalNodeBase::~LocalNodeBase() {
  turn();  // jobs in flight come home
  node->effects().detach(*this);
  node->clients().drop_local(*session);
}

std::string LocalNodeBase::call(std::span<const std::string_view> args) {
  return node->dispatcher().execute(*session, args);
}

std::string LocalNodeBase::call(std::initializer_list<std::string_view> args) {
  return call(std::span(args.begin(), args.size()));
}

std::string LocalNodeBase::call(const std::vector<std::string>& args) {
  const std::vector<std::string_view> views(args.begin(), args.end());
  return call(std::span(views));
}

std::string LocalNodeBase::digest() const {
  Digest digest;
  for (int db = 0; db < node->keyspace().count(); ++db)
    node->keyspace().database(db).digest(digest, db);
  return digest.hex();
}

void LocalNodeBase::turn() {
  env.begin_turn();
  quiet_.deliver();
  env.end_turn();
}

void LocalNodeBase::pass_ms(int64_t ms) {
  quiet_.advance(Duration::milliseconds(ms));
  turn();
}

// "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n" as "DEL a", each effect on a line of its own.
void LocalNodeBase::on_effect(std::string_view bytes, uint64_t) {
  for (size_t at = 0; at < bytes.size();) {
    const size_t end = bytes.find("\r\n", at);
    if (bytes[at] == '*') {
      effects_ += effects_.empty() ? "" : "\n";
      at = end + 2;
      continue;
    }
    const size_t size = std::stoul(std::string(bytes.substr(at + 1, end - at - 1)));
    if (!effects_.empty() && effects_.back() != '\n') effects_ += ' ';
    const std::string_view word = bytes.substr(end + 2, size);
    size_t from = 0;
    for (size_t line_end; (line_end = word.find('\n', from)) != word.npos; from = line_end + 1) {
      effects_.append(word, from, line_end - from).append("\\n");
    }
    effects_ += word.substr(from);
    at = end + 2 + size + 2;
  }
}

}  // namespace redoubt

// CONFIG REWRITE: the old file or the new one, whichever operation fails.
#include <gtest/gtest.h>

#include <map>

#include "tests/commands/local_node.h"

namespace redoubt {
namespace {

// Files in memory. The operation number `fail_at`, counted from 1, and those after it up to
// `fail_count` of them, fail.
class FilesBackend : public QuietBackend {
 public:
  using QuietBackend::QuietBackend;

  std::map<std::string, std::string, std::less<>> files;
  int operations = 0;
  int fail_at = 0;
  int fail_count = 1;
  bool stuck = false;  // operations stay in flight
  Op* held = nullptr;  // the first rename, when `hold` says so
  bool hold = false;

  void submit(Op& op) override {
    if (op.kind == OpKind::background) {
      QuietBackend::submit(op);
    } else {
      files_waiting_.push_back(&op);
    }
  }
  void close(Handle handle) override { open_.erase(handle.index); }
  size_t open_files() const { return open_.size(); }

  void deliver() override {
    while (!stuck && !files_waiting_.empty()) {
      Op& op = *files_waiting_.back();
      files_waiting_.pop_back();
      if (hold && held == nullptr && op.kind == OpKind::rename) {
        held = &op;
        continue;
      }
      op.result = {};
      ++operations;
      if (operations >= fail_at && operations < fail_at + fail_count) {
        op.result.error = Error::no_space;
      } else {
        run(op);
      }
      complete(op);
    }
    QuietBackend::deliver();
  }
  // The world ends: nothing is in flight any more.
  void forget() {
    for (Op* op : files_waiting_) op->in_flight = false;
    files_waiting_.clear();
  }
  void let_go() {
    hold = false;
    files_waiting_.push_back(held);
  }

 private:
  void run(Op& op) {
    const std::string path(op.path);
    switch (op.kind) {
      case OpKind::open:
        if (!op.flags.create && files.count(path) == 0) {
          op.result.error = Error::not_found;
          return;
        }
        if (op.flags.truncate) files[path].clear();
        open_[++last_handle_] = path;
        op.result.handle = {last_handle_, 1};
        return;
      case OpKind::file_size: op.result.bytes = content(op).size(); return;
      case OpKind::read:
        op.result.bytes = content(op).copy(reinterpret_cast<char*>(op.into.data()), op.into.size());
        return;
      case OpKind::write:
        for (const Slice& slice : op.gather) {
          content(op).append(reinterpret_cast<const char*>(slice.data()), slice.size());
        }
        return;
      case OpKind::rename:
        files[std::string(op.path_to)] = files.at(path);
        files.erase(path);
        return;
      case OpKind::remove: files.erase(path); return;
      default: return;  // syncs
    }
  }
  std::string& content(const Op& op) { return files.at(open_.at(op.handle.index)); }

  std::vector<Op*> files_waiting_;
  std::map<uint32_t, std::string> open_;
  uint32_t last_handle_ = 0;
};

constexpr std::string_view kPath = "/etc/redoubt.conf";
constexpr std::string_view kOld = "# mine\ntimeout 5\n";

class Rewrite : public testing::Test {
 protected:
  // The reply of CONFIG REWRITE after CONFIG SET timeout 77, on a new node.
  std::string run(int fail_at, int fail_count = 1) {
    node = std::make_unique<LocalNodeOn<FilesBackend>>();
    node->backend.files[std::string(kPath)] = kOld;
    node->node->config().set_file(std::string(kPath));
    node->call({"CONFIG", "SET", "timeout", "77"});
    node->backend.fail_at = fail_at;
    node->backend.fail_count = fail_count;
    EXPECT_EQ(node->call({"CONFIG", "REWRITE"}), "");
    node->turn();
    const std::string reply = node->session->output.copy_from(0);
    node->session->output.clear();
    return reply;
  }
  const std::string& file() { return node->backend.files.at(std::string(kPath)); }

  std::unique_ptr<LocalNodeOn<FilesBackend>> node;
};

TEST_F(Rewrite, KeepsWhatTheOwnerWrote) {
  EXPECT_EQ(run(0), "+OK\r\n");
  EXPECT_TRUE(file().starts_with("# mine\ntimeout 77\n")) << file();
  EXPECT_EQ(node->backend.files.size(), 1u);
  EXPECT_EQ(node->backend.open_files(), 0u);
}

TEST_F(Rewrite, OldOrNewWhicheverOperationFails) {
  ASSERT_EQ(run(0), "+OK\r\n");
  const int operations = node->backend.operations;
  EXPECT_EQ(operations, 8);
  for (int n = 1; n <= operations; ++n) {
    SCOPED_TRACE(n);
    EXPECT_EQ(run(n), "-ERR Rewriting config file: No space left on device\r\n");
    // Only after the rename is the new one there.
    const bool renamed = n == operations;
    EXPECT_EQ(file() == kOld, !renamed);
    EXPECT_EQ(node->backend.files.size(), 1u);
    EXPECT_EQ(node->backend.open_files(), 0u);
    // The node goes on, and so does the next attempt.
    node->backend.fail_at = 0;
    node->call({"CONFIG", "REWRITE"});
    node->turn();
    EXPECT_TRUE(file().starts_with("# mine\ntimeout 77\n"));
  }
}

TEST_F(Rewrite, FailsWhenNothingWorks) {
  EXPECT_EQ(run(1, 1000).substr(0, 5), "-ERR ");
  EXPECT_EQ(file(), kOld);
  EXPECT_EQ(run(5, 1000).substr(0, 5), "-ERR ");
  EXPECT_EQ(file(), kOld);
}

TEST_F(Rewrite, FileThatIsGoneIsMadeAnew) {
  node = std::make_unique<LocalNodeOn<FilesBackend>>();
  node->node->config().set_file(std::string(kPath));
  node->call({"CONFIG", "SET", "timeout", "77"});
  node->call({"CONFIG", "REWRITE"});
  node->turn();
  EXPECT_NE(file().find("timeout 77"), std::string::npos);
}

// The last one has the last word, however long the world takes for the first.
TEST_F(Rewrite, TwoAtOnceTakeTurns) {
  node = std::make_unique<LocalNodeOn<FilesBackend>>();
  node->node->config().set_file(std::string(kPath));
  node->backend.hold = true;
  node->call({"CONFIG", "SET", "timeout", "77"});
  EXPECT_EQ(node->call({"CONFIG", "REWRITE"}), "");
  node->turn();
  Session& other = node->node->clients().make_local();
  const std::vector<std::string_view> set = {"CONFIG", "SET", "timeout", "78"};
  const std::vector<std::string_view> rewrite = {"CONFIG", "REWRITE"};
  node->node->dispatcher().execute(other, set);
  EXPECT_EQ(node->node->dispatcher().execute(other, rewrite), "");
  node->turn();
  node->backend.let_go();
  node->turn();
  EXPECT_EQ(node->session->output.copy_from(0), "+OK\r\n");
  EXPECT_EQ(other.output.copy_from(0), "+OK\r\n");
  EXPECT_NE(file().find("timeout 78"), std::string::npos) << file();
  EXPECT_EQ(node->backend.files.size(), 1u);
  node->session->output.clear();
  node->node->clients().drop_local(other);
}

// The node may end in the middle of it.
TEST_F(Rewrite, NodeThatEndsBefore) {
  node = std::make_unique<LocalNodeOn<FilesBackend>>();
  node->node->config().set_file(std::string(kPath));
  node->backend.stuck = true;
  EXPECT_EQ(node->call({"CONFIG", "REWRITE"}), "");
  node->backend.forget();
  node.reset();
}

}  // namespace
}  // namespace redoubt

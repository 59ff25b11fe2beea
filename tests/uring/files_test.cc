// Files: every operation, and what it answers when the world says no.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/files.h"
#include "tests/uring/support.h"

namespace redoubt {
namespace {

// Shorthand for stories: fills an Op and awaits it.
Task<OpResult> on_path(Env& env, OpKind kind, std::string path, std::string path_to = "") {
  IoOp io(env);
  io.op.kind = kind;
  io.op.path = path;
  io.op.path_to = path_to;
  co_return co_await io;
}

Task<OpResult> open(Env& env, std::string path, OpenFlags flags) {
  IoOp io(env);
  io.op.kind = OpKind::open;
  io.op.path = path;
  io.op.flags = flags;
  co_return co_await io;
}

Task<OpResult> on_file(Env& env, OpKind kind, Handle file, uint64_t offset = 0) {
  IoOp io(env);
  io.op.kind = kind;
  io.op.handle = file;
  io.op.offset = offset;
  co_return co_await io;
}

Task<OpResult> write(Env& env, Handle file, uint64_t offset, std::vector<std::string> parts) {
  IoOp io(env);
  std::vector<Slice> slices;
  for (const std::string& part : parts) slices.push_back(as_slice(part));
  io.op.kind = OpKind::write;
  io.op.handle = file;
  io.op.offset = offset;
  io.op.gather = slices;
  co_return co_await io;
}

Task<Received> read(Env& env, Handle file, uint64_t offset, size_t size) {
  IoOp io(env);
  std::vector<std::byte> memory(size);
  io.op.kind = OpKind::read;
  io.op.handle = file;
  io.op.offset = offset;
  io.op.into = memory;
  const OpResult& result = co_await io;
  co_return Received{result.error,
                     std::string(reinterpret_cast<const char*>(memory.data()), result.bytes)};
}

UringOptions in(const std::string& directory) {
  UringOptions options;
  options.directory = directory;
  return options;
}

// A list without braces: gcc 12 stumbles over those in coroutines.
template <typename... Part>
std::vector<std::string> parts(Part... part) {
  return {std::string(part)...};
}

OpenFlags flags(const char* letters) {
  OpenFlags result;
  for (const char* letter = letters; *letter != 0; ++letter) {
    if (*letter == 'r') result.read = true;
    if (*letter == 'w') result.write = true;
    if (*letter == 'c') result.create = true;
    if (*letter == 'x') result.exclusive = true;
    if (*letter == 't') result.truncate = true;
  }
  return result;
}

const OpenFlags kRead = flags("r");
const OpenFlags kWrite = flags("w");
const OpenFlags kEmpty = flags("wt");
const OpenFlags kReadWrite = flags("rwc");
const OpenFlags kExclusive = flags("rwcx");

class Files : public testing::Test {
 protected:
  Directory directory;
  World world{in(directory.path())};
  Env& env = world.env();
};

Task<Error> write_and_read(Env& env, std::string path) {
  const Handle file = (co_await open(env, "data", kReadWrite)).handle;
  EXPECT_TRUE(file);
  struct stat status{};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);

  OpResult result = co_await write(env, file, 0, parts("hello", "", " ", "world"));
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.bytes, 11u);
  EXPECT_TRUE((co_await write(env, file, 6, parts("there"))).ok());
  EXPECT_TRUE((co_await write(env, file, 0, parts())).ok());
  EXPECT_EQ((co_await read(env, file, 0, 11)).bytes, "hello there");
  EXPECT_EQ((co_await read(env, file, 6, 100)).bytes, "there");
  EXPECT_EQ((co_await read(env, file, 100, 10)).bytes, "");
  EXPECT_EQ((co_await on_file(env, OpKind::file_size, file)).bytes, 11u);

  EXPECT_TRUE((co_await on_file(env, OpKind::sync, file)).ok());
  EXPECT_TRUE((co_await on_file(env, OpKind::sync_data, file)).ok());
  EXPECT_TRUE((co_await on_file(env, OpKind::truncate, file, 5)).ok());
  EXPECT_EQ((co_await read(env, file, 0, 100)).bytes, "hello");
  EXPECT_TRUE((co_await on_file(env, OpKind::truncate, file, 7)).ok());
  EXPECT_EQ((co_await read(env, file, 0, 100)).bytes, std::string("hello\0\0", 7));
  EXPECT_EQ((co_await on_file(env, OpKind::sync, file, ~uint64_t{0})).error, Error::invalid);

  env.close(file);
  EXPECT_EQ((co_await read(env, file, 0, 1)).error, Error::cancelled);
  EXPECT_EQ((co_await on_file(env, OpKind::file_size, file)).error, Error::cancelled);
  co_return Error::none;
}

TEST_F(Files, AreWrittenAndRead) {
  world.tell(write_and_read(env, directory / "data"));
  world.run();
}

Task<Error> many_slices(Env& env) {
  std::vector<std::string> parts;
  std::string all;
  for (size_t i = 0; i < 5000; ++i) {
    parts.push_back(pattern(i, i % 97));
    all += parts.back();
  }
  const Handle file = (co_await open(env, "many", kReadWrite)).handle;
  EXPECT_EQ((co_await write(env, file, 3, parts)).bytes, all.size());
  EXPECT_EQ((co_await read(env, file, 3, all.size() + 10)).bytes, all);
  env.close(file);
  co_return Error::none;
}

TEST_F(Files, TakeMoreSlicesThanTheKernelDoesAtOnce) {
  world.tell(many_slices(env));
  world.run();
}

Task<Error> refuse(Env& env) {
  EXPECT_EQ((co_await open(env, "nothing", kRead)).error, Error::not_found);
  EXPECT_EQ((co_await open(env, "", kRead)).error, Error::not_found);
  EXPECT_EQ((co_await open(env, std::string("a\0b", 3), kReadWrite)).error, Error::invalid);
  EXPECT_EQ((co_await open(env, std::string(300, 'x'), kReadWrite)).error, Error::invalid);
  EXPECT_EQ((co_await open(env, ".", kReadWrite)).error, Error::is_directory);
  const Handle file = (co_await open(env, "file", kReadWrite)).handle;
  EXPECT_EQ((co_await open(env, "file", kExclusive)).error, Error::exists);
  EXPECT_EQ((co_await open(env, "file/below", kReadWrite)).error, Error::not_directory);

  const Handle reading = (co_await open(env, "file", kRead)).handle;
  EXPECT_EQ((co_await write(env, reading, 0, parts("x"))).error, Error::invalid);
  env.close(reading);

  EXPECT_TRUE((co_await write(env, file, 0, parts("content"))).ok());
  const Handle emptied = (co_await open(env, "file", kEmpty)).handle;
  EXPECT_EQ((co_await on_file(env, OpKind::file_size, emptied)).bytes, 0u);
  env.close(emptied);
  env.close(file);

  EXPECT_EQ((co_await on_path(env, OpKind::remove, "nothing")).error, Error::not_found);
  EXPECT_EQ((co_await on_path(env, OpKind::rename, "nothing", "x")).error, Error::not_found);
  EXPECT_EQ((co_await on_path(env, OpKind::list, "nothing")).error, Error::not_found);
  EXPECT_EQ((co_await on_path(env, OpKind::list, "file")).error, Error::not_directory);
  EXPECT_EQ((co_await on_path(env, OpKind::sync_directory, "nothing")).error, Error::not_found);
  EXPECT_EQ((co_await on_path(env, OpKind::make_directory, "a/b")).error, Error::not_found);
  co_return Error::none;
}

TEST_F(Files, SayWhyNot) {
  world.tell(refuse(env));
  world.run();
}

Task<Error> full_disk(Env& env) {
  const Handle full = (co_await open(env, "/dev/full", kWrite)).handle;
  EXPECT_EQ((co_await write(env, full, 0, parts("x"))).error, Error::no_space);
  env.close(full);
  co_return Error::none;
}

TEST_F(Files, SayWhenTheDiskIsFull) {
  world.tell(full_disk(env));
  world.run();
}

Task<Error> names(Env& env, std::string absolute) {
  EXPECT_TRUE((co_await on_path(env, OpKind::make_directory, "sub")).ok());
  struct stat status{};
  EXPECT_EQ(stat(absolute.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  EXPECT_EQ((co_await on_path(env, OpKind::make_directory, "sub")).error, Error::exists);
  for (const std::string& name : parts("sub/c", "sub/a", "sub/b")) {
    env.close((co_await open(env, name, kReadWrite)).handle);
  }
  OpResult listed = co_await on_path(env, OpKind::list, "sub");
  EXPECT_EQ(listed.names, parts("a", "b", "c"));
  EXPECT_EQ((co_await on_path(env, OpKind::remove, "sub")).error, Error::not_empty);

  EXPECT_TRUE((co_await on_path(env, OpKind::rename, "sub/c", "sub/a")).ok());
  EXPECT_TRUE((co_await on_path(env, OpKind::rename, absolute + "/b", "sub/d")).ok());
  EXPECT_TRUE((co_await on_path(env, OpKind::sync_directory, "sub")).ok());
  listed = co_await on_path(env, OpKind::list, absolute);
  EXPECT_EQ(listed.names, parts("a", "d"));
  EXPECT_TRUE((co_await on_path(env, OpKind::remove, "sub/a")).ok());
  EXPECT_TRUE((co_await on_path(env, OpKind::remove, "sub/d")).ok());
  EXPECT_TRUE((co_await on_path(env, OpKind::remove, "sub")).ok());
  listed = co_await on_path(env, OpKind::list, ".");
  EXPECT_TRUE(listed.names.empty());
  co_return Error::none;
}

TEST_F(Files, HaveNames) {
  world.tell(names(env, directory / "sub"));
  world.run();
}

TEST_F(Files, AreRelativeToTheDirectoryOfTheMoment) {
  ASSERT_EQ(mkdir((directory / "other").c_str(), 0700), 0);
  EXPECT_EQ(world.backend().change_directory("nothing"), Error::not_found);
  EXPECT_EQ(world.backend().change_directory("other"), Error::none);
  EXPECT_EQ(world.backend().directory(), directory / "other");
  world.tell([](Env& e) -> Task<Error> {
    e.close((co_await open(e, "here", kReadWrite)).handle);
    co_return Error::none;
  }(env));
  world.run();
  EXPECT_EQ(access((directory / "other/here").c_str(), F_OK), 0);
}

// Two writes at once and a close with both under way: each completes once, as cancelled.
TEST_F(Files, CompleteWhatIsUnderWayWhenClosed) {
  const std::string bytes = pattern(1, 1 << 20);
  const Slice slice = as_slice(bytes);
  PlainOp opened(OpKind::open);
  PlainOp writes[2]{PlainOp(OpKind::write), PlainOp(OpKind::write)};
  PlainOp truncate(OpKind::truncate);
  opened.path = "closing";
  opened.flags = kReadWrite;
  opened.then = [&] {
    for (PlainOp& one : writes) {
      one.handle = opened.result.handle;
      one.gather = {&slice, 1};
      env.submit(one);
    }
    truncate.handle = opened.result.handle;
    env.submit(truncate);
    env.close(opened.result.handle);
    EXPECT_FALSE(writes[0].done || truncate.done);
  };
  const uint64_t descriptors = open_descriptors();
  env.submit(opened);
  world.run([&] { return writes[0].done && writes[1].done && truncate.done; });
  for (const PlainOp& one : writes) {
    EXPECT_EQ(one.result.error, Error::cancelled);
    EXPECT_EQ(one.times, 1);
  }
  EXPECT_EQ(truncate.result.error, Error::cancelled);
  EXPECT_EQ(open_descriptors(), descriptors);
}

TEST_F(Files, CanBeAskedToStop) {
  // A terminal at which nobody types.
  const int holder = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(holder, 0);
  ASSERT_EQ(::grantpt(holder), 0);
  ASSERT_EQ(::unlockpt(holder), 0);
  const std::string terminal = ::ptsname(holder);
  std::vector<std::byte> memory(10);
  PlainOp opened(OpKind::open);
  PlainOp reading(OpKind::read);
  opened.path = terminal;
  opened.flags = kRead;
  opened.then = [&] {
    ASSERT_TRUE(opened.result.ok());
    reading.handle = opened.result.handle;
    reading.into = memory;
    env.submit(reading);
    env.cancel(reading);
    EXPECT_FALSE(reading.done);
  };
  env.submit(opened);
  world.run([&] { return reading.done; });
  EXPECT_EQ(reading.result.error, Error::cancelled);
  close(holder);
}

Task<Error> replace_and_read(Env& env) {
  EXPECT_EQ((co_await read_whole(env, "none", 100)).error(), Error::not_found);
  EXPECT_EQ(co_await replace_file(env, "a", "first"), Error::none);
  EXPECT_EQ(co_await replace_file(env, "a", std::string(100'000, 'x') + "y"), Error::none);
  EXPECT_EQ((co_await read_whole(env, "a", 100'001)).value(), std::string(100'000, 'x') + "y");
  EXPECT_EQ((co_await read_whole(env, "a", 100'000)).error(), Error::invalid);
  EXPECT_EQ(co_await replace_file(env, "a", ""), Error::none);
  EXPECT_EQ((co_await read_whole(env, "a", 100)).value(), "");
  EXPECT_EQ(co_await replace_file(env, "none/a", "x"), Error::not_found);
  // A directory cannot be replaced by a file; what was written is removed again.
  EXPECT_EQ((co_await on_path(env, OpKind::make_directory, "d")).error, Error::none);
  EXPECT_EQ(co_await replace_file(env, "d", "x"), Error::is_directory);
  const OpResult names = co_await on_path(env, OpKind::list, ".");
  EXPECT_EQ(names.names, parts("a", "d"));
  co_return Error::none;
}

TEST(WholeFiles, AreReadAndReplaced) {
  Directory directory;
  World world(in(directory.path()));
  world.tell(replace_and_read(world.env()));
  world.run();
}

// Many operations on one file at once, which end in any order, also when the file is closed.
TEST(WholeFiles, TakeManyOperationsAtOnce) {
  Directory directory;
  World world(in(directory.path()));
  std::vector<std::unique_ptr<PlainOp>> ops;
  const std::string byte = "x";
  const Slice slice = as_slice(byte);
  PlainOp opening(OpKind::open);
  opening.path = "a";
  opening.flags = flags("wc");
  opening.then = [&] {
    for (int i = 0; i < 5000; ++i) {
      PlainOp& op = *ops.emplace_back(std::make_unique<PlainOp>(OpKind::write));
      op.handle = opening.result.handle;
      op.offset = static_cast<uint64_t>(i);
      op.gather = {&slice, 1};
      world.env().submit(op);
    }
    for (int i = 0; i < 5000; i += 7) world.env().cancel(*ops[static_cast<size_t>(i)]);
  };
  world.env().submit(opening);
  const auto all_done = [&] {
    return ops.size() == 5000 &&
           std::all_of(ops.begin(), ops.end(), [](const auto& op) { return op->done; });
  };
  world.run(all_done);
  for (const auto& op : ops) EXPECT_TRUE(op->result.ok() || op->result.error == Error::cancelled);
}

}  // namespace
}  // namespace redoubt

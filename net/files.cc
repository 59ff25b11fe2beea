#include "net/files.h"

#include "net/assert.h"

namespace redoubt {

namespace {

// rename, remove, make_directory and sync_directory.
Task<Error> on_path(Env& env, OpKind kind, std::string path, std::string path_to = {}) {
  IoOp io(env);
  io.op.kind = kind;
  io.op.path = path;
  io.op.path_to = path_to;
  co_return (co_await io).error;
}

Task<Expected<std::string>> read_first(Env& env, Handle file, uint64_t bytes) {
  std::string text(bytes, '\0');
  IoOp read(env);
  read.op.kind = OpKind::read;
  read.op.handle = file;
  read.op.into = std::as_writable_bytes(std::span<char>(text));
  co_await read;
  if (!read.op.result.ok()) co_return read.op.result.error;
  ASSERT(read.op.result.bytes <= text.size());
  text.resize(read.op.result.bytes);
  co_return text;
}

// The size, then as many bytes: a file that grows meanwhile is read as it was.
Task<Expected<std::string>> read_open_file(Env& env, Handle file, uint64_t bytes_max) {
  Expected<uint64_t> size = co_await file_size(env, file);
  if (!size) co_return size.error();
  if (*size > bytes_max) co_return Error::invalid;
  co_return co_await read_first(env, file, *size);
}

Task<Error> write_and_sync(Env& env, Handle file, std::string contents) {
  const Slice slice = as_slice(contents);
  IoOp write(env);
  write.op.kind = OpKind::write;
  write.op.handle = file;
  write.op.gather = std::span<const Slice>(&slice, 1);
  co_await write;
  if (!write.op.result.ok()) co_return write.op.result.error;
  IoOp sync(env);
  sync.op.kind = OpKind::sync;
  sync.op.handle = file;
  co_return (co_await sync).error;
}

// The new contents at `temporary`, on the medium.
Task<Error> write_whole(Env& env, std::string temporary, std::string contents) {
  OpenFlags anew;
  anew.write = anew.create = anew.truncate = true;
  Expected<Handle> file = co_await open_file(env, std::move(temporary), anew);
  if (!file) co_return file.error();
  const Error error = co_await write_and_sync(env, *file, std::move(contents));
  env.close(*file);
  co_return error;
}

}  // namespace

Task<Expected<Handle>> open_file(Env& env, std::string path, OpenFlags flags) {
  IoOp io(env);
  io.op.kind = OpKind::open;
  io.op.path = path;
  io.op.flags = flags;
  const OpResult& result = co_await io;
  if (!result.ok()) co_return result.error;
  co_return result.handle;
}

Task<Expected<uint64_t>> file_size(Env& env, Handle file) {
  IoOp size(env);
  size.op.kind = OpKind::file_size;
  size.op.handle = file;
  co_await size;
  if (!size.op.result.ok()) co_return size.op.result.error;
  co_return size.op.result.bytes;
}

Task<Error> rename_file(Env& env, std::string from, std::string to) {
  co_return co_await on_path(env, OpKind::rename, std::move(from), std::move(to));
}

Task<Error> remove_file(Env& env, std::string path) {
  co_return co_await on_path(env, OpKind::remove, std::move(path));
}

Task<Error> make_directory(Env& env, std::string path) {
  co_return co_await on_path(env, OpKind::make_directory, std::move(path));
}

Task<Error> sync_directory(Env& env, std::string path) {
  co_return co_await on_path(env, OpKind::sync_directory, std::move(path));
}

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Task<Expected<std::string>> read_beginning(Env& env, std::string path, size_t bytes) {
  OpenFlags reading;
  reading.read = true;
  Expected<Handle> file = co_await open_file(env, std::move(path), reading);
  if (!file) co_return file.error();
  Expected<std::string> text = co_await read_first(env, *file, bytes);
  env.close(*file);
  co_return text;
}

Task<Expected<std::string>> read_whole(Env& env, std::string path, uint64_t bytes_max) {
  OpenFlags reading;
  reading.read = true;
  Expected<Handle> file = co_await open_file(env, std::move(path), reading);
  if (!file) co_return file.error();
  Expected<std::string> text = co_await read_open_file(env, *file, bytes_max);
  env.close(*file);
  co_return text;
}

Task<Error> replace_file(Env& env, std::string path, std::string contents) {
  const std::string temporary = path + ".tmp";
  Error error = co_await write_whole(env, temporary, std::move(contents));
  if (error == Error::none) error = co_await rename_file(env, temporary, path);
  if (error != Error::none) {
    static_cast<void>(co_await remove_file(env, temporary));
    co_return error;
  }
  co_return co_await sync_directory(env, directory_of(path));
}

}  // namespace redoubt

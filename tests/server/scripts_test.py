#!/usr/bin/env python3
"""Scripts and functions on the real server: long ones, killed ones, transactions, files, replicas."""

import os
import shutil
import unittest

from harness import REFERENCE, TOP, ReplyError, ServerTest, eventually, info, with_server

REDIS = next((path for path in (os.path.join(TOP, "build/reference/redis-server"),
                                shutil.which("redis-server")) if path and os.path.exists(path)), None)
BUSY = ("--busy-reply-threshold", "50", "--save", "")
FOREVER = "while true do end"
# Takes a second or so, and ends.
LONG = "for i=1,40000000 do end "
LIBRARY = """#!lua name=stock
redis.register_function('take', function(keys, args)
  local left = tonumber(redis.call('GET', keys[1]) or '0')
  if left < tonumber(args[1]) then return redis.error_reply('SOLD out') end
  return redis.call('DECRBY', keys[1], args[1])
end)
redis.register_function{function_name='left', flags={'no-writes'},
  callback=function(keys) return redis.call('GET', keys[1]) end}
"""


class ScriptTest(ServerTest):
    def busy(self, server, *call):
        """A client whose script is suspended, and another one."""
        caller, other = self.client(server), self.client(server)
        caller.send(*call)
        self.assertTrue(eventually(lambda: self.is_busy(other)), "no script is suspended")
        return caller, other

    @staticmethod
    def is_busy(client):
        try:
            client.call("GET", "x")
        except ReplyError as error:
            return str(error).startswith("BUSY")
        return False


class LongScripts(ScriptTest):
    @with_server(*BUSY)
    def test_others_are_told_and_what_is_allowed_is_answered(self, server, _):
        caller, other = self.busy(server, "EVAL", FOREVER, 0)
        self.assert_error("BUSY Redis is busy running a script. You can only call SCRIPT KILL", other, "SET", "a", 1)
        self.assert_error("BUSY", other, "PING")
        self.assert_error("BUSY", other, "FUNCTION", "KILL")
        running = other.call("FUNCTION", "STATS")[1]
        self.assertEqual(running[3], [b"EVAL", FOREVER.encode(), b"0"])
        self.assertGreaterEqual(running[5], 50)
        self.assertEqual(other.call("MULTI"), "OK")
        self.assertEqual(other.call("DISCARD"), "OK")
        self.assertEqual(other.call("SCRIPT", "KILL"), "OK")
        with self.assertRaisesRegex(ReplyError, "Script killed by user with SCRIPT KILL. script: "):
            caller.reply()
        self.assertEqual(caller.call("PING"), "PONG")
        self.assert_error("NOTBUSY No scripts in execution right now.", other, "SCRIPT", "KILL")

    @with_server(*BUSY)
    def test_what_a_killed_script_has_written_is_undone(self, server, client):
        client.call("MSET", "a", "1", "b", "2")
        client.call("RPUSH", "list", "x")
        caller, other = self.busy(
            server, "EVAL", "redis.call('SET','a','9') redis.call('DEL','b') redis.call('INCR','n') "
            "redis.call('RPUSH','list','y') redis.call('EXPIRE','list',100) " + FOREVER, 0)
        self.assertEqual(other.call("SCRIPT", "KILL"), "OK")
        self.assertRaises(ReplyError, caller.reply)
        self.assertEqual(client.call("MGET", "a", "b", "n"), [b"1", b"2", None])
        self.assertEqual(client.call("LRANGE", "list", 0, -1), [b"x"])
        self.assertEqual(client.call("TTL", "list"), -1)

    @with_server(*BUSY, "--script-undo-killed", "no")
    def test_the_former_answer(self, server, client):
        caller, other = self.busy(server, "EVAL", "redis.call('SET','a','9') " + LONG, 0)
        self.assert_error("UNKILLABLE Sorry the script already executed write commands", other, "SCRIPT", "KILL")
        caller.reply()
        self.assertEqual(client.call("GET", "a"), b"9")

    @with_server(*BUSY)
    def test_nothing_in_a_script_catches_its_end(self, server, client):
        for script in ("while true do pcall(function() while true do end end) end",
                       "while true do xpcall(function() while true do end end, function() end) end",
                       "local c = coroutine.wrap(function() while true do end end) while true do pcall(c) end",
                       "while true do coroutine.wrap(function() for i = 1, 1e9 do end end)() end",
                       "local function f() return pcall(f) end while true do f() end"):
            caller, other = self.busy(server, "EVAL", script, 0)
            self.assertEqual(other.call("SCRIPT", "KILL"), "OK")
            with self.assertRaisesRegex(ReplyError, "killed by user", msg=script):
                caller.reply()
        # What cannot be suspended ends by itself.
        for script in ("table.sort({3,2,1}, function() while true do end end)",
                       "string.gsub('aaa', 'a', function() while true do end end)",
                       "return string.find(string.rep('a', 50000), string.rep('a-', 5000) .. 'b')"):
            self.assert_error("ERR", client, "EVAL", script, 0)
        self.assertEqual(client.call("PING"), "PONG")

    @with_server(*BUSY, "--script-max-time", "200")
    def test_a_script_that_takes_too_long_ends_by_itself(self, _, client):
        self.assert_error("ERR Script killed because it took longer than script-max-time.", client, "EVAL",
                          "redis.call('SET','a','1') " + FOREVER, 0)
        self.assertEqual(client.call("EXISTS", "a"), 0)

    @with_server(*BUSY)
    def test_a_transaction_with_long_scripts_is_one(self, server, client):
        for word in (("MULTI",), ("SET", "m", 1), ("EVAL", LONG + "return redis.call('INCR','m')", 0),
                     ("INCR", "m"), ("EVAL", LONG + "return {1,'x'}", 0), ("GET", "m")):
            client.call(*word)
        client.send("EXEC")
        other = self.client(server)
        self.assertTrue(eventually(lambda: self.is_busy(other)))
        self.assertEqual(client.reply(), ["OK", 2, 3, [1, b"x"], b"3"])

    @with_server(*BUSY)
    def test_the_transaction_of_a_client_that_goes_is_whole(self, server, client):
        caller = self.client(server)
        for word in (("MULTI",), ("INCR", "n"), ("EVAL", LONG + "return redis.call('INCR','n')", 0), ("INCR", "n")):
            caller.call(*word)
        caller.send("EXEC")
        self.assertTrue(eventually(lambda: self.is_busy(client)))
        caller.close()
        self.assertTrue(eventually(lambda: not self.is_busy(client), 20))
        self.assertEqual(client.call("GET", "n"), b"3")
        self.assertTrue(eventually(lambda: info(client)["connected_clients"] == "1"))

    @with_server("--save", "")
    def test_client_pause_write_holds_scripts(self, server, client):
        client.call("FUNCTION", "LOAD", LIBRARY)
        client.call("CLIENT", "PAUSE", 60000, "WRITE")
        writers = [self.client(server) for _ in range(2)]
        writers[0].send("EVAL", "return redis.call('INCR','n')", 0)
        writers[1].send("FCALL", "take", 1, "n", 5)
        self.assertEqual(client.call("EVAL_RO", "return redis.call('EXISTS','n')", 0), 0)
        self.assertIsNone(client.call("FCALL_RO", "left", 1, "n"))
        self.assertEqual(client.call("CLIENT", "UNPAUSE"), "OK")
        self.assertEqual(writers[0].reply(), 1)
        self.assertRaisesRegex(ReplyError, "SOLD out", writers[1].reply)

    @with_server(*BUSY, "--appendonly", "yes")
    def test_shutdown_while_a_script_runs(self, server, client):
        client.call("SET", "a", 1)
        _, other = self.busy(server, "EVAL", "redis.call('SET','a','2') " + FOREVER, 0)
        other.send("SHUTDOWN", "NOSAVE")
        self.assertEqual(server.wait_for_exit(), 0)
        again = self.server("--dir", server.directory, "--appendonly", "yes")
        self.assertEqual(self.client(again).call("GET", "a"), b"1")

    @with_server(*BUSY, "--appendonly", "yes", "--appendfsync", "always")
    def test_kill_of_the_process_leaves_whole_scripts(self, server, client):
        for i in range(20):
            client.call("EVAL", "for i=1,50 do redis.call('INCR','n') redis.call('RPUSH','l',i) end", 0)
        self.busy(server, "EVAL", "for i=1,10 do redis.call('INCR','n') end " + FOREVER, 0)
        server.process.kill()
        server.process.wait()
        again = self.client(self.server("--dir", server.directory, "--appendonly", "yes"))
        self.assertEqual(again.call("GET", "n"), b"1000")
        self.assertEqual(again.call("LLEN", "l"), 1000)


    @with_server(*BUSY)
    def test_shutdown_nosave_ends_what_cannot_be_undone(self, server, client):
        _, other = self.busy(server, "EVAL", "redis.call('PUBLISH','c','m') redis.call('SET','a','1') "
                             + FOREVER, 0)
        self.assert_error("UNKILLABLE", other, "SCRIPT", "KILL")
        self.assert_error("BUSY", other, "SHUTDOWN")
        other.send("SHUTDOWN", "NOSAVE")
        self.assertEqual(server.wait_for_exit(), 0)

    @with_server(*BUSY)
    def test_shutdown_nosave_ends_all_scripts_of_a_transaction(self, server, client):
        client.call("MULTI")
        for _ in range(2):
            client.call("EVAL", "redis.call('SET','a','1') " + FOREVER, 0)
        client.send("EXEC")
        other = self.client(server)
        self.assertTrue(eventually(lambda: self.is_busy(other)))
        other.send("SHUTDOWN", "NOSAVE")
        self.assertEqual(server.wait_for_exit(), 0)

    def test_the_log_is_switched_and_written_anew_meanwhile(self):
        server = self.server(*BUSY)
        client = self.client(server)
        script = "redis.call('SET','a',1) " + LONG + "redis.call('SET','b',2)"
        client.send("CONFIG", "SET", "appendonly", "yes")
        client.send("EVAL", script, 0)
        self.assertEqual([client.reply(), client.reply()], ["OK", None])
        self.assertTrue(eventually(
            lambda: info(client, "persistence")["aof_rewrite_in_progress"] == "0"))
        for word in (("BGREWRITEAOF",), ("BGSAVE",), ("EVAL", script.replace("2)", "3)"), 0)):
            client.send(*word)
        self.assertEqual([client.reply() for _ in range(3)][2], None)
        self.assertTrue(eventually(
            lambda: info(client, "persistence")["aof_rewrite_in_progress"] == "0"))
        server.process.kill()
        server.process.wait()
        again = self.server("--dir", server.directory, "--appendonly", "yes", *BUSY[:2])
        client = self.client(again)
        self.assertEqual(client.call("MGET", "a", "b"), [b"1", b"3"])
        client.send("CONFIG", "SET", "appendonly", "no")
        client.send("EVAL", script, 0)
        self.assertEqual([client.reply(), client.reply()], ["OK", None])
        self.assertEqual(client.call("PING"), "PONG")

    def test_the_last_replica_leaves_before_a_kill(self):
        server = self.server(*BUSY, "--repl-backlog-ttl", "1", "--repl-diskless-sync-delay", "0")
        replica = self.server("--replicaof", f"127.0.0.1 {server.port}")
        client, other = self.client(server), self.client(server)
        self.assertTrue(eventually(lambda: info(client)["connected_slaves"] == "1", 20))
        seen = len(server.output())
        for word in (("MULTI",), ("SET", "a", 1), ("EVAL", "redis.call('SET','b','2') " + FOREVER, 0)):
            client.call(*word)
        client.send("EXEC")
        self.assertTrue(eventually(lambda: self.is_busy(other)))
        replica.process.kill()
        self.assertTrue(eventually(lambda: "backlog is freed" in server.output()[seen:], 20))
        self.assertEqual(other.call("SCRIPT", "KILL"), "OK")
        self.assertTrue(eventually(lambda: not self.is_busy(other)))
        self.assertEqual(other.call("MGET", "a", "b"), [b"1", None])


class AllOrNothing(ScriptTest):
    @with_server("--save", "")
    def test_a_script_that_fails_leaves_nothing(self, _, client):
        script = "#!lua flags=all-or-nothing\nredis.call('SET','a','1') redis.call('LPUSH','a','x')"
        self.assert_error("WRONGTYPE", client, "EVAL", script, 0)
        self.assertEqual(client.call("EXISTS", "a"), 0)
        self.assert_error("ERR 'flushall' cannot be undone", client, "EVAL",
                          "#!lua flags=all-or-nothing\nredis.call('FLUSHALL')", 0)
        client.call("CONFIG", "SET", "script-on-error", "rollback")
        self.assert_error("no", client, "EVAL", "redis.call('SET','a','1') return {err='no'}", 0)
        self.assertEqual(client.call("EXISTS", "a"), 0)
        # In a transaction only the script is undone.
        client.call("MULTI")
        client.call("SET", "a", 1)
        client.call("EVAL", "redis.call('INCR','a') error('x')", 0)
        client.call("INCR", "a")
        client.send("EXEC")
        self.assertEqual([client.line() for _ in range(2)], [b"*3", b"+OK"])
        self.assertRegex(client.line(), b"^-ERR user_script:1: x script: ")
        self.assertEqual(client.line(), b":2")

    @with_server("--save", "", "--appendonly", "yes", "--script-on-error", "rollback")
    def test_nothing_of_it_is_in_the_log(self, server, client):
        client.call("MULTI")
        client.call("SET", "a", 1)
        client.call("EVAL", "redis.call('INCR','a') redis.call('SET','b','1') error('x')", 0)
        client.call("INCR", "a")
        client.call("SELECT", 3)
        client.call("EVAL", "redis.call('INCR','c') error('x')", 0)
        client.call("INCR", "d")
        client.send("EXEC")
        self.assertEqual(client.line(), b"*6")
        self.assertTrue(eventually(lambda: self.client(server).call("GET", "a") == b"2"))
        server.process.kill()
        server.process.wait()
        again = self.client(self.server("--dir", server.directory, "--appendonly", "yes"))
        self.assertEqual(again.call("MGET", "a", "b"), [b"2", None])
        self.assertEqual(again.call("SELECT", 3), "OK")
        self.assertEqual(again.call("MGET", "c", "d"), [None, b"1"])


class Functions(ScriptTest):
    def check(self, client):
        client.call("SET", "apples", 5)
        self.assertEqual(client.call("FCALL", "take", 1, "apples", 3), 2)
        self.assert_error("SOLD out", client, "FCALL", "take", 1, "apples", 3)
        self.assertEqual(client.call("FCALL_RO", "left", 1, "apples"), b"2")

    def test_they_survive_restarts(self):
        for arguments in (("--appendonly", "no"), ("--appendonly", "yes")):
            server = self.server(*arguments)
            client = self.client(server)
            client.call("FUNCTION", "LOAD", LIBRARY)
            self.check(client)
            client.send("SHUTDOWN", *(["SAVE"] if "no" in arguments else []))
            server.wait_for_exit()
            again = self.server("--dir", server.directory, *arguments)
            client = self.client(again)
            self.check(client)
            client.call("FUNCTION", "DELETE", "stock")
            if "yes" in arguments:
                client.call("BGREWRITEAOF")
                self.assertTrue(eventually(
                    lambda: info(client, "persistence")["aof_rewrite_in_progress"] == "0"))
                client.call("FUNCTION", "LOAD", LIBRARY)
                client.call("FUNCTION", "LOAD", "REPLACE", LIBRARY)
                again.process.kill()
                again.process.wait()
                self.check(self.client(self.server("--dir", server.directory, *arguments)))

    @with_server("--save", "")
    def test_dump_and_restore(self, server, client):
        client.call("FUNCTION", "LOAD", LIBRARY)
        payload = client.call("FUNCTION", "DUMP")
        client.call("FUNCTION", "FLUSH")
        self.assert_error("ERR Function not found", client, "FCALL", "take", 1, "k", 1)
        for place in range(len(payload)):
            broken = payload[:place] + bytes([payload[place] ^ 1]) + payload[place + 1:]
            self.assert_error("ERR DUMP payload", client, "FUNCTION", "RESTORE", broken)
        self.assertEqual(client.call("FUNCTION", "RESTORE", payload), "OK")
        self.assert_error("ERR Library stock already exists", client, "FUNCTION", "RESTORE", payload)
        self.assertEqual(client.call("FUNCTION", "RESTORE", payload, "REPLACE"), "OK")
        self.check(client)

    @unittest.skipUnless(REDIS, "needs redis-server")
    def test_they_go_to_redis_and_back(self):
        redis = self.server("--save", "", binary=REDIS)
        ours = self.server("--save", "", "--repl-diskless-sync-delay", "0")
        there, here = self.client(redis), self.client(ours)
        there.call("FUNCTION", "LOAD", LIBRARY)
        here.call("FUNCTION", "RESTORE", there.call("FUNCTION", "DUMP"))
        there.call("FUNCTION", "RESTORE", here.call("FUNCTION", "DUMP"), "REPLACE")
        self.check(here)
        self.check(there)
        # As a replica of Redis, and Redis as a replica of ours.
        here.call("FUNCTION", "FLUSH")
        here.call("REPLICAOF", "127.0.0.1", redis.port)
        self.assertTrue(eventually(lambda: len(here.call("FUNCTION", "LIST")) == 1, 20))
        there.call("FUNCTION", "LOAD", LIBRARY.replace("stock", "more").replace("take", "t2").replace("left", "l2", 1)
                   .replace("'left'", "'l3'"))
        there.call("EVAL", "redis.call('SET','by','script') return redis.call('INCR','n')", 0)
        self.assertTrue(eventually(lambda: here.call("GET", "by") == b"script"))
        self.assertTrue(eventually(lambda: len(here.call("FUNCTION", "LIST")) == 2))
        here.call("REPLICAOF", "NO", "ONE")
        there.call("REPLICAOF", "127.0.0.1", ours.port)
        here.call("FUNCTION", "DELETE", "more")
        here.call("EVAL", "redis.call('SET','by','ours') return redis.call('INCR','n')", 0)
        self.assertTrue(eventually(lambda: there.call("GET", "by") == b"ours", 20))
        self.assertEqual(len(there.call("FUNCTION", "LIST")), 1)

    def test_a_replica_has_them_and_refuses_to_write(self):
        primary = self.server("--save", "", "--repl-diskless-sync-delay", "0")
        replica = self.server("--save", "", *BUSY)
        there, here = self.client(primary), self.client(replica)
        there.call("FUNCTION", "LOAD", LIBRARY)
        here.call("REPLICAOF", "127.0.0.1", primary.port)
        self.assertTrue(eventually(lambda: len(here.call("FUNCTION", "LIST")) == 1, 20))
        there.call("SET", "apples", 7)
        self.assertTrue(eventually(lambda: here.call("FCALL_RO", "left", 1, "apples") == b"7"))
        self.assert_error("READONLY", here, "FCALL", "take", 1, "apples", 1)
        self.assert_error("READONLY", here, "EVAL", "return redis.call('SET','a','1')", 0)
        self.assert_error("READONLY", here, "FUNCTION", "FLUSH")
        # While a script of the replica is suspended, the stream waits, and nothing of it is lost.
        caller, other = self.busy(replica, "EVAL_RO",
                                  "local a = redis.call('GET','apples') " + LONG +
                                  "return a == redis.call('GET','apples')", 0)
        for i in range(1000):
            there.call("SET", "apples", i)
        self.assertEqual(caller.reply(), 1)
        self.assertTrue(eventually(lambda: other.call("GET", "apples") == b"999"))
        there.call("FCALL", "take", 1, "apples", 9)
        self.assertTrue(eventually(lambda: other.call("GET", "apples") == b"990"))


class Limits(ScriptTest):
    @with_server("--save", "", "--script-memory-max", "32mb", *BUSY[:2])
    def test_memory_and_depth_are_bounded(self, server, client):
        for script in ("local t = {} while true do t[#t+1] = string.rep('x', 10000) end",
                       "local s = 'x' while true do s = s .. s end",
                       "return string.rep('x', 2^31)",
                       "local function f() return 1 + f() end return f()",
                       "return loadstring('return ' .. string.rep('(', 100000))",
                       "return cjson.decode(string.rep('[', 100000))",
                       "return cmsgpack.unpack(string.rep('\\145', 100000))",
                       "return unpack({}, 1, 1e8)",
                       "local t = {} for i = 1, 300 do t = {t} end return cjson.encode({t, t, t})[1]"):
            try:
                client.call("EVAL", script, 0)
            except ReplyError:
                pass
            self.assertEqual(client.call("EVAL", "return 'alive'", 0), b"alive")
        self.assertLess(server.resident_bytes(), 400 << 20)

    @with_server("--save", "", *BUSY[:2])
    def test_what_is_not_the_scripts_own_loop_is_bounded_too(self, server, client):
        for script in ("return string.find(('a'):rep(60), ('.-'):rep(40) .. 'b')",
                       "return pcall(string.match, ('a'):rep(60), ('a*'):rep(40) .. 'b')",
                       "local t = {} t[1] = t t[2] = t return t"):
            self.assert_error("ERR", client, "EVAL", script, 0)
        # Work of commands and libraries is the script's.
        caller, other = self.busy(server, "EVAL", "local s = ('x'):rep(2^20) "
                                  "for i = 1, 1e6 do redis.sha1hex(s) redis.call('PING', s) end", 0)
        self.assertEqual(other.call("SCRIPT", "KILL"), "OK")
        self.assertRaises(ReplyError, caller.reply)

    @with_server("--save", "")
    def test_libraries_beyond_a_lower_limit_of_memory(self, server, client):
        client.call("FUNCTION", "LOAD", "#!lua name=big\nlocal t = ('x'):rep(20 * 1024 * 1024) "
                    "redis.register_function('size', function() return #t end)")
        payload = client.call("FUNCTION", "DUMP")
        client.call("CONFIG", "SET", "script-memory-max", "8mb")
        self.assert_error("ERR", client, "FUNCTION", "RESTORE", payload, "REPLACE")
        self.assertEqual(client.call("EVAL", "return 1", 0), 1)
        # What was accepted before is loaded again.
        client.send("SHUTDOWN", "SAVE")
        server.wait_for_exit()
        again = self.client(self.server("--dir", server.directory, "--script-memory-max", "8mb"))
        self.assertEqual(len(again.call("FUNCTION", "LIST")), 1)

    @with_server("--save", "")
    def test_scripts_of_eval_are_forgotten_and_loaded_ones_stay(self, _, client):
        kept = client.call("SCRIPT", "LOAD", "return 'kept'")
        first = client.call("EVAL", "return redis.sha1hex('return 0')", 0)
        client.call("EVAL", "return 0", 0)
        for i in range(1, 700):
            client.call("EVAL", f"return {i}", 0)
        self.assertEqual(client.call("SCRIPT", "EXISTS", kept, first), [1, 0])
        self.assertEqual(client.call("EVALSHA", kept.upper(), 0), b"kept")
        self.assertEqual(client.call("SCRIPT", "SHOW", kept), b"return 'kept'")
        facts = info(client)
        self.assertEqual(facts["number_of_cached_scripts"], "501")
        self.assertGreater(int(facts["evicted_scripts"]), 190)
        client.call("SCRIPT", "FLUSH")
        self.assert_error("NOSCRIPT No matching script. Please use EVAL.", client, "EVALSHA", kept, 0)

    @with_server("--save", "", "--maxmemory", "20mb")
    def test_maxmemory(self, _, client):
        with self.assertRaises(ReplyError):
            for i in range(10000):
                client.call("SET", f"k{i}", b"x" * 10000)
        client.call("CONFIG", "SET", "maxmemory", "10mb")
        self.assert_error("OOM", client, "EVAL", "return redis.call('SET','more','x')", 0)
        self.assert_error("OOM allow-oom flag is not set on the script", client, "EVAL", "#!lua\nreturn 1", 0)
        self.assertEqual(client.call("EVAL", "#!lua flags=allow-oom\nreturn redis.call('SET','more','x')", 0), "OK")
        self.assertEqual(client.call("EVAL", "redis.call('DEL','k1') redis.call('SET','more','x') return 1", 0), 1)

    @with_server("--save", "")
    def test_monitor_shows_the_script_and_its_commands(self, server, client):
        monitor = self.client(server)
        monitor.call("MONITOR")
        client.call("EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", 1, "a", 1)
        self.assertRegex(monitor.line().decode(), r'\[0 127\.0\.0\.1:\d+\] "EVAL" "return .*" "1" "a" "1"$')
        self.assertRegex(monitor.line().decode(), r'\[0 lua\] "SET" "a" "1"$')


@unittest.skipUnless(REDIS, "needs redis-server")
class BesideRedis(ScriptTest):
    """The same calls to redis-server: tests/server/scripts.txt has a script a line."""

    def test_scripts(self):
        ours = self.client(self.server("--save", "")), self.client(self.server("--save", "", binary=REDIS))
        with open(os.path.join(TOP, "tests/server/scripts.txt"), encoding="utf-8") as file:
            scripts = [line.rstrip("\n").replace("\\n", "\n") for line in file
                       if line.strip() and not line.startswith("#")]
        for protocol in (2, 3):
            for client in ours:
                client.call("HELLO", protocol)
            for script in scripts:
                replies = []
                for client in ours:
                    try:
                        replies.append(client.call("EVAL", script, 2, "k1", "k2", "a1", "2"))
                    except ReplyError as error:
                        replies.append(f"error {error}")
                self.assertEqual(replies[0], replies[1], script)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""What clients meet: tools, limits on connections, authentication, configuration at run time."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import unittest

from harness import (TOP, ReplyError, ServerTest, config_get, encode, eventually, info, ours_only,
                     with_server)


def run_tool(server, *command, text=None):
    """A tool's run against the server: its output."""
    result = subprocess.run([command[0], "-h", "127.0.0.1", "-p", str(server.port), *command[1:]],
                            input=text, stdin=None if text else subprocess.DEVNULL, text=True,
                            capture_output=True, timeout=60)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


class Tools(ServerTest):
    @with_server()
    def test_redis_cli(self, server, _):
        self.assertEqual(run_tool(server, "redis-cli", "SET", "a", "b c"), "OK\n")
        self.assertEqual(run_tool(server, "redis-cli", "GET", "a"), "b c\n")
        self.assertEqual(run_tool(server, "redis-cli", "-3", "GET", "a"), "b c\n")
        self.assertIn("ERR", run_tool(server, "redis-cli", "GET"))
        script = "SET x 1\nINCR x\nMSET p 1 q 2\nDBSIZE\n"
        self.assertEqual(run_tool(server, "redis-cli", text=script), "OK\n2\nOK\n4\n")
        self.assertIn("redis_version:", run_tool(server, "redis-cli", "INFO", "server"))
        self.assertEqual(run_tool(server, "redis-cli", "--no-auth-warning", "-n", "3", "DBSIZE"),
                         "0\n")

    @with_server()
    def test_redis_cli_scans_and_pipes(self, server, client):
        lines = "".join(f"SET pipe:{i} {i}\r\n" for i in range(5000))
        self.assertIn("errors: 0, replies: 5000", run_tool(server, "redis-cli", "--pipe", text=lines))
        found = run_tool(server, "redis-cli", "--scan", "--pattern", "pipe:*").split()
        self.assertEqual(sorted(set(found)), sorted(f"pipe:{i}" for i in range(5000)))
        self.assertIn("5000", run_tool(server, "redis-cli", "--bigkeys"))

    @with_server()
    def test_redis_benchmark(self, server, client):
        tests = "ping_inline,ping_mbulk,set,get,incr,mset"
        for extra in ((), ("-P", "16"), ("-3",), ("-d", "20000", "-n", "200"), ("--threads", "2")):
            output = run_tool(server, "redis-benchmark", "-n", "2000", "-c", "20", "-r", "100", "-q",
                              "-t", tests, *extra)
            self.assertIn("GET", output)
            self.assertNotIn("rror", output)

    @with_server()
    def test_memory_tools(self, server, client):
        client.call("SET", "a", "x" * 1000)
        self.assertGreater(client.call("MEMORY", "USAGE", "a"), 1000)


class Connections(ServerTest):
    @with_server("--maxclients", 10)
    def test_maxclients(self, server, client):
        self.assertTrue(eventually(lambda: info(client)["connected_clients"] == "1"))
        others = [self.client(server) for _ in range(9)]
        for other in others:
            self.assertEqual(other.call("PING"), "PONG")
        refused = self.client(server)
        with self.assertRaisesRegex(ReplyError, "ERR max number of clients reached"):
            refused.reply()
        self.assertTrue(refused.is_closed())
        self.assertEqual(info(client)["rejected_connections"], "1")
        others[0].close()
        self.assertTrue(eventually(lambda: info(client)["connected_clients"] == "9"))
        self.assertEqual(self.client(server).call("PING"), "PONG")

    @with_server("--timeout", 1)
    def test_timeout_ends_idle_connections(self, server, idle):
        active = self.client(server)
        began = time.monotonic()
        while time.monotonic() - began < 3.5:
            self.assertEqual(active.call("PING"), "PONG")
            time.sleep(0.2)
        self.assertTrue(idle.is_closed(1))

    @with_server()
    def test_client_kill_and_list(self, server, client):
        victim = self.client(server)
        victim.call("CLIENT", "SETNAME", "victim")
        number = victim.call("CLIENT", "ID")
        self.assertIn(b"name=victim", client.call("CLIENT", "LIST"))
        self.assertEqual(client.call("CLIENT", "KILL", "ID", number), 1)
        self.assertTrue(victim.is_closed())
        self.assertNotIn(b"name=victim", client.call("CLIENT", "LIST"))

    @with_server()
    def test_client_pause(self, server, client):
        other = self.client(server)
        self.assertEqual(client.call("CLIENT", "PAUSE", 300, "WRITE"), "OK")
        began = time.monotonic()
        other.call("GET", "a")
        self.assertLess(time.monotonic() - began, 0.25)
        other.call("SET", "a", "b")
        self.assertGreater(time.monotonic() - began, 0.25)

    @with_server()
    def test_reply_off_and_skip(self, server, client):
        client.send("CLIENT", "REPLY", "OFF")
        client.send("SET", "a", "1")
        client.send("CLIENT", "REPLY", "ON")
        self.assertEqual(client.reply(), "OK")
        client.send("CLIENT", "REPLY", "SKIP")
        client.send("GET", "a")
        self.assertEqual(client.call("GET", "a"), b"1")

    @with_server()
    def test_quit_and_reset(self, server, client):
        client.call("SELECT", 3)
        self.assertEqual(client.call("RESET"), "RESET")
        self.assertIn(b" db=0 ", client.call("CLIENT", "INFO"))
        self.assertEqual(client.call("QUIT"), "OK")
        self.assertTrue(client.is_closed())

    @with_server()
    def test_resp3(self, server, client):
        reply = client.call("HELLO", 3)
        self.assertEqual(reply[b"proto"], 3)
        self.assertEqual(reply[b"role"], b"master")
        self.assertIsInstance(client.call("CONFIG", "GET", "maxmemory"), dict)
        self.assertIsNone(client.call("GET", "nothing"))


class Authentication(ServerTest):
    @with_server("--requirepass", "open sesame")
    def test_a_large_command_behind_auth_in_one_write(self, server, client):
        large = "v" * 100_000
        client.send_raw(encode("AUTH", "open sesame") + encode("SET", "a", large) +
                        encode("MGET", *["a"] * 20))
        self.assertEqual(client.reply(), "OK")
        self.assertEqual(client.reply(), "OK")
        self.assertEqual(client.reply(), [large.encode()] * 20)
        other = self.client(server)
        other.send_raw(encode("HELLO", "2", "AUTH", "default", "open sesame") +
                       encode("STRLEN", "a") + encode("SET", "b", large))
        self.assertIn(b"server", other.reply())
        self.assertEqual([other.reply(), other.reply()], [100_000, "OK"])
        stranger = self.client(server)
        stranger.send_raw(encode("AUTH", "guess") + encode("SET", "a", large))
        self.assertRaises(ReplyError, stranger.reply)
        self.assertRaises(ReplyError, stranger.reply)
        self.assertTrue(stranger.is_closed())

    @with_server("--requirepass", "open sesame")
    def test_strangers_who_do_not_listen(self, server, client):
        deaf = self.client(server, timeout=1)
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            for _ in range(2000):
                deaf.send_raw(b"PING\r\n" * 10_000)
        except OSError:
            pass
        client.call("AUTH", "open sesame")
        self.assertEqual(info(client)["client_output_buffer_limit_disconnections"], "1")
        self.assertLess(int(info(client)["used_memory_peak"]), 20_000_000)

    @with_server("--requirepass", "secret")
    def test_requirepass(self, server, client):
        self.assert_error("NOAUTH Authentication required.", client, "GET", "a")
        self.assert_error("NOAUTH", client, "HELLO", "3")
        self.assert_error("WRONGPASS", client, "AUTH", "wrong")
        self.assert_error("WRONGPASS", client, "AUTH", "somebody", "secret")
        self.assertEqual(client.call("AUTH", "secret"), "OK")
        self.assertIsNone(client.call("GET", "a"))
        other = self.client(server)
        self.assertEqual(other.call("HELLO", 3, "AUTH", "default", "secret")[b"proto"], 3)

    @with_server("--requirepass", "secret")
    def test_strangers_may_say_little(self, server, client):
        for start, text in ((b"*11\r\n", "unauthenticated multibulk length"),
                            (b"*2\r\n$16385\r\n", "unauthenticated bulk length")):
            stranger = self.client(server)
            stranger.send_raw(start)
            with self.assertRaisesRegex(ReplyError, "ERR Protocol error: " + text):
                stranger.reply()
            self.assertTrue(stranger.is_closed())

    @with_server()
    def test_setting_a_password(self, server, client):
        self.assertEqual(client.call("CONFIG", "SET", "requirepass", "x"), "OK")
        self.assertEqual(client.call("PING"), "PONG")
        self.assert_error("NOAUTH", self.client(server), "PING")
        self.assertEqual(client.call("CONFIG", "SET", "requirepass", ""), "OK")
        self.assertEqual(self.client(server).call("PING"), "PONG")


class ProtectedMode(ServerTest):
    @unittest.skipIf(os.getuid() != 0 or shutil.which("unshare") is None,
                     "makes a network namespace of its own")
    def test_strangers_from_elsewhere(self):
        script = os.path.join(TOP, "tests/server/protected_mode.py")
        run = subprocess.run(["unshare", "--net", sys.executable, script], capture_output=True,
                             text=True, timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)


class Settings(ServerTest):
    def test_rewrite_and_start_again(self):
        config = ("# kept comment\n"
                  "maxclients 100\n"
                  "\n"
                  "timeout 5\n"
                  "hz 20\n")
        server = self.server(config=config)
        client = self.client(server)
        changes = {"maxmemory": "104857600", "maxmemory-policy": "volatile-ttl", "timeout": "9",
                   "requirepass": 'a "b" \\ c', "lazyfree-lazy-expire": "yes"}
        for name, value in changes.items():
            self.assertEqual(client.call("CONFIG", "SET", name, value), "OK")
        self.assertEqual(client.call("CONFIG", "REWRITE"), "OK")
        self.assertEqual(server.terminate(), 0)
        with open(server.config_path) as text:
            written = text.read()
        self.assertIn("# kept comment\n", written)
        self.assertIn("\ntimeout 9\n", written)
        self.assertNotIn("timeout 5", written)
        self.assertIn("\nhz 20\n", written)

        again = self.server(config=written, port=server.port)
        client = self.client(again)
        self.assertEqual(client.call("AUTH", changes["requirepass"]), "OK")
        for name, value in changes.items():
            self.assertEqual(config_get(client, name), value)
        self.assertEqual(config_get(client, "maxclients"), "100")
        # A second rewrite changes nothing more.
        self.assertEqual(client.call("CONFIG", "REWRITE"), "OK")
        with open(again.config_path) as text:
            once = text.read()
        self.assertEqual(client.call("CONFIG", "REWRITE"), "OK")
        with open(again.config_path) as text:
            self.assertEqual(text.read(), once)

    @with_server()
    def test_rewrite_without_a_file(self, server, client):
        self.assert_error("ERR The server is running without a config file", client, "CONFIG",
                          "REWRITE")

    @with_server("--rename-command", "FLUSHALL", "", "--rename-command", "CONFIG", "settings")
    def test_rename_command(self, server, client):
        self.assert_error("ERR unknown command 'FLUSHALL'", client, "FLUSHALL")
        self.assert_error("ERR unknown command", client, "CONFIG", "GET", "port")
        self.assertEqual(client.call("SETTINGS", "GET", "port")[1].decode(), str(server.port))

    @with_server()
    def test_several_settings_at_once_or_none(self, server, client):
        self.assertEqual(client.call("CONFIG", "SET", "timeout", 7, "maxclients", 50), "OK")
        self.assert_error("ERR CONFIG SET failed", client, "CONFIG", "SET", "timeout", 8,
                          "maxmemory-policy", "newest")
        self.assertEqual(config_get(client, "timeout"), "7")
        self.assert_error("ERR Unknown option", client, "CONFIG", "SET", "frobnicate", 1)

    @with_server("--databases", 4)
    def test_databases(self, server, client):
        self.assertEqual(client.call("SELECT", 3), "OK")
        self.assert_error("ERR DB index is out of range", client, "SELECT", 4)


class Memory(ServerTest):
    @with_server("--maxmemory", "20mb", "--maxmemory-policy", "noeviction")
    def test_no_eviction(self, server, client):
        with self.assertRaisesRegex(ReplyError, "OOM command not allowed when used memory > 'maxmem"):
            for i in range(30000):
                client.call("SET", f"key:{i}", "x" * 1000)
        self.assertEqual(client.call("GET", "key:0"), b"x" * 1000)
        self.assertGreater(client.call("DEL", *[f"key:{i}" for i in range(1000)]), 0)
        self.assertEqual(client.call("SET", "a", "b"), "OK")

    @with_server("--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru")
    def test_eviction(self, server, client):
        for start in range(0, 40000, 1000):
            client.send_raw(b"".join(b"SET key:%d %s\r\n" % (i, b"x" * 1000)
                                     for i in range(start, start + 1000)))
            for _ in range(1000):
                self.assertEqual(client.reply(), "OK")
        figures = info(client)
        self.assertGreater(int(figures["evicted_keys"]), 10000)
        self.assertLess(int(figures["used_memory"]), 21 * 1024 * 1024)
        self.assertEqual(client.call("SET", "last", "y"), "OK")
        self.assertEqual(client.call("GET", "last"), b"y")

    @with_server()
    def test_expiry(self, server, client):
        client.send_raw(b"".join(b"SET key:%d x PX 300\r\n" % i for i in range(20000)))
        for _ in range(20000):
            client.reply()
        # Nobody asks for them: they are to go by themselves.
        self.assertTrue(eventually(lambda: client.call("DBSIZE") == 0))
        self.assertEqual(info(client)["expired_keys"], "20000")

    @with_server()
    def test_memory_returns_after_flushall(self, server, client):
        client.call("FLUSHALL")
        base = int(info(client)["used_memory"])
        client.send_raw(b"".join(b"SET key:%d %s\r\n" % (i, b"x" * 100) for i in range(50000)))
        for _ in range(50000):
            client.reply()
        self.assertGreater(int(info(client)["used_memory"]), base + 5_000_000)
        client.call("FLUSHALL", "ASYNC")
        self.assertTrue(eventually(lambda: int(info(client)["used_memory"]) < base + 200_000))


if __name__ == "__main__":
    unittest.main()

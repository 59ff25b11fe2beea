#!/usr/bin/env python3
"""How a server starts and stops: its configuration, what it refuses, signals, sockets, logs."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import unittest

from harness import (BINARY, REFERENCE, Client, ReplyError, ServerTest, config_get, eventually, free_port,
                     is_loading, ours_only, with_server)

NOBODY = 65534


class Configuration(ServerTest):
    def test_a_file_and_arguments_after_it(self):
        config = ("# a comment\n\n"
                  "maxmemory 100mb\n"
                  "MAXMEMORY-POLICY allkeys-lru\n"
                  "timeout 30\n"
                  "requirepass \"se cret\\x21\"\n")
        server = self.server("--timeout", 40, config=config)
        client = self.client(server)
        self.assertEqual(client.call("AUTH", "se cret!"), "OK")
        self.assertEqual(config_get(client, "maxmemory"), str(100 * 1024 * 1024))
        self.assertEqual(config_get(client, "maxmemory-policy"), "allkeys-lru")
        self.assertEqual(config_get(client, "timeout"), "40")

    def test_include_and_what_overrides_it(self):
        included = os.path.join(self.directory(), "more.conf")
        with open(included, "w") as out:
            out.write("timeout 7\nmaxclients 77\n")
        server = self.server(config=f"maxclients 10\ninclude {included}\ntimeout 8\n")
        client = self.client(server)
        self.assertEqual(config_get(client, "timeout"), "8")
        self.assertEqual(config_get(client, "maxclients"), "77")

    def test_an_unknown_directive_is_refused_with_its_line(self):
        output = self.assert_start_fails(r"(line 3|:3\b)", "frobnicate",
                                         config="timeout 1\n\nfrobnicate yes\n")
        if not REFERENCE:
            self.assertIn("test.conf", output)

    def test_bad_values_are_refused_with_what_was_expected(self):
        cases = [("maxclients lots", "maxclients"),
                 ("timeout -1", "timeout"),
                 ("appendonly perhaps", "appendonly"),
                 ("maxmemory 10 mb", "maxmemory"),
                 ("maxmemory 10mib", "maxmemory"),
                 ("maxmemory-policy newest", "maxmemory-policy"),
                 ("loglevel loud", "loglevel"),
                 ("port 65536", "port"),
                 ("databases 0", "databases"),
                 ("requirepass \"open", "(?i)quotes"),
                 ("client-output-buffer-limit normal 1", "client-output-buffer-limit"),
                 ("include /nonexistent/file.conf", "/nonexistent/file.conf")]
        for line, mention in cases:
            with self.subTest(line):
                output = self.assert_start_fails(mention, config=f"# first\n{line}\n")
                if not REFERENCE:
                    self.assertRegex(output, r"test\.conf.*(line 2|:2\b)")

    @ours_only
    def test_the_error_says_what_was_expected(self):
        cases = [("appendonly perhaps", "yes.*no"),
                 ("maxmemory-policy newest", "noeviction.*allkeys-lru|allkeys-lru.*noeviction"),
                 ("loglevel loud", "debug.*verbose.*notice.*warning")]
        for line, pattern in cases:
            with self.subTest(line):
                self.assert_start_fails(pattern, config=line + "\n")

    @ours_only
    def test_renaming_an_unknown_command_is_refused(self):
        for line, got in (("rename-command nosuch other", "nosuch"),
                          ("rename-command get SET", "SET")):
            with self.subTest(line):
                self.assert_start_fails(r"test\.conf:2: rename-command: expected .*, got \"" + got,
                                        config=f"# first\n{line}\n")

    def test_commands_of_parts_can_be_renamed(self):
        names = ("eval", "evalsha", "function", "replicaof", "bgsave")
        server = self.server(config="".join(f'rename-command {name} ""\n' for name in names))
        client = self.client(server)
        for name in names:
            self.assert_error("ERR unknown command", client, name, "x", "y")

    def test_bad_arguments_are_refused(self):
        self.assert_start_fails("frobnicate", arguments=["--frobnicate", "yes"])
        self.assert_start_fails("maxclients", arguments=["--maxclients", "lots"])

    def test_a_file_that_is_not_there(self):
        run = subprocess.run([BINARY, "/nonexistent/a.conf"], capture_output=True, text=True,
                             stdin=subprocess.DEVNULL, timeout=20)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("/nonexistent/a.conf", run.stdout + run.stderr)

    @ours_only
    def test_what_is_not_supported_yet_is_refused_and_not_ignored(self):
        for line in ("cluster-enabled yes", "loadmodule /x.so", "tls-port 6390", "aclfile /x"):
            with self.subTest(line):
                path = os.path.join(self.directory(), "one.conf")
                with open(path, "w") as out:
                    out.write(f"port {free_port()}\n{line}\n")
                run = subprocess.run([BINARY, path], capture_output=True, text=True,
                                     stdin=subprocess.DEVNULL, timeout=20)
                self.assertNotEqual(run.returncode, 0)
                self.assertRegex(run.stdout + run.stderr, r"one\.conf.*(line 2|:2\b)")
                self.assertIn("not supported", run.stdout + run.stderr)

    @with_server()
    def test_all_directives_of_redis_conf_are_known(self, server, client):
        for name in ("maxmemory", "appendfsync", "hz", "lfu-decay-time", "slowlog-max-len",
                     "list-max-listpack-size", "lazyfree-lazy-user-del", "cluster-node-timeout",
                     "repl-backlog-size", "tracking-table-max-keys", "activedefrag"):
            self.assertIsNotNone(config_get(client, name), name)

    def test_the_directory_is_shown_absolute(self):
        server = self.server("--dir", ".")
        self.assertEqual(config_get(self.client(server), "dir"), os.path.realpath(server.directory))

    @with_server("--enable-protected-configs", "local")
    def test_local_clients_may_change_protected_settings(self, server, client):
        self.assertEqual(client.call("CONFIG", "SET", "dbfilename", "x.rdb"), "OK")

    def test_version_and_help(self):
        for argument, pattern in (("--version", r"v=\d|\d+\.\d+\.\d+"), ("--help", "[Uu]sage")):
            run = subprocess.run([BINARY, argument], capture_output=True, text=True, timeout=20,
                                 stdin=subprocess.DEVNULL)
            self.assertRegex(run.stdout + run.stderr, pattern)


class Listening(ServerTest):
    def test_a_connection_has_its_own_local_address(self):
        server = self.server(bind="*")
        self.assertIn(f" laddr=127.0.0.1:{server.port} ".encode(),
                      self.client(server).call("CLIENT", "LIST"))

    @with_server()
    def test_a_port_in_use(self, server, _):
        self.assert_start_fails(str(server.port), "(?i)address already in use", port=server.port)

    def test_an_address_that_is_not_ours(self):
        self.assert_start_fails("192.0.2.1", bind="192.0.2.1")

    def test_an_optional_address_may_be_missing(self):
        port = free_port()
        server = self.server(port=port, bind="127.0.0.1 -192.0.2.1")
        self.assertEqual(self.client(server).call("PING"), "PONG")

    def test_a_unix_socket(self):
        path = os.path.join(self.directory(), "s.sock")
        server = self.server("--unixsocket", path, "--unixsocketperm", "700")
        client = Client(path=path)
        self.addCleanup(client.close)
        self.assertEqual(client.call("SET", "a", "b"), "OK")
        self.assertIn(f"addr={path}:0".encode(), client.call("CLIENT", "LIST"))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)
        self.assertEqual(self.client(server).call("GET", "a"), b"b")
        self.assertEqual(server.terminate(), 0)
        self.assertFalse(os.path.exists(path))

    def test_a_unix_socket_alone(self):
        path = os.path.join(self.directory(), "alone.sock")
        server = self.server("--unixsocket", path, port=0, wait=False)
        self.assertTrue(eventually(lambda: os.path.exists(path)))
        with Client(path=path) as client:
            self.assertTrue(eventually(lambda: not is_loading(client)))
            self.assertEqual(client.call("PING"), "PONG")
        self.assertEqual(server.terminate(), 0)

    def test_a_unix_socket_that_was_left_behind(self):
        path = os.path.join(self.directory(), "old.sock")
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(path)
        self.server("--unixsocket", path)
        with Client(path=path) as client:
            self.assertEqual(client.call("PING"), "PONG")


class Directories(ServerTest):
    @ours_only
    @unittest.skipIf(os.getuid() != 0, "changes the user")
    def test_a_directory_that_cannot_be_written(self):
        directory = self.directory()
        self.assert_start_fails(f"{directory}.*(?i:permission denied)", user=NOBODY,
                                arguments=["--dir", directory])

    def test_a_directory_that_is_not_there(self):
        self.assert_start_fails("/nonexistent", arguments=["--dir", "/nonexistent"])

    def test_a_log_file_that_cannot_be_opened(self):
        self.assert_start_fails("(?i)no such file", arguments=["--logfile", "/nonexistent/x.log"])

    @unittest.skipIf(os.getuid() != 0, "changes the user")
    def test_a_configuration_that_cannot_be_rewritten(self):
        # The server may write into its own directory but not where its configuration is.
        server = self.server(config="timeout 5\n", config_directory=self.directory(), user=NOBODY)
        client = self.client(server)
        self.assertEqual(client.call("CONFIG", "SET", "timeout", "6"), "OK")
        with self.assertRaisesRegex(ReplyError, "ERR Rewriting config file: (?i:permission denied)"):
            client.call("CONFIG", "REWRITE")
        self.assertEqual(client.call("PING"), "PONG")
        with open(server.config_path) as text:
            self.assertEqual(text.read(), "timeout 5\n")


class Stopping(ServerTest):
    def test_signals_stop_in_order(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                server = self.server()
                client = self.client(server)
                self.assertEqual(client.call("PING"), "PONG")
                server.process.send_signal(number)
                self.assertEqual(server.wait_for_exit(), 0)
                self.assertTrue(client.is_closed())
                self.assertRegex(server.output(), "(?i)shut|bye|stop")

    @with_server()
    def test_shutdown(self, server, client):
        client.send("SHUTDOWN", "NOSAVE")
        self.assertEqual(server.wait_for_exit(), 0)

    @with_server()
    def test_replies_before_the_signal_arrive(self, server, client):
        client.send_raw(b"PING\r\n" * 1000)
        for _ in range(1000):
            self.assertEqual(client.reply(), "PONG")
        self.assertEqual(server.terminate(), 0)

    @with_server()
    def test_the_port_is_free_at_once(self, server, client):
        self.assertEqual(client.call("PING"), "PONG")
        self.assertEqual(server.terminate(), 0)
        again = self.server(port=server.port)
        self.assertEqual(self.client(again).call("PING"), "PONG")


class Logs(ServerTest):
    def test_a_log_file(self):
        path = os.path.join(self.directory(), "server.log")
        server = self.server("--logfile", path, "--loglevel", "debug")
        self.client(server).call("PING")
        self.assertEqual(server.terminate(), 0)
        with open(path) as log:
            self.assertGreater(len(log.readlines()), 2)

    @ours_only
    def test_json(self):
        server = self.server("--log-format", "json", "--loglevel", "debug")
        self.client(server).call("CLIENT", "SETNAME", 'a"b')
        self.assertEqual(server.terminate(), 0)
        lines = server.output().splitlines()
        self.assertGreater(len(lines), 2)
        for line in lines:
            self.assertIsInstance(json.loads(line), dict, line)

    def test_only_warnings(self):
        server = self.server("--loglevel", "warning")
        self.assertEqual(server.terminate(), 0)
        self.assertFalse(re.search("(?i)ready to accept", server.output()))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""CONFIG REWRITE: its reply keeps its place, and the file on disk is the new one."""

import os
import unittest

from harness import Client, ServerTest, encode, ours_only


class Rewrite(ServerTest):
    def test_the_file_and_what_else_is_in_its_directory(self):
        server = self.server(config="# mine\ntimeout 5\n")
        client = self.client(server)
        before = sorted(os.listdir(server.directory))
        self.assertEqual(client.call("CONFIG", "SET", "timeout", "77"), "OK")
        self.assertEqual(client.call("CONFIG", "REWRITE"), "OK")
        with open(server.config_path) as text:
            lines = text.read().splitlines()
        self.assertEqual(lines[0], "# mine")
        self.assertIn("timeout 77", lines)
        self.assertEqual(sorted(os.listdir(server.directory)), before)

    def test_replies_stay_in_order(self):
        server = self.server(config="timeout 5\n")
        clients = [self.client(server) for _ in range(5)]
        pipeline = (encode("PING", "1") + encode("CONFIG", "REWRITE") + encode("PING", "2") +
                    encode("CONFIG", "REWRITE") + encode("CONFIG", "REWRITE") + encode("PING", "3"))
        for client in clients:
            client.send_raw(pipeline)
        for client in clients:
            self.assertEqual([client.reply() for _ in range(6)],
                             [b"1", "OK", b"2", "OK", "OK", b"3"])

    def test_in_a_transaction_it_is_one_element(self):
        server = self.server(config="timeout 5\n")
        client = self.client(server)
        client.send_raw(encode("PING", "0") + encode("MULTI") + encode("PING", "1") +
                        encode("CONFIG", "REWRITE") + encode("CONFIG", "REWRITE") +
                        encode("PING", "2") + encode("EXEC") + encode("PING", "3"))
        self.assertEqual([client.reply() for _ in range(8)],
                         [b"0", "OK", "QUEUED", "QUEUED", "QUEUED", "QUEUED",
                          [b"1", "OK", "OK", b"2"], b"3"])
        # CLIENT REPLY is about the whole of it.
        client.send_raw(encode("CLIENT", "REPLY", "OFF") + encode("CONFIG", "REWRITE") +
                        encode("MULTI") + encode("CONFIG", "REWRITE") + encode("EXEC") +
                        encode("CLIENT", "REPLY", "ON") + encode("PING", "4"))
        self.assertEqual([client.reply(), client.reply()], ["OK", b"4"])

    def test_behind_a_pause(self):
        server = self.server(config="timeout 5\n")
        client, other = self.client(server), self.client(server)
        self.assertEqual(other.call("CLIENT", "PAUSE", "300", "ALL"), "OK")
        client.send_raw(encode("CONFIG", "REWRITE") + encode("PING", "1"))
        self.assertEqual([client.reply(), client.reply()], ["OK", b"1"])

    @ours_only
    def test_without_replies(self):
        server = self.server(config="timeout 5\n")
        client = self.client(server)
        client.send_raw(encode("CLIENT", "REPLY", "SKIP") + encode("CONFIG", "REWRITE") +
                        encode("PING", "1"))
        self.assertEqual(client.reply(), b"1")

    def test_a_client_that_leaves_before_its_reply(self):
        server = self.server(config="timeout 5\n")
        for _ in range(20):
            with Client(port=server.port) as client:
                client.send_raw(encode("CONFIG", "REWRITE") * 3)
                client.vanish()
        self.assertEqual(self.client(server).call("PING"), "PONG")

    @ours_only
    def test_a_directory_that_is_gone(self):
        server = self.server(config="timeout 5\n")
        client = self.client(server)
        os.remove(server.config_path)
        os.rename(server.directory, server.directory + "-moved")
        try:
            self.assert_error("ERR Rewriting config file: ", client, "CONFIG", "REWRITE")
        finally:
            os.rename(server.directory + "-moved", server.directory)
        self.assertEqual(client.call("PING"), "PONG")


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""INFO of a running server: what tools read is there, is a number, and makes sense.

Most of it holds for redis-server too; see harness.py.
"""

import re
import time
import unittest

from harness import ServerTest, eventually, info, ours_only, with_server

# Fields that are not numbers. All others are, or are lists of name=number.
TEXTS = {
    "redis_version", "redoubt_version", "redis_git_sha1", "redis_build_id", "redis_mode", "os",
    "monotonic_clock", "multiplexing_api", "atomicvar_api", "gcc_version", "process_supervised",
    "run_id", "executable", "config_file", "maxmemory_policy", "mem_allocator",
    "rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status", "role",
    "master_failover_state", "master_replid", "master_replid2",
}

# What monitoring reads first.
NEEDED = """
redis_version redis_mode os arch_bits process_id run_id tcp_port uptime_in_seconds uptime_in_days hz
connected_clients maxclients blocked_clients tracking_clients client_recent_max_input_buffer
client_recent_max_output_buffer clients_in_timeout_table
used_memory used_memory_human used_memory_rss used_memory_peak used_memory_peak_perc
used_memory_overhead used_memory_startup used_memory_dataset used_memory_dataset_perc
allocator_allocated allocator_active allocator_resident allocator_frag_ratio allocator_frag_bytes
allocator_rss_ratio allocator_rss_bytes total_system_memory maxmemory maxmemory_policy
mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict mem_replication_backlog
mem_clients_normal mem_allocator lazyfree_pending_objects lazyfreed_objects
loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status
rdb_last_bgsave_time_sec aof_enabled aof_rewrite_in_progress aof_last_bgrewrite_status
aof_last_write_status
total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes
total_net_output_bytes instantaneous_input_kbps instantaneous_output_kbps rejected_connections
expired_keys expired_stale_perc expired_time_cap_reached_count expire_cycle_cpu_milliseconds
evicted_keys evicted_clients keyspace_hits keyspace_misses pubsub_channels pubsub_patterns
tracking_total_keys unexpected_error_replies total_error_replies total_reads_processed
total_writes_processed
role connected_slaves master_replid master_replid2 master_repl_offset second_repl_offset
repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen
used_cpu_sys used_cpu_user used_cpu_sys_main_thread used_cpu_user_main_thread cluster_enabled
""".split()

# Since 7.2.
NEWER = """
client_query_buffer_limit_disconnections client_output_buffer_limit_disconnections eventloop_cycles
eventloop_duration_sum eventloop_duration_cmd_sum instantaneous_eventloop_cycles_per_sec
instantaneous_eventloop_duration_usec acl_access_denied_auth total_blocking_keys
""".split()

NUMBER = r"-?\d+(\.\d+)?"


def problem(name, value):
    """Why this is not what the field's readers can parse; None when it is."""
    if name in TEXTS or name.startswith("listener"):
        return None
    if name.endswith("_human"):
        pattern = r"\d+(\.\d+)?[BKMGTP]"
    elif name.endswith("_perc") and name.startswith("used_memory"):
        pattern = NUMBER + "%"
    elif re.match(r"cmdstat_|errorstat_|latency_percentiles_usec_|db\d+", name):
        pattern = rf"[\w.]+={NUMBER}[KMGTPE]?(,[\w.]+={NUMBER}[KMGTPE]?)*"
    else:
        pattern = NUMBER
    return None if re.fullmatch(pattern, value) else f"{name}:{value}"


class Info(ServerTest):
    def assert_between(self, low, fields, name, high):
        self.assertTrue(low < float(fields[name]) < high, f"{name}:{fields[name]}")

    @with_server()
    def test_every_field_parses(self, _server, client):
        client.call("SET", "k", "v", "EX", "100")
        client.call("LPUSH", "l", "a")
        client.call("GET", "k")
        with self.assertRaises(Exception):
            client.call("NOSUCH")
        fields = info(client, "everything")
        self.assertEqual([p for p in map(problem, fields, fields.values()) if p], [])
        self.assertEqual([name for name in NEEDED if name not in fields], [])

    @ours_only
    @with_server()
    def test_newer_fields_are_there(self, _server, client):
        fields = info(client, "everything")
        self.assertEqual([name for name in NEWER if name not in fields], [])

    @with_server()
    def test_no_name_comes_twice(self, _server, client):
        text = client.call("INFO", "everything").decode()
        names = [line.split(":")[0] for line in text.splitlines() if ":" in line]
        self.assertEqual(len(names), len(set(names)))

    @with_server()
    def test_memory_of_an_empty_server(self, server, client):
        fields = info(client, "memory")
        self.assert_between(100_000, fields, "used_memory", 20_000_000)
        self.assert_between(100_000, fields, "used_memory_startup", 20_000_000)
        self.assert_between(0.5, fields, "mem_fragmentation_ratio", 30)
        self.assert_between(0.99, fields, "allocator_frag_ratio", 5)
        self.assert_between(0.5, fields, "allocator_rss_ratio", 20)
        used, startup = int(fields["used_memory"]), int(fields["used_memory_startup"])
        self.assertLess(used - startup, 2_000_000)
        self.assertGreaterEqual(int(fields["used_memory_overhead"]), startup)
        self.assertGreaterEqual(int(fields["used_memory_peak"]) * 1.1, used)
        self.assertAlmostEqual(int(fields["used_memory_rss"]), server.resident_bytes(),
                               delta=4_000_000)

    @with_server("--enable-debug-command", "yes")
    def test_memory_of_data(self, _server, client):
        before = int(info(client, "memory")["used_memory"])
        client.call("DEBUG", "POPULATE", "100000", "key", "200")
        fields = info(client, "memory")
        self.assertGreater(int(fields["used_memory"]), before + 20_000_000)
        self.assertGreater(int(fields["used_memory_dataset"]), 20_000_000)
        self.assert_between(0.8, fields, "mem_fragmentation_ratio", 2)
        stats = client.call("MEMORY", "STATS")
        stats = dict(zip((name.decode() for name in stats[::2]), stats[1::2]))
        self.assertEqual(stats["keys.count"], 100000)
        self.assertEqual(stats["startup.allocated"], int(fields["used_memory_startup"]))
        self.assertGreater(stats["keys.bytes-per-key"], 200)
        self.assertGreater(len(client.call("MEMORY", "MALLOC-STATS")), 1000)
        client.call("MEMORY", "DOCTOR")

    @ours_only
    @with_server()
    def test_the_loop(self, _server, client):
        first = info(client, "stats")
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            client.call("PING")
        last = info(client, "stats")
        cycles = int(last["eventloop_cycles"]) - int(first["eventloop_cycles"])
        busy_us = int(last["eventloop_duration_sum"]) - int(first["eventloop_duration_sum"])
        command_us = (int(last["eventloop_duration_cmd_sum"])
                      - int(first["eventloop_duration_cmd_sum"]))
        calls = int(last["total_commands_processed"]) - int(first["total_commands_processed"])
        self.assertGreater(cycles, calls / 2)
        self.assertGreater(busy_us, command_us)
        self.assertLess(busy_us, 20_000_000)
        self.assertGreater(int(last["instantaneous_eventloop_cycles_per_sec"]), 50)
        self.assert_between(0, last, "instantaneous_eventloop_duration_usec", 100_000)
        client.call("CONFIG", "RESETSTAT")
        self.assertLess(int(info(client, "stats")["eventloop_cycles"]), 1000)

    @with_server("--enable-debug-command", "yes")
    def test_recent_buffers(self, server, client):
        slow = self.client(server)
        client.call("SET", "large", "x" * 3_000_000)
        for _ in range(20):
            slow.send("GET", "large")  # and does not read
        self.assertTrue(eventually(
            lambda: int(info(client)["client_recent_max_output_buffer"]) > 3_000_000))
        if server.process.args[0].endswith("redoubt-server"):
            slow.vanish()
            time.sleep(1)
            self.assertGreater(int(info(client)["client_recent_max_output_buffer"]), 3_000_000)

    @with_server()
    def test_what_expires_is_timed_and_errors_are_counted(self, _server, client):
        for i in range(0, 200_000, 1000):
            client.send_raw(b"".join(b"PSETEX key:%d 300 x\r\n" % n for n in range(i, i + 1000)))
            for _ in range(1000):
                client.reply()
        self.assertTrue(eventually(lambda: int(info(client)["expired_keys"]) >= 200_000, 30))
        fields = info(client)
        self.assert_between(0, fields, "expire_cycle_cpu_milliseconds", 20_000)
        with self.assertRaises(Exception):
            client.call("NOSUCH")
        self.assertGreater(int(info(client)["total_error_replies"]), 0)


if __name__ == "__main__":
    unittest.main()

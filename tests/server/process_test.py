#!/usr/bin/env python3
"""The process and whoever starts it: stock configurations, init scripts, systemd, log rotation, the
system's log, and what changes while it runs."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

from harness import (BINARY, REFERENCE, Client, ServerTest, config_get, eventually,
                     free_port, info, is_loading, ours_only, with_server)

HERE = os.path.dirname(os.path.abspath(__file__))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that has ended and that nobody has waited for is not alive.
    with open(f"/proc/{pid}/stat") as text:
        return text.read().rsplit(")", 1)[1].split()[0] != "Z"


def read(path):
    with open(path) as text:
        return text.read()


class Started(ServerTest):
    """Servers that are started with exactly these words."""

    def write_config(self, text):
        path = os.path.join(self.directory(), "stock.conf")
        with open(path, "w") as out:
            out.write(text)
        return path

    def start(self, *words, **options):
        process = subprocess.Popen([BINARY, *map(str, words)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()

    def connect(self, port):
        def try_it():
            try:
                self.connected = Client(port=port)
                return True
            except OSError:
                return False

        self.assertTrue(eventually(try_it), "nobody listens")
        self.addCleanup(self.connected.close)
        self.assertTrue(eventually(lambda: not is_loading(self.connected)))
        return self.connected

    def end_by_pidfile(self, path):
        if os.path.exists(path) and read(path).strip():
            try:
                os.kill(int(read(path)), signal.SIGKILL)
            except ProcessLookupError:
                pass


class StockFiles(Started):
    def stock(self, name, directory):
        return read(os.path.join(HERE, "stock", name)).replace("{dir}", directory)

    @ours_only
    def test_each_starts_as_it_is(self):
        for name in sorted(os.listdir(os.path.join(HERE, "stock"))):
            with self.subTest(name):
                directory, port = self.directory(), free_port()
                text = self.stock(name, directory).replace("port 6379", f"port {port}", 1)
                process = self.start(self.write_config(text), "--daemonize", "no")
                client = self.connect(port)
                self.assertEqual(client.call("SET", "a", "b"), "OK")
                self.assertEqual(config_get(client, "dir"), directory)
                process.terminate()
                self.assertEqual(process.wait(20), 0)

    @ours_only
    def test_what_changes_nothing_is_one_line_of_the_log(self):
        directory, port = self.directory(), free_port()
        text = self.stock("redis-7.2.conf", directory).replace("port 6379", f"port {port}", 1)
        process = self.start(self.write_config(text))
        self.connect(port)
        process.terminate()
        output = process.communicate(timeout=20)[0]
        lines = [line for line in output.splitlines() if "change nothing here" in line]
        self.assertEqual(len(lines), 1, output)
        self.assertIn("io-threads (", lines[0])
        self.assertNotIn("password", lines[0])

    # As Debian's unit starts it: redis-server /etc/redis/redis.conf --supervised systemd --daemonize no
    @ours_only
    def test_debians_unit(self):
        directory, port = self.directory(), free_port()
        text = self.stock("debian-7.0.15.conf", directory).replace("port 6379", f"port {port}", 1)
        receiver = NotifyReceiver(os.path.join(directory, "notify"))
        self.addCleanup(receiver.close)
        process = self.start(self.write_config(text), "--supervised", "systemd", "--daemonize", "no",
                             env=dict(os.environ, NOTIFY_SOCKET=receiver.name))
        ready = receiver.until("READY=1")
        self.assertTrue(any(line.startswith("STATUS=") for line in ready), ready)
        # Whoever is told may connect at once.
        with Client(port=port) as client:
            self.assertEqual(client.call("PING"), "PONG")
            self.assertEqual(info(client)["process_supervised"], "systemd")
        self.assertEqual(read(os.path.join(directory, "redis-server.pid")), f"{process.pid}\n")
        process.terminate()
        receiver.until("STOPPING=1")
        self.assertEqual(process.wait(20), 0)
        self.assertFalse(os.path.exists(os.path.join(directory, "redis-server.pid")))

    @ours_only
    def test_missing_things_are_one_list(self):
        path = self.write_config("port 0\naclfile users.acl\n\nloadmodule /a.so\ntls-port 6390\n"
                                 "cluster-enabled yes\n")
        process = self.start(path)
        output = process.communicate(timeout=20)[0]
        self.assertEqual(process.returncode, 1)
        for name, line in (("aclfile", 2), ("loadmodule", 4), ("tls-port", 5),
                           ("cluster-enabled", 6)):
            self.assertRegex(output, rf"stock\.conf:{line}: {name}\b.*not supported yet")

    def test_include_takes_patterns(self):
        parts = self.directory()
        for name, text in (("10.conf", "timeout 10\nhz 20\n"), ("20.conf", "timeout 20\n"),
                           ("30.off", "timeout 30\n")):
            with open(os.path.join(parts, name), "w") as out:
                out.write(text)
        server = self.server(config=f"include {parts}/*.conf\ninclude {parts}/none-*.conf\n")
        client = self.client(server)
        self.assertEqual(config_get(client, "timeout"), "20")
        self.assertEqual(config_get(client, "hz"), "20")


class NotifyReceiver:
    """Receives what sd_notify() sends: a datagram of lines to a socket."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(20)

    def next(self):
        return self.socket.recv(4096).decode().splitlines()

    def until(self, line):
        """The datagram that has this line; there may be others before it."""
        while True:
            lines = self.next()
            if line in lines:
                return lines

    def close(self):
        self.socket.close()


class Supervised(Started):
    def run_with(self, name, mode="systemd"):
        receiver = NotifyReceiver(name)
        self.addCleanup(receiver.close)
        server = self.server("--supervised", mode, wait=False,
                             environment={"NOTIFY_SOCKET": name})
        return receiver, server

    def test_an_abstract_socket(self):
        receiver, server = self.run_with(f"@redoubt-test-{os.getpid()}")
        receiver.until("READY=1")
        self.assertEqual(self.client(server).call("PING"), "PONG")

    @ours_only
    def test_automatic_and_told_of_shutdown(self):
        receiver, server = self.run_with(os.path.join(self.directory(), "n"), "auto")
        receiver.until("READY=1")
        client = self.client(server)
        self.assertEqual(info(client)["process_supervised"], "systemd")
        client.send("SHUTDOWN", "NOSAVE")
        receiver.until("STOPPING=1")
        self.assertEqual(server.wait_for_exit(), 0)

    def test_nobody_to_tell(self):
        server = self.server("--supervised", "systemd")
        self.assertEqual(self.client(server).call("PING"), "PONG")
        self.assertEqual(info(self.client(server))["process_supervised"], "no")

    def test_not_asked_for(self):
        name = os.path.join(self.directory(), "n")
        receiver = NotifyReceiver(name)
        self.addCleanup(receiver.close)
        server = self.server("--supervised", "no", environment={"NOTIFY_SOCKET": name})
        self.assertEqual(info(self.client(server))["process_supervised"], "no")
        receiver.socket.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            receiver.next()

    @ours_only
    def test_upstart(self):
        server = self.server("--supervised", "upstart", wait=False,
                             environment={"UPSTART_JOB": "redoubt"})

        def stopped():
            return "T" in read(f"/proc/{server.process.pid}/stat").rsplit(")", 1)[1].split()[0]

        self.assertTrue(eventually(stopped))
        server.process.send_signal(signal.SIGCONT)
        self.assertEqual(info(self.client(server))["process_supervised"], "upstart")


class Background(Started):
    def arguments(self, *more):
        directory, port = self.directory(), free_port()
        self.pidfile = os.path.join(directory, "r.pid")
        self.log = os.path.join(directory, "r.log")
        self.addCleanup(self.end_by_pidfile, self.pidfile)
        self.port = port
        return ["--port", port, "--bind", "127.0.0.1", "--dir", directory, "--daemonize", "yes",
                "--pidfile", self.pidfile, "--logfile", self.log, "--save", "", *more]

    def pid(self):
        """What the pid file says; redis-server writes it after the first process has ended."""
        self.assertTrue(eventually(lambda: os.path.exists(self.pidfile) and read(self.pidfile)))
        return read(self.pidfile)

    @ours_only
    def test_whoever_starts_it_knows_that_it_runs(self):
        began = self.start(*self.arguments())
        self.assertEqual(began.wait(20), 0)
        # No waiting: when the first process has ended, the second one serves.
        with Client(port=self.port) as client:
            self.assertEqual(client.call("PING"), "PONG")
        pid = int(read(self.pidfile))
        self.assertNotEqual(pid, began.pid)
        self.assertEqual(os.getsid(pid), pid)
        for fd in range(3):
            self.assertEqual(os.readlink(f"/proc/{pid}/fd/{fd}"), "/dev/null")
        self.assertIn("Ready to accept connections", read(self.log))
        os.kill(pid, signal.SIGTERM)
        self.assertTrue(eventually(lambda: not os.path.exists(self.pidfile)))
        self.assertTrue(eventually(lambda: not alive(pid)))

    @ours_only
    def test_whoever_starts_it_knows_that_it_does_not(self):
        for more, words in ((["--dir", "/nonexistent"], "/nonexistent"),
                            (["--bind", "192.0.2.1"], "192.0.2.1")):
            with self.subTest(words):
                began = self.start(*self.arguments(*more))
                output = began.communicate(timeout=20)[0]
                self.assertEqual(began.returncode, 1)
                self.assertIn(words, output)
                self.assertFalse(os.path.exists(self.pidfile))

    def test_a_supervisor_is_stronger(self):
        receiver = NotifyReceiver(os.path.join(self.directory(), "n"))
        self.addCleanup(receiver.close)
        server = self.server("--daemonize", "yes", "--supervised", "systemd",
                             environment={"NOTIFY_SOCKET": receiver.name})
        self.assertEqual(self.client(server).call("PING"), "PONG")
        self.assertTrue(server.alive())

    @unittest.skipIf(shutil.which("start-stop-daemon") is None, "there is no start-stop-daemon")
    def test_an_init_script(self):
        words = ["start-stop-daemon", "--quiet", "--oknodo", "--pidfile"]
        arguments = list(map(str, self.arguments()))
        start = [*words, self.pidfile, "--start", "--exec", BINARY, "--", *arguments]
        stop = [*words, self.pidfile, "--stop", "--retry", "20", "--exec", BINARY]
        subprocess.run(start, check=True, timeout=30, stdout=subprocess.DEVNULL)
        client = self.connect(self.port)
        self.assertEqual(client.call("PING"), "PONG")
        pid = self.pid()
        subprocess.run(start, check=True, timeout=30, stdout=subprocess.DEVNULL)  # runs already
        self.assertEqual(read(self.pidfile), pid)
        subprocess.run(stop, check=True, timeout=30, stdout=subprocess.DEVNULL)
        self.assertFalse(alive(int(pid)))
        subprocess.run(start, check=True, timeout=30, stdout=subprocess.DEVNULL)
        self.assertNotEqual(self.pid(), pid)
        subprocess.run(stop, check=True, timeout=30, stdout=subprocess.DEVNULL)

    def test_a_pidfile_without_going_to_the_background(self):
        path = os.path.join(self.directory(), "r.pid")
        server = self.server("--pidfile", path)
        self.assertEqual(read(path), f"{server.process.pid}\n")
        self.assertEqual(server.terminate(), 0)
        self.assertFalse(os.path.exists(path))

    def test_a_pidfile_that_cannot_be_written(self):
        server = self.server("--pidfile", "/nonexistent/r.pid")
        self.assertEqual(self.client(server).call("PING"), "PONG")
        if not REFERENCE:
            self.assertIn("/nonexistent/r.pid", server.output())

    @ours_only
    def test_a_pidfile_of_another_process_stays(self):
        path = os.path.join(self.directory(), "r.pid")
        server = self.server("--pidfile", path)
        with open(path, "w") as out:
            out.write("1\n")
        self.assertEqual(server.terminate(), 0)
        self.assertEqual(read(path), "1\n")


class Logging(Started):
    def test_lines_that_tools_wait_for(self):
        server = self.server()
        self.assertTrue(eventually(lambda: "Ready to accept connections" in server.output()))
        if not REFERENCE:  # 7.0.15 has that line, 7.2 does not
            self.assertIn("Server initialized", server.output())

    def test_rotation(self):
        directory = self.directory()
        path = os.path.join(directory, "server.log")
        server = self.server("--logfile", path)
        self.assertTrue(eventually(lambda: "Ready to accept connections" in read(path)))
        os.rename(path, path + ".1")
        self.assertEqual(server.terminate(), 0)
        self.assertIn("Ready to accept connections", read(path + ".1"))
        self.assertRegex(read(path), "(?i)SIGTERM")
        self.assertNotIn("Ready to accept connections", read(path))

    @unittest.skipIf(shutil.which("logrotate") is None, "there is no logrotate")
    def test_logrotate(self):
        directory = self.directory()
        path = os.path.join(directory, "server.log")
        rules = os.path.join(directory, "rules")
        with open(rules, "w") as out:
            out.write(f"{path} {{\n  rotate 2\n  missingok\n}}\n")
        os.chmod(rules, 0o644)
        server = self.server("--logfile", path)
        self.assertTrue(eventually(lambda: "Ready to accept connections" in read(path)))
        subprocess.run(["logrotate", "--force", "--state", os.path.join(directory, "state"), rules],
                       check=True, timeout=30)
        self.assertEqual(server.terminate(), 0)
        self.assertIn("Ready to accept connections", read(path + ".1"))
        self.assertRegex(read(path), "(?i)SIGTERM")

    def test_its_mode_follows_the_umask(self):
        for mask, mode in ((0o022, 0o644), (0o027, 0o640)):
            path = os.path.join(self.directory(), "server.log")
            self.server("--logfile", path, umask=mask)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mode)

    def test_a_relative_name_is_below_dir(self):
        server = self.server("--logfile", "relative.log")
        self.assertTrue(eventually(lambda: os.path.exists(
            os.path.join(server.directory, "relative.log"))))

    @unittest.skipIf(os.getuid() != 0 or os.path.exists("/dev/log"), "needs /dev/log for itself")
    def test_the_systems_log(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind("/dev/log")
            self.addCleanup(os.unlink, "/dev/log")
            log.settimeout(20)
            server = self.server("--syslog-enabled", "yes", "--syslog-ident", "me",
                                 "--syslog-facility", "local3")
            lines = []
            while not lines or "Ready to accept connections" not in lines[-1]:
                lines.append(log.recv(4096).decode())
        facility, notice = 16 + 3, 5
        self.assertTrue(lines[-1].startswith(f"<{facility * 8 + notice}>"), lines)
        self.assertIn(f"me[{server.process.pid}]: Ready", lines[-1])


class Kernel(Started):
    @ours_only
    def test_oom_score(self):
        server = self.server("--oom-score-adj", "yes", "--oom-score-adj-values", "100", "200", "800")
        path = f"/proc/{server.process.pid}/oom_score_adj"
        base = int(read("/proc/self/oom_score_adj"))
        client = self.client(server)
        self.assertEqual(int(read(path)), base + 100)
        self.assertEqual(client.call("CONFIG", "SET", "oom-score-adj", "absolute",
                                     "oom-score-adj-values", "300 400 500"), "OK")
        self.assertEqual(int(read(path)), 300)
        self.assertEqual(client.call("CONFIG", "SET", "oom-score-adj", "no"), "OK")
        self.assertEqual(int(read(path)), base)

    def test_the_title(self):
        server = self.server("--set-proc-title", "yes", "--proc-title-template", "{title} at {port}")
        line = f"/proc/{server.process.pid}/cmdline"
        self.assertTrue(eventually(lambda: f" at {server.port}" in read(line).replace("\0", " ")),
                        read(line))
        client = self.client(server)
        self.assertEqual(client.call("CONFIG", "SET", "proc-title-template", "x{port}"), "OK")
        self.assertEqual(read(line).split("\0")[0], f"x{server.port}")
        self.assert_error("ERR CONFIG SET failed (possibly related to argument "
                          "'proc-title-template')", client, "CONFIG", "SET",
                          "proc-title-template", "{nosuch}")

    @ours_only
    def test_processors(self):
        server = self.server("--server_cpulist", "0", "--bio_cpulist", "0")
        allowed = re.search(r"Cpus_allowed_list:\s+(\S+)",
                            read(f"/proc/{server.process.pid}/status")).group(1)
        self.assertEqual(allowed, "0")

    @ours_only
    def test_the_end_does_not_wait_for_the_data(self):
        server = self.server("--enable-debug-command", "yes")
        client = self.client(server, timeout=120)
        self.assertEqual(client.call("DEBUG", "POPULATE", "2000000", "key", "32"), "OK")
        busy = [sum(map(int, read(f"/proc/{server.process.pid}/stat").rsplit(")", 1)[1].split()[11:13]))]
        server.process.send_signal(signal.SIGTERM)
        # Its time until it is gone, with what the kernel takes to free the memory.
        usage = os.wait4(server.process.pid, 0)[2]
        server.process.returncode = 0
        user_ms = (usage.ru_utime + usage.ru_stime) * 1000 - busy[0] * 10
        self.assertLess(user_ms, 250)


class Changes(Started):
    @with_server()
    def test_another_port(self, server, client):
        port = free_port()
        self.assertEqual(client.call("CONFIG", "SET", "port", port), "OK")
        self.assertEqual(client.call("PING"), "PONG")  # who is connected stays
        with Client(port=port) as other:
            self.assertEqual(info(other, "server")["tcp_port"], str(port))
            self.assertEqual(config_get(other, "port"), str(port))
        with self.assertRaises(OSError):
            Client(port=server.port)
        self.assertEqual(client.call("CONFIG", "SET", "port", server.port), "OK")
        with Client(port=server.port) as other:
            self.assertEqual(other.call("PING"), "PONG")

    @with_server()
    def test_a_port_that_is_taken(self, server, client):
        other = self.server()
        self.assert_error("ERR CONFIG SET failed (possibly related to argument 'port') - Unable to "
                          "listen on this port", client, "CONFIG", "SET", "port", other.port)
        self.assertEqual(config_get(client, "port"), str(server.port))
        with Client(port=server.port) as again:
            self.assertEqual(again.call("PING"), "PONG")

    @with_server()
    def test_other_addresses(self, server, client):
        port = server.port
        self.assertEqual(client.call("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2"), "OK")
        with Client(port=port, host="127.0.0.2") as other:
            self.assertEqual(other.call("PING"), "PONG")
        self.assertEqual(client.call("CONFIG", "SET", "bind", "127.0.0.2"), "OK")
        with self.assertRaises(OSError):
            Client(port=port)
        self.assert_error("ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to "
                          "bind to specified addresses.", client, "CONFIG", "SET", "bind",
                          "127.0.0.2 192.0.2.1")
        self.assertEqual(config_get(client, "bind"), "127.0.0.2")
        self.assertEqual(client.call("CONFIG", "SET", "bind", "127.0.0.1"), "OK")
        with Client(port=port) as other:
            self.assertEqual(other.call("PING"), "PONG")

    @with_server()
    def test_many_changes_leave_nothing_behind(self, server, client):
        client.call("PING")
        files = server.open_files()
        for _ in range(50):
            port = free_port()
            self.assertEqual(client.call("CONFIG", "SET", "port", port), "OK")
        self.assertTrue(eventually(lambda: server.open_files() <= files))

    def test_config_rewrite_writes_an_absolute_dir(self):
        directory = self.directory()
        server = self.server("--dir", ".", config="timeout 5\n", config_directory=directory)
        client = self.client(server)
        self.assertEqual(client.call("CONFIG", "REWRITE"), "OK")
        lines = read(server.config_path).splitlines()
        written = [line for line in lines if line.startswith("dir ")]
        self.assertEqual([line.split(None, 1)[1].strip('"') for line in written], [server.directory])


class Versions(Started):
    def test_the_version_line(self):
        run = subprocess.run([BINARY, "--version"], capture_output=True, text=True, timeout=20)
        self.assertEqual(run.returncode, 0)
        found = re.match(r"Redis server v=(\d+\.\d+\.\d+) sha=[0-9a-f]+:\d malloc=\S+ bits=64 "
                         r"build=[0-9a-f]+", run.stdout)
        self.assertIsNotNone(found, run.stdout)
        if not REFERENCE:
            self.assertEqual(found.group(1), "7.4.0")
            self.assertRegex(run.stdout, r"\(Redoubt \d+\.\d+\.\d+\)")

    @ours_only
    def test_what_clients_are_told(self):
        server = self.server("--reported-redis-version", "7.0.15")
        client = self.client(server)
        self.assertEqual(info(client, "server")["redis_version"], "7.0.15")
        hello = client.call("HELLO", "3")
        self.assertEqual(hello[b"version"], b"7.0.15")
        self.assertIn(b"Redis ver. 7.0.15", client.call("LOLWUT"))
        self.assertEqual(client.call("CONFIG", "SET", "reported-redis-version", "7.4.0"), "OK")
        self.assertEqual(info(client, "server")["redis_version"], "7.4.0")


class Tools(Started):
    @unittest.skipIf(shutil.which("redis-cli") is None, "there is no redis-cli")
    @with_server()
    def test_redis_cli_and_redis_benchmark(self, server, _):
        port = str(server.port)
        run = subprocess.run(["redis-cli", "-p", port, "info", "server"], capture_output=True,
                             text=True, timeout=60)
        self.assertIn("redis_version:", run.stdout)
        run = subprocess.run(["redis-benchmark", "-p", port, "-n", "1000", "-q", "-t", "set,get"],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 0)
        self.assertIn("GET: ", run.stdout)
        self.assertNotIn("WARNING", run.stdout + run.stderr)

    def test_a_plain_file_at_the_path_of_the_socket(self):
        path = os.path.join(self.directory(), "s.sock")
        with open(path, "w") as out:
            out.write("x")
        self.server("--unixsocket", path)
        with Client(path=path) as client:
            self.assertEqual(client.call("PING"), "PONG")


if __name__ == "__main__":
    unittest.main()

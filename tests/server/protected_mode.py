"""Run by clients_test.py in a network namespace of its own: a node that was given no address listens
on all of them, and without a password answers clients of this machine and turns others away."""

import fcntl
import socket
import struct
import sys

from harness import Client, ReplyError, Server

ELSEWHERE = "10.99.99.99"


def address_of(text):
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))


def set_up_network():
    SIOCSIFADDR, SIOCSIFFLAGS, IFF_UP_RUNNING = 0x8916, 0x8914, 0x41
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP_RUNNING))
        fcntl.ioctl(s, SIOCSIFADDR, struct.pack("16s16s", b"lo:1", address_of(ELSEWHERE)))


def answer(port, host):
    with Client(port=port, host=host) as client:
        try:
            return client.call("PING"), client
        except (ReplyError, ConnectionError) as error:
            return str(error), client


def check(condition, text):
    if not condition:
        sys.exit(text)


def main():
    set_up_network()
    with Server(bind=None) as server:
        for host in ("127.0.0.1", "::1"):
            said, _ = answer(server.port, host)
            check(said == "PONG", f"from this machine: {said}")
        said, client = answer(server.port, ELSEWHERE)
        check(said.startswith("DENIED ") and "protected mode" in said, f"elsewhere: {said}")
        with server.client() as local:
            local.call("CONFIG", "SET", "protected-mode", "no")
        said, _ = answer(server.port, ELSEWHERE)
        check(said == "PONG", f"protected mode off: {said}")
    with Server("--requirepass", "secret", bind="0.0.0.0") as server:
        said, _ = answer(server.port, ELSEWHERE)
        check(said.startswith("NOAUTH"), f"with a password: {said}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs a command beside servers: with_servers.py BINARY ... -- COMMAND ...

Each binary is started on a free port of 127.0.0.1, in a directory of its own; {1}, {2} ... in the
command's words stand for "127.0.0.1:PORT" of the first, the second and so on. Ends with the
command's status, or 1 when a server is not running any more at the end.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "server"))
from harness import Server  # noqa: E402 (it is beside us only now)


def main():
    separator = sys.argv.index("--")
    binaries, command = sys.argv[1:separator], sys.argv[separator + 1:]
    servers = []
    try:
        for binary in binaries:
            servers.append(Server(binary=os.path.abspath(binary)))
        for i, server in enumerate(servers, 1):
            command = [word.replace(f"{{{i}}}", f"127.0.0.1:{server.port}") for word in command]
        status = subprocess.run(command).returncode
        for server in servers:
            if not server.alive():
                print(f"{server.process.args[0]} ended with {server.process.returncode}:")
                print(server.output()[-4000:])
                status = status or 1
            else:
                # In order, so that a leak that a sanitizer finds is told.
                ended = server.terminate()
                if ended != 0:
                    print(f"{server.process.args[0]}: SIGTERM gave {ended}:")
                    print(server.output()[-4000:])
                    status = status or 1
        return status
    finally:
        for server in servers:
            server.close()


if __name__ == "__main__":
    sys.exit(main())

"""A worker whose strings a test holds: it does what a socket tells it, and tells the socket what its stdin says."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading


def main(port: int) -> None:
    strings = socket.create_connection(("127.0.0.1", port))

    def tell(**values: object) -> None:
        strings.sendall(json.dumps(values).encode() + b"\n")

    def forward_stdin() -> None:
        for line in sys.stdin:
            tell(stdin=json.loads(line))
        tell(stdin=None)

    tell(pid=os.getpid(), group=os.getpgrp() if hasattr(os, "getpgrp") else None)
    threading.Thread(target=forward_stdin, daemon=True).start()
    for line in strings.makefile("rb"):
        order = json.loads(line)
        if "say" in order:
            sys.stdout.write(order["say"] + "\n")
            sys.stdout.flush()
        elif "complain" in order:
            sys.stderr.write(order["complain"] + "\n")
            sys.stderr.flush()
        elif "exit" in order:
            os._exit(order["exit"])
        elif "die" in order:
            os.kill(os.getpid(), getattr(signal, order["die"]))
        elif "child" in order:
            # Inherits stdout and waits for ever, as a loader process of a careless worker would.
            child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], stdin=subprocess.DEVNULL)
            tell(child=child.pid)


if "--light" in sys.argv:  # looks at files as the real one does
    from breastai.worker import main as light_worker

    sys.exit(light_worker(["--light"]))
main(int(sys.argv[1]))

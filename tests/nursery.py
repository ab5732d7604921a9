"""Workers that are born with torch loaded: forked, so that a test can kill many in seconds.

`python nursery.py SOCKET` loads what a worker needs and waits. A client (`CLIENT`, what the
supervisor starts in place of a worker) names a run folder; the nursery forks the real worker for
it, in a session of its own, with the run's log as its output. The client lives as long as it does.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

CLIENT = (
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect({path!r});"
    "s.sendall(sys.argv[-1].encode()); s.shutdown(socket.SHUT_WR); s.recv(1)"
)


def serve(path: str) -> None:
    """Fork a worker for every run folder named on the socket; reap those that ended."""
    import signal

    import torch

    from studio.models.quiet import quiet_libraries

    quiet_libraries()
    torch.set_num_threads(1)
    import studio.train.run  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    print("ready", flush=True)  # noqa: T201
    while True:
        connection, _ = listener.accept()
        run_dir = connection.makefile().read()
        if os.fork() == 0:
            listener.close()
            _work(Path(run_dir))
        connection.close()


def _work(run_dir: Path) -> None:
    from studio.train.worker import main

    os.setsid()
    log = os.open(run_dir / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os._exit(main(run_dir))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    serve(sys.argv[1])

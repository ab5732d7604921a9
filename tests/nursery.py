"""A Python that has torch loaded already: its processes are forked, so that they start at once.

`python nursery.py FOLDER` loads what the studio's processes need, writes an interpreter to
`FOLDER/python`, and waits. That takes `-m module …`, `-c code …` or a script, as Python does, and
hands it over with its environment, folder and standard streams; the nursery forks a process for
it. The interpreter lives as long as the process does: it passes signals on, ends as that ends,
and takes it along when it is killed.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

PROJECT = Path(__file__).resolve().parents[1]
LOADED = (
    "studio.training.run_training",
    "studio.training.planning.dry_step_worker",
    "studio.inference.worker",
    "studio.preflight.worker",
    "studio.cli.main",
    "torch.distributed.launcher.api",
    "accelerate.commands.config",
)
INTERPRETER = """#!{python} -IS
import json, os, signal, socket, sys

nursery = socket.socket(socket.AF_UNIX)
nursery.connect({address!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(nursery, [len(asked).to_bytes(8, "big")], [0, 1, 2])
nursery.sendall(asked)
told = nursery.makefile()
pid = int(told.readline())


def pass_on(number, frame):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, pass_on)
code = int(told.readline())
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def open_nursery(folder: Path) -> Iterator[str]:
    """The interpreter of the nursery in `folder`: the first to need it starts it.

    It ends when nobody needs it any more, however that comes about.
    """
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        needed = _need(folder)
        if needed is None:
            _start(folder)
            needed = _need(folder)
    yield str(folder / "python")
    os.close(needed)


def _need(folder: Path) -> int | None:
    """An end of the pipe that tells the nursery it is needed; None when there is no nursery."""
    try:
        return os.open(folder / "needed", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def _start(folder: Path) -> None:
    (folder / "s").unlink(missing_ok=True)
    if not (folder / "needed").exists():
        os.mkfifo(folder / "needed")
    nursery = subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        start_new_session=True,
    )
    assert nursery.stdout.readline() == "ready\n"


@dataclass(frozen=True)
class Asked:
    """What a process is to do; `streams` are its standard input, output and error."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]


class Nursery:
    """Forks a process for everyone who asks, and tells them how it ended."""

    def __init__(self, listener: socket.socket, needed: int) -> None:
        self.listener, self.needed = listener, needed
        self.waiting: dict[int, socket.socket] = {}
        self.ended, wake = os.pipe()
        for end in (self.ended, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.selector = selectors.DefaultSelector()
        for source in (listener, needed, self.ended):
            self.selector.register(source, selectors.EVENT_READ)

    def serve(self) -> Asked | None:
        """Wait; returns None once nobody needs it, and in a forked process what that is to do."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    asked = self._bear()
                    if asked:
                        return asked
                elif key.fileobj == self.ended:
                    self._bury()
                elif key.fileobj == self.needed:
                    for pid in self.waiting:
                        _kill(pid)
                    return None
                else:  # its interpreter was killed
                    self.selector.unregister(key.fileobj)
                    _kill(key.data)

    def _bear(self) -> Asked | None:
        connection, _ = self.listener.accept()
        size, streams, *_ = socket.recv_fds(connection, 8, 3)
        text = connection.makefile("rb").read(int.from_bytes(size, "big"))
        with suppress(ValueError, OSError):  # who asked is gone already
            asked = Asked(*json.loads(text), streams)
            pid = os.fork()
            if pid == 0:
                self._leave(connection)
                return asked
            self.waiting[pid] = connection
            self.selector.register(connection, selectors.EVENT_READ, pid)
            connection.sendall(f"{pid}\n".encode())
        for stream in streams:
            os.close(stream)
        return None

    def _bury(self) -> None:
        os.read(self.ended, 4096)
        while self.waiting:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self.waiting.pop(pid)
            with suppress(KeyError):
                self.selector.unregister(connection)
            with suppress(OSError), connection:
                connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())

    def _leave(self, connection: socket.socket) -> None:
        """What a forked process has no use for."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.selector.close()
        for one in (self.listener, connection, *self.waiting.values()):
            one.close()
        for end in (self.needed, self.ended):
            os.close(end)


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def become(asked: Asked, interpreter: str) -> None:
    """Take the environment, folder and streams of who asked, and do it."""
    os.setsid()
    for number, stream in enumerate(asked.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked.folder)
    os.environ.clear()
    os.environ.update(asked.environment)
    sys.executable = interpreter
    search = asked.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = filter(None, search)
    run(asked.arguments)


def run(arguments: list[str]) -> None:
    """What Python does with these arguments."""
    kind, *rest = arguments[arguments[0] == "-u" :]
    if kind == "-m":
        sys.path.insert(0, str(Path.cwd()))
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    else:
        sys.path.insert(0, str(Path(kind).parent))
        sys.argv = [kind, *rest]
        runpy.run_path(kind, run_name="__main__")


def load() -> None:
    """Import what processes need, the classes of the embedded model among it."""
    from studio.core.torch_import import loading

    with loading():
        import torch

        torch.set_num_threads(1)
        for name in LOADED:
            importlib.import_module(name)
        from studio.config.model import ModelConfig
        from studio.models.load import skeleton_of
        from studio.models.log_levels import quiet_libraries
        from studio.models.model_source import load_processor

        quiet_libraries()
        skeleton_of(ModelConfig())
        load_processor(ModelConfig())


def main(folder: Path) -> None:
    """Get ready, say so, and bear processes; returns in none of them."""
    needed = os.open(folder / "needed", os.O_RDONLY | os.O_NONBLOCK)
    sys.stdout.reconfigure(line_buffering=True)
    load()
    address, interpreter = folder / "s", folder / "python"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen()
    interpreter.write_text(INTERPRETER.format(python=sys.executable, address=str(address)))
    interpreter.chmod(0o755)
    print("ready")  # noqa: T201
    code = 0
    try:
        asked = Nursery(listener, needed).serve()
        if asked:
            become(asked, str(interpreter))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)  # noqa: T201
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(ValueError, OSError):  # it is closed
            stream.flush()
    os._exit(code & 0xFF)


if __name__ == "__main__":
    sys.path[0] = str(PROJECT)
    main(Path(sys.argv[1]))

"""A command under a pseudo-terminal, as somebody who watches sees it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass, field

_INSIDE = "import os, sys; os.login_tty(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
CTRL_C = b"\x03"


@dataclass(slots=True)
class Terminal:
    """`said` is everything that was written, with its control sequences."""

    master: int
    process: "subprocess.Popen[bytes]"
    said: str = field(default="")

    def read_until(self, words: str, *, times: int = 1, timeout_s: float = 30) -> None:
        """Until the words were written so often."""
        until = time.monotonic() + timeout_s
        while plain(self.said).count(words) < times:
            assert time.monotonic() < until, f"no {words!r} in {plain(self.said)[-2_000:]!r}"
            self._read(0.2)

    def press(self, key: bytes) -> None:
        os.write(self.master, key)

    def end(self, timeout_s: float = 30) -> int:
        """Read what is left; the exit code."""
        until = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < until, plain(self.said)[-2_000:]
            self._read(0.1)
        while self._read(0.1):
            pass
        os.close(self.master)
        return self.process.returncode

    def _read(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], timeout_s)
        try:
            found = os.read(self.master, 65_536) if ready else b""
        except OSError:  # Linux says so when the other side is closed
            return False
        self.said += found.decode("utf-8", "replace")
        return bool(found)

    def lines(self) -> list[str]:
        """Every line that was ever written, without colours."""
        return [line.rstrip() for line in re.split(r"[\r\n]+", plain(self.said))]


def plain(text: str) -> str:
    return _CONTROL.sub("", text)


def opened(width: int, arguments: list[str], environment: dict[str, str]) -> Terminal:
    """`suanwang ...` on a terminal of its own, so many columns wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    inside = [sys.executable, "-c", _INSIDE, str(slave), sys.executable, "-m", "suanwang", *arguments]
    process = subprocess.Popen(inside, env={**clean, "TERM": "xterm-256color", **environment}, pass_fds=[slave])
    os.close(slave)
    return Terminal(master, process)

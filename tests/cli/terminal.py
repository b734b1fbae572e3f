"""Runs a program in a terminal of 80 by 24, as the lines on standard input say, and answers each with `ok`:

    expect TEXT         waits until TEXT is on the screen
    lack TEXT           waits until it is not
    press KEYS          types KEYS, which are a JSON string
    resize COLUMNS ROWS
    signal NAME         sends SIGNAME
    end CODE            waits for the end with this exit code; the terminal has to be as it was before

The arguments are the program's. What does not come within 40 s ends it with the screen on standard error."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte

PATIENCE = 40
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"

screen = pyte.Screen(80, 24)
stream = pyte.ByteStream(screen)
ours, its = pty.openpty()
before = termios.tcgetattr(its)
seen = b""


def resize(columns, rows):
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    screen.resize(rows, columns)


def own_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read():
    """Takes what was written, for a moment."""
    global seen
    if select.select([ours], [], [], 0.05)[0]:
        written = os.read(ours, 65536)
        seen += written
        stream.feed(written)


def until(done, what):
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            sys.exit(f"never came to be: {what}\n" + "\n".join(screen.display))
        read()


resize(80, 24)
program = subprocess.Popen(
    sys.argv[1:], stdin=its, stdout=its, stderr=its, preexec_fn=own_terminal
)
for line in sys.stdin:
    command, _, rest = line.rstrip("\n").partition(" ")
    if command == "expect":
        until(lambda: rest in "\n".join(screen.display), line)
    elif command == "lack":
        until(lambda: rest not in "\n".join(screen.display), line)
    elif command == "press":
        os.write(ours, json.loads(rest).encode())
    elif command == "resize":
        resize(*map(int, rest.split()))
    elif command == "signal":
        program.send_signal(getattr(signal, "SIG" + rest))
    elif command == "end":
        until(lambda: program.poll() is not None, line)
        read()
        if program.returncode != int(rest):
            sys.exit(f"it ended with {program.returncode}\n" + "\n".join(screen.display))
        if termios.tcgetattr(its) != before:
            sys.exit("the terminal's settings are other ones now")
        if seen.count(ENTER) != 1 or seen.count(LEAVE) < 1 or seen.rfind(LEAVE) < seen.rfind(ENTER):
            sys.exit("the other screen was not left")
    else:
        sys.exit(f"not understood: {line}")
    print("ok", flush=True)

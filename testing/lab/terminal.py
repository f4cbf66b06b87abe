"""A program on a terminal of its own, at which somebody types."""

import fcntl
import os
import pty
import select
import subprocess
import termios
import time

PROMPT = b": "


def run(argv, typed, *, env, timeout_s=20):
    """Runs a program, answers each prompt with a line of `typed`, then with empty ones; its exit status and what stood on the screen."""
    ours, theirs = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, preexec_fn=take_terminal)
    os.close(theirs)
    screen, answered, lines = b"", 0, list(typed)
    end = time.monotonic() + timeout_s
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    piece = os.read(ours, 4096)
                except OSError:
                    break
                if not piece:
                    break
                screen += piece
            elif process.poll() is not None:
                break
            elif screen[answered:].endswith(PROMPT):
                answered = len(screen)
                os.write(ours, (lines.pop(0) if lines else "").encode() + b"\n")
        return process.wait(timeout=5), screen.decode("utf-8", "replace")
    finally:
        process.kill()
        process.wait()
        os.close(ours)

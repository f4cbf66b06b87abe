"""VICI over vsock, where the kernel has its loopback."""

import socket
import subprocess
from pathlib import Path

from .shell import run
from .topology import wait_until

# The machine itself (vsock(7)).
LOCAL, PORT = 1, 4502
VERSION = b"\x00\x00\x00\x09\x00\x07version"


def case_vsock(binaries):
    """Clients reach the daemon by vsock://, two at a time"""
    run(["modprobe", "vsock_loopback"])
    uri, conf = f"vsock://{LOCAL}:{PORT}", Path("/tmp/vsock.conf")
    conf.write_text("charon {\n}\n")
    daemon = subprocess.Popen([str(binaries.charond), "--config", str(conf), "--socket", uri],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(_connect, 40, "a vsock connection")
        first = _connect()
        said = run([binaries.swanctl, "--version", "--daemon", "--uri", uri]).stdout
        assert "charond" in said, said
        first.sendall(VERSION)
        assert b"\x06daemon\x00\x07charond" in first.recv(4096)
        first.close()
    finally:
        daemon.terminate()
        status = daemon.wait(40)
    assert status == 0, f"it ended with status {status}"


def _connect():
    made = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    made.settimeout(10)
    try:
        made.connect((LOCAL, PORT))
    except OSError:
        made.close()
        return None
    return made

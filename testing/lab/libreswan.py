"""libreswan's pluto as a peer on sun. Unpacked, not installed: in apt's eyes it conflicts with strongSwan."""

import shutil
import subprocess
from pathlib import Path

from .shell import run
from .topology import wait_until

PACKAGES = ("libreswan", "libnss3", "libnss3-tools", "libldns3", "libunbound8", "libevent-2.1-7", "libevent-core-2.1-7",
            "libevent-pthreads-2.1-7")
LIBEXEC = Path("/usr/libexec/ipsec")


class Pluto:
    """The daemon; call it in the guest alone, since it copies itself over the root."""

    def __init__(self, lab, tree):
        self.node, self.directory = lab.nodes["sun"], lab.directory / "pluto"
        self.log = self.directory / "log"
        for part in ("usr", "etc"):
            run(["cp", "-a", f"{tree}/{part}/.", f"/{part}/"])
        run(["ldconfig"])
        (self.directory / "nss").mkdir(parents=True)
        (self.directory / "ipsec.conf").write_text(f"""config setup
    protostack=xfrm
    nssdir={self.directory}/nss
conn net
    ikev2=insist
    authby=secret
    left=192.0.2.2
    leftid=@sun.lab
    leftsubnet=10.2.15.0/24
    right=192.0.2.1
    rightid=@moon.lab
    rightsubnet=10.1.15.0/24
    auto=add
""")
        (self.directory / "ipsec.secrets").write_text('@sun.lab @moon.lab : PSK "correct horse battery staple"\n')
        run(["ipsec", "initnss", "--nssdir", self.directory / "nss"])
        self.process = subprocess.Popen(
            self.node.enter(["unshare", "-m", "sh", "-c", 'mount -t tmpfs t /run; mkdir /run/pluto; exec "$@"', "sh",
                             LIBEXEC / "pluto", "--config", self.directory / "ipsec.conf", "--secretsfile",
                             self.directory / "ipsec.secrets", "--nssdir", self.directory / "nss", "--nofork", "--logfile", self.log,
                             "--rundir", "/run/pluto"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        wait_until(lambda: self._inside(LIBEXEC / "whack", "--status").returncode == 0, 10, "pluto answering")
        self._inside(LIBEXEC / "whack", "--listen")
        done = self._inside(LIBEXEC / "addconn", "--config", self.directory / "ipsec.conf", "--ctlsocket", "/run/pluto/pluto.ctl",
                            "net")
        assert done.returncode == 0, done.stdout + done.stderr

    def initiate(self):
        """Makes the tunnel from its side."""
        done = self._inside(LIBEXEC / "whack", "--initiate", "--name", "net", timeout=60)
        assert "established" in done.stdout, done.stdout + done.stderr

    def close(self):
        """Ends it."""
        self._inside(LIBEXEC / "whack", "--shutdown")
        if self.log.exists():
            shutil.copy(self.log, "/hostout/pluto.log")
        self.process.terminate()
        self.process.wait()

    def _inside(self, *argv, timeout=30):
        return run(["nsenter", "-t", self.process.pid, "-m", "-n", "-r", "--", *argv], check=False, timeout=timeout)

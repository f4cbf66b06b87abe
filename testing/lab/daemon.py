"""A daemon on a gateway: charond, or strongSwan's charon-systemd."""

import os
import signal
import subprocess

from . import debian13, vici
from .binaries import STRONGSWAN
from .shell import run
from .topology import KERNEL_ESP, SLOWNESS, wait_until

STRONGSWAN_PLUGINS = ("random nonce openssl pem pkcs1 pkcs8 x509 pubkey revocation constraints kdf hmac sha1 sha2 "
                      "aes gcm ctr chapoly curve25519 gmp md5 kernel-libipsec kernel-netlink socket-default vici "
                      "updown counters resolve attr")
# Quick enough that giving up on a dead peer takes about 5 s.
SETTINGS = {"retransmit_tries": "2", "retransmit_timeout": "1.0", "retransmit_base": "1.5"}
READY_WITHIN_S = 15
STOPPED_WITHIN_S = 15 * SLOWNESS


class Daemon:
    """What both have in common; `kind` and `program` differ."""

    kind = ""

    def __init__(self, lab, gateway, *, settings=None):
        self.lab = lab
        self.gateway = gateway
        self.node = lab.nodes[gateway]
        self.directory = lab.directory / gateway
        self.directory.mkdir(exist_ok=True)
        self.socket = self.directory / "vici"
        self.swanctl_dir = self.directory / "swanctl"
        self.swanctl_dir.mkdir(exist_ok=True)
        self.conf = self.directory / "strongswan.conf"
        self.log_path = self.directory / "log"
        self.output_path = self.directory / "output"
        self.process = None
        self.conf.write_text(self._conf_text(SETTINGS | (settings or {})))

    def __str__(self):
        return f"{self.kind} on {self.gateway}"

    def program(self):
        """The argument vector of the daemon."""
        raise NotImplementedError

    def inside(self):
        """The argument vector that runs it in a mount namespace of its own."""
        return ["unshare", "-m", "sh", "-c", 'mount -t tmpfs t /run && exec "$@"', "sh", *map(str, self.program())]

    def start(self):
        """Starts it and waits until it answers VICI requests."""
        self.socket.unlink(missing_ok=True)
        # A /run of its own, for the pid file. Each step is an exec, so that the
        # process we know is the daemon. It dies with the lab unless told otherwise.
        inside = self.inside()
        leash = [] if self.lab.kept else ["setpriv", "--pdeathsig", "KILL"]
        with open(self.output_path, "ab") as output:
            self.process = subprocess.Popen(
                self.node.enter([*leash, *inside]), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, env={**os.environ, "STRONGSWAN_CONF": str(self.conf)})
        wait_until(self._answers, READY_WITHIN_S, f"{self} answering on its socket")

    def stop(self):
        """Ends it by SIGTERM; AssertionError if it does not end, or not with status 0."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self} ending after SIGTERM: not within {STOPPED_WITHIN_S} s") from None
        assert status == 0, f"{self} ended with status {status} after SIGTERM"

    def kill(self):
        """Ends it by SIGKILL, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        """Ends it in whatever state it is."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if self.process is not None:
            self.process.wait()
            self.process = None

    def vici(self):
        """A connection of our own client."""
        return vici.Client(self.socket)

    def sas(self):
        """list-sas as [(name, IKE_SA dict)]."""
        with self.vici() as client:
            events, _ = client.stream("list-sas", "list-sa")
        return [(name, sa) for event in events for name, sa in event.items()]

    def memory_kib(self):
        """Resident, proportional and private dirty memory."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line.split()[0])
        return {name: int(fields[name].split()[0]) for name in ("Rss", "Pss", "Private_Dirty")}

    def log(self):
        """All that it has logged."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _answers(self):
        status = self.process.poll()
        if status is not None:
            tail = "\n".join(self.output_path.read_text(errors="replace").splitlines()[-15:])
            raise AssertionError(f"{self} ended at start with status {status}:\n{tail}")
        try:
            with vici.Client(self.socket, timeout_s=2) as client:
                return "daemon" in client.request("version")
        except (OSError, vici.ViciError):
            return False

    def _conf_text(self, settings):
        return "\n".join([
            "charon {",
            *self._load(),
            *_nested({"plugins.vici.socket": f"unix://{self.socket}",
                      # Never that of the machine.
                      "plugins.resolve.file": str(self.directory / "resolv.conf"),
                      "plugins.resolve.resolvconf.path": "/nonexistent"} | settings, "  "),
            "  filelog {",
            "    lab {",
            f"      path = {self.log_path}",
            "      default = 1",
            "      flush_line = yes",
            "    }",
            "  }",
            "}",
            "",
        ])

    def _load(self):
        return []


class Charond(Daemon):
    """The daemon under test."""

    kind = "charond"

    def __init__(self, lab, gateway, binaries, **options):
        super().__init__(lab, gateway, **options)
        self._binary = binaries.charond

    def program(self):
        return [self._binary, "--config", self.conf]


class StrongSwan(Daemon):
    """Debian's charon-systemd, with its userspace ESP where the kernel has none."""

    kind = "strongswan"

    def program(self):
        # It finds its configuration by STRONGSWAN_CONF.
        return [STRONGSWAN]

    def _load(self):
        plugins = STRONGSWAN_PLUGINS
        if KERNEL_ESP:
            plugins = plugins.replace("kernel-libipsec ", "")
        return [f"  load = {plugins}"]


class StrongSwan6(StrongSwan):
    """strongSwan 6.0 of a Debian 13 root."""

    kind = "strongswan6"

    def inside(self):
        return debian13.enter(self.lab.directory, [debian13.PROGRAM])


def _nested(settings, indent):
    """Lines of a settings file; a dot in a name opens a section."""
    lines, sections = [], {}
    for name, value in settings.items():
        section, dot, rest = name.partition(".")
        if dot:
            sections.setdefault(section, {})[rest] = value
        else:
            lines.append(f"{indent}{name} = {value}")
    for section, inner in sections.items():
        lines += [f"{indent}{section} {{", *_nested(inner, indent + "  "), f"{indent}}}"]
    return lines


def make(kind, lab, gateway, binaries, **options):
    """A daemon of the kind `charond`, `strongswan` or `strongswan6`, ended with the lab."""
    if kind == "charond":
        daemon = Charond(lab, gateway, binaries, **options)
    elif kind == "strongswan":
        daemon = StrongSwan(lab, gateway, **options)
    elif kind == "strongswan6":
        daemon = StrongSwan6(lab, gateway, **options)
    else:
        raise ValueError(f"no daemon of kind {kind}")
    return lab.own(daemon)


def strongswan_version():
    """The version of the installed strongSwan, or None."""
    done = run(["dpkg-query", "-W", "-f", "${Version}", "charon-systemd"], check=False)
    return done.stdout.strip() or None

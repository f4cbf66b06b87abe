"""A virtual router on a node: charond, keepalived, or FRR's vrrpd."""

import os
import signal
import subprocess

from lab import vici
from lab.shell import run
from lab.topology import wait_until

from . import packages
from .wire import PRIMARY, PRIMARY6

READY_WITHIN_S = 15
STOPPED_WITHIN_S = 15


class Setup:
    """What both sides are told."""

    def __init__(self, name, *, version=3, vrid=51, addresses=("192.0.2.1/24",), interval=0.1, vmac=True, password=None,
                 keys=None):
        self.name, self.version, self.vrid, self.addresses = name, version, vrid, addresses
        self.interval, self.vmac, self.password = interval, vmac, password
        self.keys = keys or {}

    @property
    def family(self):
        return 6 if ":" in self.addresses[0] else 4

    @property
    def pinged(self):
        """The address that the host asks for."""
        return self.addresses[-1].split("/")[0]


class Router:
    """What all kinds have in common."""

    kind = ""

    def __init__(self, wire, name, setup, priority, *, preempt=True):
        self.wire, self.name, self.setup, self.priority, self.preempt = wire, name, setup, priority, preempt
        self.node = wire.nodes[name]
        # Where its adverts come from.
        self.source = (PRIMARY if setup.family == 4 else PRIMARY6)[name]
        self.directory = wire.directory / f"{self.kind}-{name}"
        self.directory.mkdir(exist_ok=True)
        self.processes = []
        wire.own(self)

    def start(self):
        """Starts it."""
        raise NotImplementedError

    def stop(self):
        """Ends it by SIGTERM."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            process.wait(STOPPED_WITHIN_S)
        self.processes = []

    def kill(self):
        """Ends it by SIGKILL, children and all, as a crash would; what it left in the kernel goes on answering."""
        for pid in run(["ip", "netns", "pids", self.node.name]).stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.processes:
            process.wait()
        self.processes = []
        # A child that nobody has reaped yet would count as a running daemon.
        for stale in self.directory.glob("*pid"):
            stale.unlink()

    def close(self):
        """Ends it in whatever state it is."""
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self.processes = []

    def _spawn(self, argv):
        with open(self.directory / "output", "ab") as output:
            inside = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs t /run && exec "$@"', "sh", *map(str, argv)]
            process = subprocess.Popen(self.node.enter(["setpriv", "--pdeathsig", "KILL", *inside]),
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        self.processes.append(process)
        return process


class Charond(Router):
    """The one under test."""

    kind = "charond"

    def __init__(self, *arguments, binaries, keys=None, **options):
        super().__init__(*arguments, **options)
        self.binaries = binaries
        self.keys = keys or {}
        self.socket = self.directory / "vici"

    # rVRRPd's file, if it is to read one.
    rvrrpd_conf = None

    def start(self, *, load=True):
        conf = self.directory / "strongswan.conf"
        conf.write_text(f"""charond {{
  load = kernel-netlink vici
  plugins {{
    vici {{
      socket = unix://{self.socket}
    }}
    vrrp {{
      state_file = {self.directory}/sysctls
      {f'rvrrpd_conf = {self.rvrrpd_conf}' if self.rvrrpd_conf else ''}
    }}
  }}
  filelog {{
    lab {{
      path = {self.directory}/log
      default = 1
      flush_line = yes
    }}
  }}
}}
""")
        process = self._spawn([self.binaries.charond, "--config", conf])

        def answers():
            assert process.poll() is None, f"charond ended:\n{(self.directory / 'output').read_text()[-1500:]}"
            try:
                return "daemon" in self.request("version")
            except (OSError, vici.ViciError):
                return False

        wait_until(answers, READY_WITHIN_S, "charond answering")
        if load:
            self.load()

    def load(self, **changes):
        """Loads the router, or another definition of it."""
        setup = self.setup
        section = {"interface": "e0", "vrid": str(setup.vrid), "version": str(setup.version),
                   "addresses": list(setup.addresses), "priority": str(self.priority),
                   "advert_interval": f"{round(setup.interval * 1000)}ms", "vmac": "yes" if setup.vmac else "no",
                   "preempt": "yes" if self.preempt else "no"}
        if setup.password:
            section |= {"auth": "simple", "secret": setup.password}
        section |= setup.keys | self.keys | changes
        reply = self.request("load-vrouter", {"gw": section})
        assert reply.get("success") == "yes", f"charond refused the router: {reply}"

    def request(self, command, message=None):
        """One VICI request."""
        with vici.Client(self.socket) as client:
            return client.request(command, message)

    def state(self):
        """The router's section of list-vrouters."""
        with vici.Client(self.socket) as client:
            events, _ = client.stream("list-vrouters", "list-vrouter")
        return events[0]["gw"]

    def states(self):
        """State of each router by its name."""
        return {name: router["state"] for name, router in self.sections().items()}

    def transitions(self):
        """How often each became Active."""
        return {name: router["statistics"]["master-transitions"] for name, router in self.sections().items()}

    def sections(self):
        """list-vrouters by name."""
        with vici.Client(self.socket) as client:
            events, _ = client.stream("list-vrouters", "list-vrouter")
        return {name: router for event in events for name, router in event.items()}

    def memory_kib(self):
        """Private memory of the daemon."""
        pids = run(["ip", "netns", "pids", self.node.name]).stdout.split()
        files = [open(f"/proc/{pid}/smaps_rollup").read() for pid in pids]
        return sum(int(line.split()[1]) for file in files for line in file.splitlines() if line.startswith("Private_Dirty:"))

    def log(self):
        """All that it said."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""


class Keepalived(Router):
    """Debian's."""

    kind = "keepalived"

    def start(self):
        setup = self.setup
        lines = ["global_defs {", "  vrrp_garp_master_delay 1", "}", "vrrp_instance gw {", "  state BACKUP",
                 "  interface e0", f"  version {setup.version}", f"  virtual_router_id {setup.vrid}",
                 f"  priority {self.priority}", f"  advert_int {setup.interval}"]
        if setup.family == 6:
            lines.append("  native_ipv6")
        if setup.vmac:
            lines.append("  use_vmac")
        if not self.preempt:
            lines.append("  nopreempt")
        if setup.password:
            lines += ["  authentication {", "    auth_type PASS", f"    auth_pass {setup.password}", "  }"]
        lines += ["  virtual_ipaddress {", *(f"    {address}" for address in setup.addresses), "  }", "}", ""]
        conf = self.directory / "keepalived.conf"
        conf.write_text("\n".join(lines))
        self._spawn([packages.KEEPALIVED, "-n", "-P", "-l", "-D", "-f", conf, "-p", self.directory / "pid",
                     "-r", self.directory / "vrrp.pid"])


class Frr(Router):
    """FRR's zebra and vrrpd. The macvlan is made beforehand, as its documentation says."""

    kind = "frr"

    def start(self):
        setup, node = self.setup, self.node
        family, last = ("4", "01") if setup.family == 4 else ("6", "02")
        device = f"vrrp{family}-2-{setup.vrid}"
        existing = node.ip("link", "show").stdout
        if device not in existing:
            node.ip("link", "add", device, "link", "e0", "type", "macvlan", "mode", "bridge")
            node.ip("link", "set", device, "address", f"00:00:5e:00:{last}:{setup.vrid:02x}")
            node.ip("link", "set", device, "addrgenmode", "none")
            node.ip("link", "set", device, "up")
            for address in setup.addresses:
                width = ["/32"] if family == "4" else ["/128", "nodad"]
                node.ip("addr", "add", address.split("/")[0] + width[0], *width[1:], "dev", device)
            if family == "6":
                # It sends from the link-local address of the macvlan that it is told of first, the one added last.
                node.ip("addr", "add", f"{self.source}/64", "dev", device, "nodad")
        lines = ["interface e0", f" vrrp {setup.vrid} version {setup.version}",
                 f" vrrp {setup.vrid} priority {self.priority}",
                 f" vrrp {setup.vrid} advertisement-interval {round(setup.interval * 1000)}"]
        if not self.preempt:
            lines.append(f" no vrrp {setup.vrid} preempt")
        lines += [f" vrrp {setup.vrid} {'ip' if family == '4' else 'ipv6'} {address.split('/')[0]}"
                  for address in setup.addresses]
        (self.directory / "vrrpd.conf").write_text("\n".join(lines) + "\n")
        (self.directory / "zebra.conf").write_text("")
        root = packages.FRR_ROOT
        environment = f"LD_LIBRARY_PATH={root}/usr/lib/x86_64-linux-gnu:{root}/usr/lib/x86_64-linux-gnu/frr:{root}/lib/x86_64-linux-gnu"
        for program in ("zebra", "vrrpd"):
            inside = f"mount --bind {packages.GROUP_FILE} /etc/group && exec env {environment} \"$@\""
            self._spawn(["sh", "-c", inside, "sh", root / "usr/lib/frr" / program, "-u", "root", "-g", "root",
                         "-f", self.directory / f"{program}.conf", "-i", self.directory / f"{program}.pid",
                         "-z", self.directory / "zserv", "--vty_socket", self.directory, "-A", "127.0.0.1"])
            wait_until(lambda: (self.directory / f"{program}.pid").exists(), READY_WITHIN_S, f"{program} running")


def make(kind, wire, name, setup, priority, binaries, **options):
    """A router of a kind."""
    if kind == "charond":
        return Charond(wire, name, setup, priority, binaries=binaries, **options)
    return {"keepalived": Keepalived, "frr": Frr}[kind](wire, name, setup, priority, **options)

"""Two gateways for the cases of the guest suite: their children by name, their configuration, what may be asked of them."""

import os
import sys
from pathlib import Path

from . import daemon, leftovers, swanctl, xfrm
from .topology import GATEWAYS, PING, VERDICT, Lab, wait_until

OUT = Path("/hostout") if os.path.isdir("/hostout") else Path(os.devnull)
SECRET = '"correct horse battery staple"'
PEERS = {"moon": ("192.0.2.1", "192.0.2.2"), "sun": ("192.0.2.2", "192.0.2.1")}
PEERS6 = {"moon": ("2001:db8::1", "2001:db8::2"), "sun": ("2001:db8::2", "2001:db8::1")}
# Who initiates, and who answers.
BOTH_ROLES = (("charond", "strongswan"), ("strongswan", "charond"))
# Each child has networks of this number on both sides.
NUMBERS = range(1, 21)
PASSIVE = ("start_action = trap", "")


def net(number, proposal, *more):
    """A child between the IPv4 networks of this number; {local} and {remote} are 1 and 2 on moon."""
    return "\n".join([f"local_ts = 10.{{local}}.{number}.0/24", f"remote_ts = 10.{{remote}}.{number}.0/24",
                      f"esp_proposals = {proposal}", *more])


def net6(number, proposal, *more):
    """The same for IPv6."""
    return "\n".join([f"local_ts = fd0{{local}}:{number}::/64", f"remote_ts = fd0{{remote}}:{number}::/64",
                      f"esp_proposals = {proposal}", *more])


# Over IPv4.
CHILDREN = {
    "cbc": net(1, "aes128-sha256"),
    "chacha": net(2, "chacha20poly1305"),
    "esn": net(3, "aes128gcm16-esn"),
    "window": net(4, "aes128gcm16", "replay_window = 128"),
    "port": "local_ts = 10.{local}.5.0/24[tcp/80]\nremote_ts = 10.{remote}.5.0/24[tcp]\nesp_proposals = aes128gcm16",
    "limits": net(6, "aes128gcm16", "rekey_bytes = 1000000", "life_bytes = 2000000", "rand_bytes = 0", "rekey_packets = 5000",
                  "life_packets = 6000", "rand_packets = 0"),
    "marks": net(7, "aes128gcm16", "mark_in = 42", "mark_out = 43/0xff", "set_mark_out = 7/0xf"),
    "ifid": net(8, "aes128gcm16", "if_id_in = 7", "if_id_out = 8"),
    "bits": net(9, "aes128gcm16", "copy_df = no", "copy_ecn = no", "copy_dscp = in"),
    "noreplay": net(10, "aes128gcm16", "replay_window = 0"),
    "null": net(11, "null-sha1"),
    "unique": net(18, "aes128gcm16", "mark_in = %unique", "mark_out = %unique", "set_mark_in = 9/0xff"),
    "uniquedir": net(19, "aes128gcm16", "mark_in = %unique-dir", "mark_out = %unique-dir", "tfc_padding = 512"),
    "forward": net(20, "aes128gcm16", "policies_fwd_out = yes", "if_id_in = %unique", "if_id_out = %unique"),
    "gcm": net(15, "aes256gcm16"),
    "six": net6(16, "aes128gcm16"),
    "host": "mode = transport\nesp_proposals = aes128gcm16",
}
# Over IPv6.
CHILDREN6 = {
    "gcm6": net6(1, "aes256gcm16"),
    "cbc6": net6(2, "aes128-sha256"),
    "four6": net(17, "chacha20poly1305"),
    "host6": "mode = transport\nesp_proposals = aes128gcm16",
}
# The number of each child that tunnels, and whether its networks are IPv6.
TUNNELS = {"cbc": (1, 4), "chacha": (2, 4), "esn": (3, 4), "window": (4, 4), "bits": (9, 4), "null": (11, 4), "gcm": (15, 4),
           "six": (16, 6), "gcm6": (1, 6), "cbc6": (2, 6), "four6": (17, 4)}
TRAP = net(12, "aes128gcm16", "start_action = trap")
PASS = "local_ts = 10.{local}.13.0/24\nremote_ts = 10.{local}.13.0/24[udp/53]\nmode = pass\nstart_action = trap"
DROP = "local_ts = 10.{local}.14.0/24\nremote_ts = 10.{remote}.14.0/24\nmode = drop\nstart_action = trap"


def conf(gateway, children, *, six=None, several=None, settings="", shunts=None, proposals="aes256gcm16-prfsha256-x25519"):
    """swanctl.conf of a gateway with these children (`six`: over IPv6; `several`: of connections of those names), one secret for all."""
    said = [_connection("gw", gateway, PEERS, children, settings, proposals)] if children else []
    said += [_connection(name, gateway, PEERS, group, settings, proposals, identity=f"{name}.")
             for name, group in (several or {}).items()]
    if six:
        said.append(_connection("gw6", gateway, PEERS6, six, settings, proposals, identity="six."))
    if shunts:
        said.append(f"""  shunts {{
    remote_addrs = 127.0.0.1
    local {{
      auth = psk
    }}
    remote {{
      auth = psk
    }}
    children {{
{_children(gateway, shunts)}
    }}
  }}
""")
    return "connections {\n" + "".join(said) + f"}}\nsecrets {{\n  ike-all {{\n    secret = {SECRET}\n  }}\n}}\n"


def _connection(name, gateway, peers, children, settings, proposals, identity=""):
    ours, theirs = peers[gateway]
    other = next(one for one in GATEWAYS if one != gateway)
    return f"""  {name} {{
    version = 2
    local_addrs = {ours}
    remote_addrs = {theirs}
    proposals = {proposals}
{settings}
    local {{
      auth = psk
      id = {identity}{gateway}.lab
    }}
    remote {{
      auth = psk
      id = {identity}{other}.lab
    }}
    children {{
{_children(gateway, children)}
    }}
  }}
"""


def _children(gateway, children):
    local, remote = (1, 2) if gateway == "moon" else (2, 1)
    return "\n".join(f"{name} {{\n{text.format(local=local, remote=remote)}\n}}" for name, text in children.items())


def passive(children):
    """The same children, none of them started by itself."""
    return {name: text.replace(*PASSIVE) for name, text in children.items()}


class Pair:
    """Two daemons on a lab of their own."""

    def __init__(self, binaries, kinds=("charond", "charond"), settings=None):
        self.lab = Lab()
        self.binaries = binaries
        self.daemons, self.swanctls, self.clean = {}, {}, {}
        for gateway, kind in zip(GATEWAYS, kinds):
            node = self.lab.nodes[gateway]
            local = 1 if gateway == "moon" else 2
            # Inner addresses of every child.
            wanted = [f"10.{local}.{number}.1/32" for number in NUMBERS] + [f"fd0{local}:{number}::1/128" for number in NUMBERS]
            node.run(["ip", "-batch", "-"], stdin="".join(f"address add {address} dev lo\n" for address in wanted))
            one = daemon.make(kind, self.lab, gateway, binaries, settings=(settings or {}).get(gateway))
            self.daemons[gateway], self.swanctls[gateway] = one, swanctl.make(kind, one, binaries)
            self.clean[gateway] = leftovers.snapshot(node)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            for gateway, one in self.daemons.items():
                print(f"    --- log of {one}, its end")
                print("\n".join("    " + line for line in one.log().splitlines()[-40:]))
        self.lab.close()

    def configure(self, gateway, text):
        """Starts the daemon there with this configuration."""
        self.daemons[gateway].start()
        (self.daemons[gateway].swanctl_dir / "swanctl.conf").write_text(text)
        self.swanctls[gateway].load_all()

    def both(self, children, **more):
        """Starts both with the same children."""
        for gateway in GATEWAYS:
            self.configure(gateway, conf(gateway, children, **more))

    def initiate(self, child, on="moon"):
        """--initiate succeeds."""
        done = self.swanctls[on]("--initiate", "--child", child, check=False, timeout=120)
        assert done.returncode == 0, f"--initiate of {child}:\n{done.stdout[-1500:]}{done.stderr}"

    def ping(self, number, count=5, family=4):
        """All pings to sun's address of that number are answered; the tunnel's route chooses the source."""
        address = f"10.2.{number}.1" if family == 4 else f"fd02:{number}::1"
        got = self.pinged(address, count)
        assert got == count, f"{got} of {count} pings to {address} answered"

    def pinged(self, address, count=5, wait_s=2):
        """How many pings from moon are answered."""
        done = self.lab.nodes["moon"].run([sys.executable, PING, address, count, 0.1, wait_s], check=False, timeout=60)
        verdict = VERDICT.search(done.stdout)
        return int(verdict[1]) if verdict else 0

    def children(self, gateway):
        """The CHILD_SAs there that are INSTALLED."""
        return [child for _, sa in self.daemons[gateway].sas() for child in sa["child-sas"].values()
                if child["state"] == "INSTALLED"]

    def spis(self, gateway="moon"):
        """Their inbound SPIs."""
        return {child["spi-in"] for child in self.children(gateway)}

    def rekeyed(self, before, within_s=5):
        """Moon's children get other SPIs in time."""
        wait_until(lambda: self.spis() and not self.spis() & before, within_s, "a rekeyed child")

    def installed(self, gateway="moon"):
        """What the kernel there has: SAs, policies, routes of tunnels."""
        node = self.lab.nodes[gateway]
        return xfrm.states(node), xfrm.policies(node), xfrm.routes(node)

    def finish(self, gateways=GATEWAYS):
        """Both end by SIGTERM and leave nothing."""
        for gateway in gateways:
            self.daemons[gateway].stop()
        for gateway in gateways:
            self.is_clean(gateway)

    def is_clean(self, gateway):
        """Nothing is installed that was not before."""
        kind = self.daemons[gateway].kind
        gone = leftovers.difference(self.clean[gateway], leftovers.snapshot(self.lab.nodes[gateway]), kind)
        assert not gone, f"{gateway} is not clean:\n{gone}"

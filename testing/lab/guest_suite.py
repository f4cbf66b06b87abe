#!/usr/bin/env python3
"""What runs inside the guest: a line for each case, and a closing line.

A case is a function of this module whose name begins with `case_`; its first line of documentation is its name. It raises
AssertionError, or anything else, if the kernel does not behave as expected.
"""

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import daemon, leftovers, swanctl, xfrm  # noqa: E402
from lab.binaries import Binaries  # noqa: E402
from lab.shell import run  # noqa: E402
from lab.topology import GATEWAYS, PING, VERDICT, Lab, wait_until  # noqa: E402

OUT = Path("/hostout")
SECRET = '"correct horse battery staple"'
PEERS = {"moon": ("192.0.2.1", "192.0.2.2"), "sun": ("192.0.2.2", "192.0.2.1")}

# Children by name: options beside the selectors; {local} and {remote} are 1 and 2 on moon.
CHILDREN = {
    "gcm": "local_ts = 10.{local}.15.0/24\nremote_ts = 10.{remote}.15.0/24\nesp_proposals = aes256gcm16",
    "cbc": "local_ts = 10.{local}.1.0/24\nremote_ts = 10.{remote}.1.0/24\nesp_proposals = aes128-sha256",
    "chacha": "local_ts = 10.{local}.2.0/24\nremote_ts = 10.{remote}.2.0/24\nesp_proposals = chacha20poly1305",
    "esn": "local_ts = 10.{local}.3.0/24\nremote_ts = 10.{remote}.3.0/24\nesp_proposals = aes128gcm16-esn",
    "window": "local_ts = 10.{local}.4.0/24\nremote_ts = 10.{remote}.4.0/24\nesp_proposals = aes128gcm16\nreplay_window = 128",
    "noreplay": "local_ts = 10.{local}.10.0/24\nremote_ts = 10.{remote}.10.0/24\nesp_proposals = aes128gcm16\nreplay_window = 0",
    "port": "local_ts = 10.{local}.5.0/24[tcp/80]\nremote_ts = 10.{remote}.5.0/24[tcp]\nesp_proposals = aes128gcm16",
    "limits": "local_ts = 10.{local}.6.0/24\nremote_ts = 10.{remote}.6.0/24\nesp_proposals = aes128gcm16\n"
              "rekey_bytes = 1000000\nlife_bytes = 2000000\nrand_bytes = 0\n"
              "rekey_packets = 5000\nlife_packets = 6000\nrand_packets = 0",
    "six": "local_ts = fd0{local}::/64\nremote_ts = fd0{remote}::/64\nesp_proposals = aes128gcm16",
    "marks": "local_ts = 10.{local}.7.0/24\nremote_ts = 10.{remote}.7.0/24\nesp_proposals = aes128gcm16\n"
             "mark_in = 42\nmark_out = 43/0xff\nset_mark_out = 7/0xf",
    "ifid": "local_ts = 10.{local}.8.0/24\nremote_ts = 10.{remote}.8.0/24\nesp_proposals = aes128gcm16\n"
            "if_id_in = 7\nif_id_out = 8",
    "bits": "local_ts = 10.{local}.9.0/24\nremote_ts = 10.{remote}.9.0/24\nesp_proposals = aes128gcm16\n"
            "copy_df = no\ncopy_ecn = no\ncopy_dscp = in",
    "host": "mode = transport\nesp_proposals = aes128gcm16",
    "null": "local_ts = 10.{local}.11.0/24\nremote_ts = 10.{remote}.11.0/24\nesp_proposals = null-sha1",
}
TRAP = "local_ts = 10.{local}.12.0/24\nremote_ts = 10.{remote}.12.0/24\nesp_proposals = aes128gcm16\nstart_action = trap"
PASS = "local_ts = 10.{local}.13.0/24\nremote_ts = 10.{local}.13.0/24[udp/53]\nmode = pass\nstart_action = trap"
DROP = "local_ts = 10.{local}.14.0/24\nremote_ts = 10.{remote}.14.0/24\nmode = drop\nstart_action = trap"


def conf(gateway, children, *, more="", settings="", name="gw", identity="", shunts=None, secrets=True):
    """swanctl.conf of a gateway with these children, a secret for both identities."""
    ours, theirs = PEERS[gateway]
    other = next(one for one in GATEWAYS if one != gateway)
    text = f"""
connections {{
  {name} {{
    version = 2
    local_addrs = {ours}
    remote_addrs = {theirs}
    proposals = aes256gcm16-prfsha256-x25519
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
    if shunts:
        text += f"""
  shunts {{
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
"""
    return text + more + "}\n" + (f"secrets {{\n  ike-all {{\n    secret = {SECRET}\n  }}\n}}\n" if secrets else "")


def _children(gateway, children):
    local, remote = (1, 2) if gateway == "moon" else (2, 1)
    return "\n".join(f"{name} {{\n{text.format(local=local, remote=remote)}\n}}" for name, text in children.items())


class Pair:
    """Two daemons on a lab of their own."""

    def __init__(self, binaries, kinds=("charond", "charond"), settings=None):
        self.lab = Lab()
        self.binaries = binaries
        self.daemons, self.swanctls, self.clean = {}, {}, {}
        for gateway, kind in zip(GATEWAYS, kinds):
            # Inner addresses of every child.
            node = self.lab.nodes[gateway]
            local = 1 if gateway == "moon" else 2
            for number in range(1, 16):
                node.ip("address", "add", f"10.{local}.{number}.1/32", "dev", "lo")
            one = daemon.make(kind, self.lab, gateway, binaries, settings=settings)
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

    def ping(self, number, count=5):
        """All pings to sun's address of that number are answered; the tunnel's route chooses the source."""
        got = self.pinged(f"10.2.{number}.1", count)
        assert got == count, f"{got} of {count} pings to 10.2.{number}.1 answered"

    def pinged(self, address, count=5, wait_s=2):
        """How many pings from moon are answered."""
        done = self.lab.nodes["moon"].run([sys.executable, PING, address, count, 0.1, wait_s], check=False, timeout=60)
        verdict = VERDICT.search(done.stdout)
        return int(verdict[1]) if verdict else 0

    def finish(self, gateways=GATEWAYS):
        """Both end by SIGTERM and leave nothing."""
        for gateway in gateways:
            self.daemons[gateway].stop()
        for gateway in gateways:
            self.is_clean(gateway)

    def is_clean(self, gateway):
        """Nothing is installed that was not before."""
        gone = leftovers.difference(self.clean[gateway], leftovers.snapshot(self.lab.nodes[gateway]))
        assert not gone, f"{gateway} is not clean:\n{gone}"


def installed(binaries, kind):
    """SAs and policies on moon, where both daemons are of that kind: {child: (states, policies)} by reqid."""
    with Pair(binaries, (kind, kind)) as pair:
        for gateway in GATEWAYS:
            pair.configure(gateway, conf(gateway, CHILDREN | ({"trap": TRAP} if gateway == "moon" else {"trap": TRAP.replace(
                "start_action = trap", "")}), shunts={"pass": PASS, "drop": DROP}))
        for child in CHILDREN:
            pair.initiate(child)
        node = pair.lab.nodes["moon"]
        found = xfrm.states(node), xfrm.policies(node), routes(node)
        (OUT / f"{kind}.state").write_text(node.run(["ip", "-s", "xfrm", "state"]).stdout)
        (OUT / f"{kind}.policy").write_text(node.run(["ip", "xfrm", "policy"]).stdout)
        pair.finish()
        return found


def routes(node):
    """The routes of table 220, sorted."""
    lines = node.run(["ip", "route", "show", "table", "220"], check=False).stdout.splitlines()
    return sorted(" ".join(line.split()) for line in lines)


def case_same_as_strongswan(binaries):
    """SAs, policies and routes are those that strongSwan installs for the same configuration"""
    ours, theirs = installed(binaries, "charond"), installed(binaries, "strongswan")
    rows, differing = [], []
    for what, mine, its in zip(("SA", "policy", "route"), ours, theirs):
        for line in sorted(set(mine) | set(its)):
            counts = mine.count(line), its.count(line)
            rows.append(f"| {what} | {line.replace('|', '/')} | {counts[0]} | {counts[1]} |")
            if counts[0] != counts[1]:
                differing.append(f"{what}: charond {counts[0]}, strongSwan {counts[1]}: {line}")
    (OUT / "same-as-strongswan.md").write_text("\n".join(rows) + "\n")
    assert not differing, "\n".join(differing)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="debug")
    parser.add_argument("--qemu", action="store_true", help="only what user-mode Linux lacks")
    parser.add_argument("--only", default="", help="only cases whose function's name contains this")
    options = parser.parse_args()
    binaries = Binaries(options.profile)
    missing = binaries.missing({"charond", "strongswan"})
    if missing:
        sys.exit(f"not found: {', '.join(map(str, missing))}")
    prefix = "qemu_" if options.qemu else "case_"
    cases = [(name, case) for name, case in globals().items() if name.startswith(prefix) and options.only in name]
    failed = 0
    for name, case in cases:
        begin, title = time.monotonic(), case.__doc__.splitlines()[0]
        try:
            case(binaries)
            verdict = "passed"
        except Exception as error:
            verdict, failed = "FAILED", failed + 1
            print("    " + str(error).replace("\n", "\n    ") if isinstance(error, AssertionError)
                  else "    " + traceback.format_exc().replace("\n", "\n    "))
        print(f"{verdict:8}{title} ({name}, {time.monotonic() - begin:.0f} s)", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())

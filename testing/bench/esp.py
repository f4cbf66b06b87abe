#!/usr/bin/env python3
"""TCP through a userspace tunnel: charond's ESP, strongSwan's kernel-libipsec and boringtun, in turn.

Two gateways and a host behind each, in namespaces; iperf3 from host to host. Beside the rate stands the processor time
of both gateways' daemons per gigabyte, which a busy machine spoils less. boringtun-cli is looked for in the path and in
testing/.cache/bin (`cargo install --root testing/.cache boringtun-cli`).
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
from pathlib import Path

import load
from lab.binaries import ROOT, Binaries
from lab.topology import ADDRESSES, Lab, wait_until

MTU = 1400


class Tunnel:
    """Both daemons, and the tunnel between them."""

    def __init__(self, lab, options):
        self.lab = lab
        self.options = options

    def processes(self):
        """The daemons whose time counts."""
        raise NotImplementedError


class Ike(Tunnel):
    """Two IKE daemons of one kind."""

    def __init__(self, lab, options, kind):
        super().__init__(lab, options)
        make = {"charond": lambda name: load.Charond(lab, name, Binaries("release"), kernel=options.kernel),
                "strongswan": lambda name: load.StrongSwan(lab, name)}[kind]
        self.daemons = {name: lab.own(make(name)) for name in ("moon", "sun")}
        for name, daemon in self.daemons.items():
            daemon.start()
            self._configure(name, daemon)
        with self.daemons["moon"].vici() as client:
            load.request(client, "initiate", {"child": "net", "timeout": "20000"})

    def _configure(self, name, daemon):
        peer = "sun" if name == "moon" else "moon"
        own_net, peer_net = (f"{ADDRESSES[gateway]['inner4'].rsplit('.', 2)[0]}.0.0/16" for gateway in (name, peer))
        conn = {
            "version": "2", "local_addrs": [ADDRESSES[name]["outer4"]], "remote_addrs": [ADDRESSES[peer]["outer4"]],
            "proposals": ["aes128gcm16-prfsha256-x25519"], "encap": "yes",
            "local": load.auth("psk", name, None), "remote": load.auth("psk", peer, None),
            "children": {"net": {"local_ts": [own_net], "remote_ts": [peer_net],
                                 "esp_proposals": [self.options.suite]}},
        }
        load.configure(daemon, "psk", None, [("net", conn)])

    def processes(self):
        return [daemon.process for daemon in self.daemons.values()]


class Boringtun(Tunnel):
    """Two boringtun-cli, configured over their sockets."""

    def __init__(self, lab, options):
        super().__init__(lab, options)
        program = boringtun()
        keys = {name: (os.urandom(32)) for name in ("moon", "sun")}
        self._processes = []
        for name in ("moon", "sun"):
            device = f"wg{os.getpid() % 10000}{name[0]}"
            process = subprocess.Popen(
                lab.nodes[name].enter([program, "--foreground", "--disable-drop-privileges", device]),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "WG_SUDO": "1"})
            self._processes.append(process)
            control = Path(f"/var/run/wireguard/{device}.sock")
            wait_until(control.exists, 10, f"{control}")
            peer = "sun" if name == "moon" else "moon"
            text = "\n".join([
                "set=1", f"private_key={clamp(keys[name]).hex()}", "listen_port=51820", "replace_peers=true",
                f"public_key={public(keys[peer]).hex()}", f"endpoint={ADDRESSES[peer]['outer4']}:51820",
                "persistent_keepalive_interval=5", "allowed_ip=0.0.0.0/0", "", ""])
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(control))
                client.sendall(text.encode())
                answer = client.recv(1000).decode()
            if "errno=0" not in answer:
                raise RuntimeError(f"boringtun: {answer}")
            lab.nodes[name].ip("link", "set", device, "mtu", str(MTU), "up")
            net = f"{ADDRESSES[peer]['inner4'].rsplit('.', 2)[0]}.0.0/16"
            lab.nodes[name].ip("route", "add", net, "dev", device)
        lab.own(self)

    def close(self):
        for process in self._processes:
            process.terminate()
            process.wait()

    def processes(self):
        return self._processes


def boringtun():
    """The program, or None."""
    return shutil.which("boringtun-cli") or shutil.which("boringtun-cli", path=str(ROOT / "testing" / ".cache" / "bin"))


def clamp(key):
    """A Curve25519 private key."""
    key = bytearray(key)
    key[0] &= 248
    key[31] = key[31] & 127 | 64
    return bytes(key)


def public(key):
    """Its public key, by openssl."""
    prefix = bytes.fromhex("302e020100300506032b656e04220420")
    made = subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
                          input=prefix + clamp(key), capture_output=True, check=True)
    return made.stdout[-32:]


def measure(kind, options):
    """(Mbit/s, CPU s per GB) of one transfer."""
    with Lab() as lab:
        tunnel = Boringtun(lab, options) if kind == "boringtun" else Ike(lab, options, kind)
        server = subprocess.Popen(lab.nodes["bob"].enter(["iperf3", "-s", "-1"]), stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: lab.ping("alice", "bob", count=1) == 1, 10, "an answer through the tunnel")
            before = sum(load.cpu_s(process) for process in tunnel.processes())
            done = lab.nodes["alice"].run(
                ["iperf3", "-c", ADDRESSES["bob"]["inner4"], "-t", str(options.seconds), "-J", "-M", str(MTU - 60)],
                timeout=options.seconds + 30)
            cpu = sum(load.cpu_s(process) for process in tunnel.processes()) - before
        finally:
            server.kill()
            server.wait()
        received = json.loads(done.stdout)["end"]["sum_received"]
        return received["bits_per_second"] / 1e6, cpu / (received["bytes"] / 1e9)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--suite", default="aes128gcm16")
    parser.add_argument("--kernel", default="", help="kernel plugins of charond instead of what it chooses")
    parser.add_argument("--tunnels", default="charond,strongswan,boringtun")
    options = parser.parse_args()
    kinds = options.tunnels.split(",")
    if boringtun() is None and "boringtun" in kinds:
        kinds.remove("boringtun")
        print("boringtun-cli is not installed", file=sys.stderr)
    results = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind, rows in results.items():
            rows.append(measure(kind, options))
            print(f"{kind}: {rows[-1][0]:.0f} Mbit/s, {rows[-1][1]:.2f} CPU s per GB", flush=True)
    print("\n| tunnel | Mbit/s (best) | CPU of both daemons, s per GB (least) |\n|---|---|---|")
    for kind, rows in results.items():
        rate, cpu = zip(*rows)
        print(f"| {kind} | {statistics.median(rate):.0f} ({max(rate):.0f}) | {statistics.median(cpu):.2f} ({min(cpu):.2f}) |")


if __name__ == "__main__":
    main()

"""Two swanctls against the same daemon in the same state: they must do and print the same.

The reference is strongSwan's own swanctl. What legitimately varies from one run to the next
(seconds, SPIs, sizes) is blanked first; what 5.9.8 prints in another way than the version
whose surface we keep is listed in VERSIONS.
"""

import difflib
import re
import shutil

from . import daemon, swanctl
from .scenario import SCENARIOS
from .topology import GATEWAYS, Lab

SCENARIO = "ecdsa256-ipv4"
KEYS = "ecdsa256"
FORMS = ((), ("--raw",), ("--pretty",))
# A command, and what its output must hold to be worth comparing.
QUERIES = (
    (("--list-sas",), "ESTABLISHED"),
    (("--list-sas", "--ike", "gw", "--noblock"), "INSTALLED"),
    (("--list-sas", "--ike", "nothing"), ""),
    (("--list-conns",), "10.2.0.0/16"),
    (("--list-certs",), ""),
    (("--list-certs", "--short", "--utc"), ""),
    (("--list-certs", "--pem"), ""),
    (("--list-pols",), ""),
    (("--list-authorities",), "shown"),
    (("--list-pools", "--leases"), "shown"),
    (("--list-algs",), "AES_GCM_16"),
    (("--counters",), "ike-init-out-req"),
    (("--counters", "--all"), ""),
    (("--counters", "--name", "nothing"), ""),
    (("--stats",), "plugins"),
    (("--version", "--daemon"), "Linux"),
    (("--initiate", "--child", "nothing"), "nothing"),
    (("--initiate",), "missing configuration name"),
    (("--terminate", "--ike", "nothing"), "no matching SAs"),
    (("--rekey", "--child", "nothing"), "no matching SAs"),
    (("--redirect", "--ike", "gw"), "missing target gateway"),
    (("--install", "--child", "nothing"), ""),
    (("--uninstall", "--child", "nothing"), ""),
    (("--flush-certs",), ""),
)
# What tells of success in the human, the raw and the pretty form.
DRIVEN = (
    ("--load-all", ("successfully loaded 1 connections", "load-conn reply {success=yes}", "load-conn reply {\n  success = yes")),
    ("--initiate", ("initiate completed successfully", "initiate reply {success=yes}", "initiate reply {\n  success = yes")),
    ("--terminate", ("terminate completed successfully", "terminate reply {success=yes", "terminate reply {\n  success = yes")),
)
# Commands that our swanctl does not have so far. Such a command must say so; one that works must leave this list.
LATER = ()
# Commands that our daemon does not know so far. A command that it answers must leave this list.
UNKNOWN = ()
# For a strongSwan daemon; charond has neither authorities nor pools so far.
EXTRA = """
authorities {
    shown {
        cacert = ca.crt
        crl_uris = http://crl.lab/ca.crl
    }
}
pools {
    shown {
        addrs = 10.99.0.0/24
        dns = 192.0.2.53, 2001:db8::53
    }
}
"""
VOLATILE = (
    (r"\b\d+s\b", "Ns"),
    (r"\b\d+ (second|minute)s?\b", "N seconds"),
    (r"\b(established|rekey-time|life-time|install-time|use-in|use-out|idle|scheduled|sbrk|mmap|used|free|running)"
     r"( ?= ?)[\w ]+?(?=[ }\n])", r"\1\2N"),
    (r"since ?=? ?[A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}", "since N"),
    (r"\(expires in [^)]*\)", "(expires in N)"),
    (r"worker threads: .*|job queues: .*|jobs scheduled: .*|mallinfo: .*", "N"),
    (r"(active|queues) ?\{[^}]*\}", "N"),
)
# Logs of an exchange: every number and SPI is another one.
LOG = ((r"\b[0-9a-f]{8}(_[io])?\b|\b[0-9a-f]{16}(_[ir])?\b", "H"), (r"\d+", "N"))
VERSIONS = (
    # 6.0 shows the port of each address of a connection.
    (r"(?m)^(  (?:local|remote): +.*)\[\d+\]$", r"\1"),
)


def play(report, pair, kinds, certificates, binaries):
    """Takes a pair of daemons through all commands with the swanctls of these kinds."""
    with Lab() as lab:
        daemons = {gateway: daemon.make(kind, lab, gateway, binaries) for gateway, kind in zip(GATEWAYS, pair)}
        for gateway, one in daemons.items():
            certificates.install(KEYS, gateway, one.swanctl_dir)
            shutil.copy(SCENARIOS / SCENARIO / gateway / "swanctl.conf", one.swanctl_dir)
            if one.kind == "strongswan":
                with open(one.swanctl_dir / "swanctl.conf", "a") as conf:
                    conf.write(EXTRA)
            one.start()
        sun = swanctl.make(pair[1], daemons["sun"], binaries)
        sun.load_all()
        moon = {kind: swanctl.make(kind, daemons["moon"], binaries) for kind in kinds}
        _Session(report, "/".join(pair), moon).play()
        for one in daemons.values():
            one.stop()


class _Session:
    def __init__(self, report, pair, moon):
        self.report, self.pair, self.moon = report, pair, moon

    def play(self):
        for form in FORMS:
            said = {kind: self._drive(command, form) for kind, command in self.moon.items()}
            for index, (word, part) in enumerate(DRIVEN):
                self._compare((word, *form), {kind: lines[index] for kind, lines in said.items()}, VOLATILE + LOG,
                              part[FORMS.index(form)])
        first = next(iter(self.moon.values()))
        first("--load-all", "--clear", "--noprompt", check=False)
        first("--initiate", "--child", "net", check=False)
        for word in LATER if "charond" in self.moon else ():
            said = self._run(self.moon["charond"], word)
            self.report.add(f"swanctl {word} is refused as unknown ({self.pair})",
                            None if f"unrecognized option '{word}'" in said else f"it is there: compare it.\n{said}")
        ours = first.daemon.kind == "charond"
        for word in UNKNOWN if ours else ():
            said = self._run(first, word)
            self.report.add(f"swanctl {word} is unknown to the daemon ({self.pair})",
                            None if "request failed: " in said else f"it is known: compare it.\n{said}")
        for words, part in QUERIES:
            if words[0] in LATER and "charond" in self.moon or words[0] in UNKNOWN and ours:
                continue
            part = "" if part == "shown" and ours else part
            # The reference mixes up the other forms of these two.
            for form in FORMS[:1] if words[0] in ("--install", "--uninstall") else FORMS:
                said = {kind: self._run(command, *words, *form) for kind, command in self.moon.items()}
                self._compare((*words, *form), said, VOLATILE, part)
        first("--terminate", "--ike", "gw", check=False)

    def _drive(self, command, form):
        """Loads, initiates, looks, terminates; what each printed."""
        load = self._run(command, "--load-all", "--clear", "--noprompt", *form)
        initiate = self._run(command, "--initiate", "--child", "net", *form)
        states = [(sa["state"], [c["state"] for c in sa["child-sas"].values()])
                  for _, sa in command.daemon.sas()]
        if states != [("ESTABLISHED", ["INSTALLED"])]:
            initiate = f"after --initiate list-sas shows {states}\n" + initiate.replace("success", "no-success")
        # Name or number: there is no such number.
        terminate = self._run(command, "--terminate", "--ike", "gw", "--ike-id", "999999", *form)
        if command.daemon.sas():
            terminate = "after --terminate list-sas still shows an SA\n" + terminate.replace("success", "no-success")
        return load, initiate, terminate

    @staticmethod
    def _run(command, *words):
        done = command(*words, check=False)
        return f"{done.stdout}--- stderr\n{done.stderr}--- exit status {done.returncode}\n"

    def _compare(self, words, said, blanks, part=""):
        name = f"swanctl {' '.join(words)} ({self.pair})"
        texts = {kind: _blank(text, blanks + VERSIONS) for kind, text in said.items()}
        without = [kind for kind, text in said.items() if part not in text]
        if without:
            self.report.add(name, f"{', '.join(without)}: no {part!r} in\n{said[without[0]][:1500]}")
        elif len(set(texts.values())) == 1:
            self.report.add(name)
        else:
            ours, reference = texts["charond"].splitlines(), texts["strongswan"].splitlines()
            lines = list(difflib.unified_diff(reference, ours, "strongSwan's swanctl", "ours", lineterm="", n=1))
            self.report.add(name, "\n".join(line[:400] for line in lines[:30]))


def _blank(text, patterns):
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text)
    return text

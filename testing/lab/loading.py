"""What both swanctls send for the same swanctl.conf: the same bytes in the same order, or the same refusal.

`testing/interop/loading/*.cases` hold the trees. A case starts with `=== NAME`; lines `--- KEY VALUE` say how it is
run, and what follows is swanctl.conf, up to `--- file PATH`, which starts another file:

    --- run --load-conns             the command, else --load-all --noprompt
    --- held conns a b               what the daemon holds: conns, pools, authorities, keys, shared
    --- refuse NAME                  the daemon refuses requests with this text in them
    --- unknown COMMAND              a command that the daemon does not know
    --- type WORD                    the answer to a prompt, on a terminal; it must not show
    --- fixture x509/a.crt moon.crt  a file with the content of a certificate or key made for the run

DIFFERENCES lists the cases in which the two are meant to differ. One that no longer does must leave it.
"""

import difflib
import itertools
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import terminal
from .binaries import ROOT, STRONGSWAN_SWANCTL
from .recorder import Recorder, shown
from .swanctl import DIRECTORIES

CASES = ROOT / "testing" / "interop" / "loading"
KEYS = ROOT / "swanctl" / "tests" / "keys"


@dataclass
class Case:
    """A tree of files, and how it is loaded."""

    name: str
    run: list = field(default_factory=lambda: ["--load-all", "--noprompt"])
    held: dict = field(default_factory=dict)
    refused: list = field(default_factory=list)
    unknown: list = field(default_factory=list)
    fixtures: list = field(default_factory=list)
    typed: list = field(default_factory=list)
    files: dict = field(default_factory=dict)


@dataclass
class Ran:
    """What a swanctl sent, and how it ended."""

    packets: list
    status: int
    said: str
    shown: list


def cases():
    """All cases, by name."""
    found = {}
    for path in sorted(CASES.glob("*.cases")):
        case = file = None
        for line in path.read_bytes().decode("latin-1").splitlines(keepends=True):
            words = line.split()
            if line.startswith("=== "):
                name = f"{path.stem}: {line[4:].strip()}"
                assert name not in found, f"{name} is there twice"
                case, file = found.setdefault(name, Case(name)), "swanctl.conf"
                case.files[file] = ""
            elif line.startswith("--- ") and words[1] == "run":
                case.run = words[2:]
            elif line.startswith("--- ") and words[1] == "held":
                case.held[words[2]] = words[3:]
            elif line.startswith("--- ") and words[1] == "refuse":
                case.refused.append(words[2])
            elif line.startswith("--- ") and words[1] == "unknown":
                case.unknown.append(words[2])
            elif line.startswith("--- ") and words[1] == "type":
                case.typed.append(words[2] if words[2:] else "")
            elif line.startswith("--- ") and words[1] == "fixture":
                case.fixtures.append((words[2], words[3]))
            elif line.startswith("--- ") and words[1] == "file":
                file = words[2]
                case.files[file] = ""
            elif line.startswith("--- "):
                raise ValueError(f"{path}: {line.strip()} is no line of a case")
            elif case is not None:
                case.files[file] += line
    return found


def play(report, certificates, binaries, only=None):
    """Runs all cases, or those with a text in their names."""
    with tempfile.TemporaryDirectory(prefix=f"charon-{os.getpid()}-loading-") as scratch:
        scratch = Path(scratch)
        fixtures = scratch / "fixtures"
        certificates.install("ecdsa256", "moon", fixtures)
        certificates.install("rsa", "sun", fixtures / "rsa")
        (scratch / "strongswan.conf").write_text("")
        for name, case in cases().items():
            if only and only not in name:
                continue
            ours, theirs = (run(program, case, scratch) for program in (binaries.swanctl, STRONGSWAN_SWANCTL))
            report.add(f"loading {name}", verdict(name, ours, theirs))
    written = (ROOT / "docs" / "differences.md").read_text()
    for reason, _ in DIFFERENCES:
        report.add(f"loading: docs/differences.md tells of {reason!r}", None if reason in written else "it does not")
    unused = {name for _, names in DIFFERENCES for name in names} - set(cases())
    report.add("loading: every difference listed is that of a case", f"no such case: {sorted(unused)}" if unused else None)


def run(program, case, scratch):
    """Lays out the files and loads them."""
    directory = scratch / "swanctl"
    shutil.rmtree(directory, ignore_errors=True)
    for name in DIRECTORIES:
        (directory / name).mkdir(parents=True)
    for name, text in case.files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(text.encode("latin-1"))
    for name, source in case.fixtures:
        shutil.copy(fixture(source, scratch / "fixtures"), directory / name)
    socket = scratch / "vici"
    socket.unlink(missing_ok=True)
    with Recorder(socket, held=case.held, refused=case.refused, unknown=case.unknown) as recorder:
        environment = {**os.environ, "SWANCTL_DIR": str(directory), "STRONGSWAN_CONF": str(scratch / "strongswan.conf")}
        words = [word.replace("DIR/", f"{directory}/") for word in case.run]
        argv = [program, *words, "--uri", f"unix://{socket}"]
        if case.typed:
            status, said = terminal.run(argv, case.typed, env=environment)
        else:
            done = subprocess.run(argv, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=30,
                                  check=False, start_new_session=True)
            status, said = done.returncode, (done.stdout + b"--- stderr\n" + done.stderr).decode("utf-8", "replace")
    # What strongSwan does not have: ours asks for it last, and without any in the file says nothing of it.
    packets = [packet for packet in recorder.packets if not packet[2:].startswith(b"get-vrouters")]
    return Ran(packets, status, said.replace(str(scratch), ""), [word for word in case.typed if word and word in said])


def fixture(name, made):
    """A certificate or key: of the lab, or one of swanctl's tests."""
    for path in (*made.glob(f"*/{name}"), *made.glob(f"*/*/{name}"), KEYS / name):
        if path.exists():
            return path
    raise FileNotFoundError(name)


def verdict(name, ours, theirs):
    """None if the two agree, or differ as listed; else what is wrong."""
    if ours.shown:
        return f"what was typed shows: {ours.said!r}"
    same = _by_directory(ours.packets) == _by_directory(theirs.packets)
    if _refused_alike(ours, theirs):
        return None
    reasons = [reason for reason, names in DIFFERENCES if name in names]
    if reasons and same and (ours.status == 0) == (theirs.status == 0):
        return f"does not differ any more, but is listed: {reasons[0]}"
    if reasons:
        return None
    if not same:
        lines = difflib.unified_diff([shown(packet) for packet in theirs.packets], [shown(packet) for packet in ours.packets],
                                     "strongSwan's swanctl", "ours", lineterm="", n=1)
        return "\n".join([*(line[:600] for line in lines), "ours said:", ours.said[:1200], "theirs:", theirs.said[:1200]])
    if (ours.status == 0) != (theirs.status == 0):
        return f"exit status {ours.status} instead of {theirs.status}\nours said:\n{ours.said}\ntheirs:\n{theirs.said}"
    return None


def _by_directory(packets):
    """The packets, with the certificates of a directory sorted: the reference has them in the order of the file system."""
    def directory(packet):
        return re.split(rb"\x03\x04data", packet)[0] if packet[2:].startswith(b"load-cert") else None

    return [packet for kind, run in itertools.groupby(packets, directory)
            for packet in (run if kind is None else sorted(run))]


def _refused_alike(ours, theirs):
    """Whether both refuse the file itself: the reference then loads nothing, and unloads all; ours leaves the daemon alone."""
    refused = any(words in theirs.said for words in ("invalid config file", "failed to open config file"))
    loads = any(packet[2:].startswith(b"load-") for packet in theirs.packets)
    return refused and not loads and not ours.packets and ours.status in (2, 22)


# Why the two may differ, in the words of docs/differences.md, and in which cases they do.
DIFFERENCES = (
    ("Spaces around the items of a list are cut.", (
        "connections: a list over lines",
        "connections: a list with tabs",
    )),
    ("What should be hexadecimal or base64 and is not becomes other bytes", (
        "connections: a certificate in no hexadecimal",
        "connections: a certificate in no base64",
        "secrets: base64 without padding",
        "secrets: no hexadecimal",
        "secrets: no base64",
    )),
    ("A name of more than 255 bytes in swanctl.conf", (
        "connections: a name of 255 bytes",
        "connections: a name of 256 bytes",
        "connections: a name of 257 bytes",
    )),
    ("Sections of a connection in swanctl.conf may be nested", ("connections: sections deeper than any",)),
    ("`Certs` and other keys of files", ("connections: certificate keys in capitals",)),
    ("one that does not know `get-conns` is sent connections", ("connections: the daemon knows no connections",)),
    ("A key file whose passphrase is unknown is sent to the daemon", (
        "credentials: an encrypted key and a wrong passphrase",
        "credentials: an encrypted key without passphrase",
        "credentials: a passphrase in hexadecimal",
        "credentials: a passphrase of another kind",
        "credentials: a wrong passphrase typed",
        "credentials: nothing typed",
    )),
    ("The keys of a section with a `%` in its name are lost", ("grammar: names with odd characters",)),
    ("A section may be opened in one file and closed in an included one",
     ("grammar: brace opened in one file and closed in another",)),
    ("With `--raw` or `--pretty` the load commands succeed", ("pools: a refused pool of --load-pools",)),
)

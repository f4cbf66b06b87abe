"""Client libraries of others, fetched as their users would: nothing of them is kept in the repository."""

import subprocess
import sys
from pathlib import Path

from .shell import run

TESTING = Path(__file__).resolve().parents[1]
CACHE = TESTING / ".cache"
EXECUTORS = TESTING / "interop" / "clients"
PYTHON = ("6.0.3", "5.9.11")
# strongSwan's own Ruby gem and Perl module, MIT-licensed, in the upstream tarball of Debian's source package.
FOLDERS = {"ruby": "ruby/lib", "perl": "perl/Vici-Session/lib"}


def executors():
    """(name, argument vector) of each library; the socket comes behind it."""
    found = [(f"Python {version}", [python(version), EXECUTORS / "executor.py"]) for version in PYTHON]
    sources = strongswan_clients()
    found.append(("Ruby", ["ruby", "-I", sources / FOLDERS["ruby"], EXECUTORS / "executor.rb"]))
    found.append(("Perl", ["perl", "-I", sources / FOLDERS["perl"], EXECUTORS / "executor.pl"]))
    program = rust()
    found += [(name, [program, name]) for name in ("rustici", "rsvici")]
    found.append(("our client", [program, "vici"]))
    return found


def python(version):
    """An interpreter that has that version from PyPI."""
    venv = CACHE / f"venv-vici-{version}"
    interpreter = venv / "bin" / "python"
    probe = f"import importlib.metadata as m, sys; sys.exit(m.version('vici') != '{version}')"
    if not interpreter.exists() or run([interpreter, "-c", probe], check=False).returncode != 0:
        run([sys.executable, "-m", "venv", "--clear", venv], timeout=120)
        run([interpreter, "-m", "pip", "install", "-q", f"vici=={version}"], timeout=300)
    return interpreter


def strongswan_clients():
    """The folder of the VICI plugin with the two client folders, unpacked from Debian's source package. apt gets a state and a
    source list of its own, so that the host's stay as they are."""
    target = CACHE / "strongswan-clients"
    plugin = next(target.glob("strongswan-*/src/libcharon/plugins/vici"), None)
    if plugin:
        return plugin
    state = CACHE / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "source"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    (state / "sources.list").write_text(
        "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian "
        f"{release['VERSION_CODENAME']} main\n")
    options = [f"-oDir::Etc::SourceList={state}/sources.list", "-oDir::Etc::SourceParts=-",
               f"-oDir::State::Lists={state}/lists", f"-oDir::State::status={state}/status",
               f"-oDir::Cache={state}/cache", "-oAPT::Sandbox::User=root"]
    run(["apt-get", *options, "update"], timeout=300)
    # The part with Debian's changes may be missing from a mirror, and is not needed.
    subprocess.run(["apt-get", *map(str, options), "source", "--download-only", "strongswan"], cwd=state / "source",
                   capture_output=True, timeout=300)
    tarball = next((state / "source").glob("strongswan_*.orig.tar.bz2"))
    target.mkdir(parents=True, exist_ok=True)
    run(["tar", "-xjf", tarball, "-C", target, "--wildcards", "*/plugins/vici/ruby/lib/*",
         "*/plugins/vici/perl/Vici-Session/lib/*"], timeout=60)
    return next(target.glob("strongswan-*/src/libcharon/plugins/vici"))


def rust():
    """The program with the crates."""
    target = CACHE / "client-executors"
    run(["cargo", "build", "-q", "--manifest-path", EXECUTORS / "rust" / "Cargo.toml", "--target-dir", target], timeout=900)
    return target / "debug" / "client-executors"

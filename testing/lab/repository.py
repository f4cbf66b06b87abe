"""Checks of the repository itself: licences and sources of dependencies, links between documents."""

import json
import re
import subprocess
import tomllib
from collections import defaultdict

from .binaries import ROOT

FILE = re.compile(r"`([\w./-]+\.(?:rs|py))`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def checks():
    """Yields (name, None) for what is in order and (name, reason) for what is not."""
    with open(ROOT / "deny.toml", "rb") as file:
        deny = tomllib.load(file)
    done = subprocess.run(["cargo", "metadata", "--format-version", "1", "--locked"], cwd=ROOT, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        yield "dependencies are known", done.stderr
        return
    packages = json.loads(done.stdout)["packages"]
    outside = [package for package in packages if package["source"] is not None]
    yield "licences of all dependencies are allowed", _licences(outside, deny)
    yield "dependencies come from the registry alone", _sources(outside)
    yield "no dependency is banned", _bans(outside, deny)
    yield "links between documents lead somewhere", _links()
    yield "files that documents name are there", _files()


def _licences(packages, deny):
    allowed = set(deny["licenses"]["allow"])
    exceptions = {entry["crate"]: set(entry["allow"]) for entry in deny["licenses"].get("exceptions", ())}
    wrong = [f"{package['name']} {package['version']}: {package['license']}" for package in packages
             if not _satisfied(package["license"] or "", allowed | exceptions.get(package["name"], set()))]
    return "\n".join(wrong) or None


def _satisfied(expression, allowed):
    """Whether an SPDX expression can be met; OR binds weaker than AND, `/` is an old way to write OR."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def disjunction():
        met = conjunction()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            met = conjunction() or met
        return met

    def conjunction():
        met = term()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            met = term() and met
        return met

    def term():
        if not tokens:
            return False
        token = tokens.pop(0)
        if token == "(":
            met = disjunction()
            tokens.pop(0)
            return met
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token += f" WITH {tokens.pop(0)}"
        return token in allowed

    return disjunction()


def _sources(packages):
    wrong = [f"{package['name']}: {package['source']}" for package in packages
             if not package["source"].startswith("registry+")]
    return "\n".join(wrong) or None


def _bans(packages, deny):
    versions = defaultdict(set)
    for package in packages:
        versions[package["name"]].add(package["version"])
    wrong = []
    for entry in deny["bans"]["deny"]:
        name = entry["crate"]
        if entry.get("deny-multiple-versions"):
            if len(versions[name]) > 1:
                wrong.append(f"{name} twice: {', '.join(sorted(versions[name]))}")
        elif versions[name]:
            wrong.append(f"{name} is banned: {entry['reason']}")
    return "\n".join(wrong) or None


def _tracked(*patterns):
    return subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True).stdout.split()


def _files():
    """A document may name a file by the end of its path."""
    ends = {"/" + name for name in _tracked()}
    wrong = []
    for document in _tracked("docs/*.md", "README.md", "testing/README.md"):
        for name in FILE.findall((ROOT / document).read_text()):
            if not any(end.endswith("/" + name) for end in ends):
                wrong.append(f"{document}: {name}")
    return "\n".join(wrong) or None


def _links():
    wrong = []
    for name in _tracked("*.md"):
        for target in LINK.findall((ROOT / name).read_text()):
            if "://" not in target and not ((ROOT / name).parent / target).exists():
                wrong.append(f"{name}: {target}")
    return "\n".join(wrong) or None

"""Checks of the repository itself: licences and sources of dependencies, and that documents speak of what is there."""

import json
import re
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path

from .binaries import ROOT

DOCUMENTS = ("docs/*.md", "README.md", "testing/README.md")
CRATES = re.compile(r"^\| (`[^|]+`) \| `([^`]+)` \|", re.M)
# What is shown: between backticks, or indented as a block.
SHOWN = re.compile(r"`([^`\n]+)`|^    (.+)$", re.M)
PATH = re.compile(r"(?<![\w/.-])[A-Za-z][\w.-]*/[\w./*-]+")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]+)")
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
    metadata = json.loads(done.stdout)
    packages = metadata["packages"]
    outside = [package for package in packages if package["source"] is not None]
    yield "licences of all dependencies are allowed", _licences(outside, deny)
    yield "dependencies come from the registry alone", _sources(outside)
    yield "no dependency is banned", _bans(outside, deny)
    yield "links between documents lead somewhere", _links()
    yield "files that documents name are there", _files()
    yield "paths and options that documents show are there", _shown()
    yield "the table of crates is that of the workspace", _crates(metadata)


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
    for document in _tracked(*DOCUMENTS):
        for name in FILE.findall((ROOT / document).read_text()):
            if not any(end.endswith("/" + name) for end in ends):
                wrong.append(f"{document}: {name}")
    return "\n".join(wrong) or None


def _shown():
    tracked = _tracked()
    places = {name.split("/")[0] for name in tracked if "/" in name}
    programs = "\n".join((ROOT / name).read_text(errors="replace") for name in tracked
                         if name.endswith((".rs", ".py")) or "." not in name.rsplit("/")[-1])
    wrong = []
    for document in _tracked(*DOCUMENTS):
        shown = "\n".join("".join(parts) for parts in SHOWN.findall((ROOT / document).read_text()))
        for path in PATH.findall(shown):
            if path.split("/")[0] in places and not any(ROOT.glob(path.rstrip("/"))) and not _ignored(path):
                wrong.append(f"{document}: {path}")
        for option in OPTION.findall(shown):
            # One of ours is a string or the name of a field; those of other people's commands are called somewhere.
            if option not in programs and option.replace("-", "_") not in programs:
                wrong.append(f"{document}: --{option}")
    return "\n".join(wrong) or None


def _ignored(path):
    """Whether it comes and goes."""
    return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode == 0


def _crates(metadata):
    text = (ROOT / "docs/architecture.md").read_text()
    table = {(path.strip("`"), name) for paths, name in CRATES.findall(text) for path in paths.split(", ")}
    members = {(str(Path(package["manifest_path"]).parent.relative_to(ROOT)), package["name"])
               for package in metadata["packages"] if package["id"] in metadata["workspace_members"]}
    wrong = [f"not in the workspace: {path}, {name}" for path, name in table - members]
    wrong += [f"not in the table: {path}, {name}" for path, name in members - table]
    return "\n".join(sorted(wrong)) or None


def _links():
    wrong = []
    for name in _tracked("*.md"):
        for target in LINK.findall((ROOT / name).read_text()):
            if "://" not in target and not ((ROOT / name).parent / target).exists():
                wrong.append(f"{name}: {target}")
    return "\n".join(wrong) or None

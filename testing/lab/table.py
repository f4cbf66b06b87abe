"""docs/scenarios.md: what a run of the scenarios said of those that core.toml lists."""

import tomllib

from .scenario import SCENARIOS

CORE = SCENARIOS / "core.toml"
HEAD = """# Scenarios

Made by `testing/scenarios/run --pairs all --table docs/scenarios.md`, by which every scenario was played: charond with itself, and
with strongSwan in either role ({versions}). The first name is who initiates, mostly. The scenarios are named
as in strongSwan's own test suite; what each shows, how, and with which configuration is in the directory named beside it, below
`testing/scenarios`.

*needs kernel*: shows something that strongSwan's userspace ESP does not have (traps, shunts, transport mode, marks); it is played
by charond alone here, and with strongSwan on a kernel with ESP in [the guest](../testing/README.md).
*not meant*: strongSwan in that role does not do what the scenario shows, or not with its userspace ESP.
"""


def core():
    """[(group, [(name, directories, what is missing)])] of core.toml, where either of the last two is None."""
    groups = []
    for group in tomllib.loads(CORE.read_text())["group"]:
        name = group.pop("name")
        groups.append((name, [(one, said, None) if isinstance(said, list) else (one, None, said["later"])
                              for one, said in group.items()]))
    return groups


def directories():
    """All that core.toml names."""
    return {name for _, lines in core() for _, shown, _ in lines for name in shown or ()}


def write(path, pairs, verdicts, scenarios, versions):
    """Writes the table; `verdicts` maps (scenario, pair) to `passed` and the like."""
    by_name = {one.name: one for one in scenarios}
    text = [HEAD.format(versions=", ".join(versions))]
    for group, lines in core():
        heads = ["Scenario", "Here", *("/".join(pair) for pair in pairs)]
        text += [f"## {group}", "", _row(heads), _row(["---"] * len(heads))]
        for name, shown, later in lines:
            if later:
                text.append(_row([name, f"later: {later}", *[""] * len(pairs)]))
            for directory in shown or ():
                text.append(_row([name, directory, *(_verdict(by_name.get(directory), pair, verdicts) for pair in pairs)]))
        text.append("")
    rest = sorted(one.name for one in scenarios if one.name not in directories())
    shown = [pair for pair in pairs if any((name, pair) in verdicts for name in rest)]
    heads = ["Here", *("/".join(pair) for pair in shown)]
    text += ["## Others", "", _row(heads), _row(["---"] * len(heads))]
    text += [_row([name, *(_verdict(by_name[name], pair, verdicts) for pair in shown)]) for name in rest]
    path.write_text("\n".join(text) + "\n")


def _verdict(scenario, pair, verdicts):
    if scenario is None:
        return "not here"
    if (said := verdicts.get((scenario.name, pair))) is not None:
        return said
    if scenario.suits(pair):
        return "not played"
    return "needs kernel" if scenario.needs else "not meant"


def _row(cells):
    return "| " + " | ".join(cells) + " |"

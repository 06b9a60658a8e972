"""What an attack came to: a number, what is demanded of it, and what it was before the mends."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

BEFORE = Path(__file__).parent / "before.json"
PAGE = Path(__file__).resolve().parent.parent.parent / "docs/operations.md"
TABLE = re.compile(r"(?m)^\| attack \| measured \|.*\n(\|.*\n)*")


@dataclass(frozen=True)
class Demand:
    text: str
    holds: Callable[[float], bool] = lambda value: True


def below(limit):
    return Demand(f"< {limit}", lambda value: value < limit)


def at_most(limit):
    return Demand(f"≤ {limit}", lambda value: value <= limit)


def at_least(limit):
    return Demand(f"≥ {limit}", lambda value: value >= limit)


def exactly(right):
    return Demand(f"{right}", lambda value: value == right)


def one_of(*right):
    return Demand(", ".join(map(str, right)), lambda value: value in right)


REPORTED = Demand("")


@dataclass(frozen=True)
class Finding:
    measured: str
    value: float
    demand: Demand
    aside: tuple = ()

    def __str__(self):
        return number(self.value) + (f" ({', '.join(map(number, self.aside))})" if self.aside else "")


def number(value):
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Table:
    """Findings beside those of a run on the code as it was, in Markdown, a line at a time."""

    def __init__(self):
        self.before = json.loads(BEFORE.read_text()) if BEFORE.exists() else {"commit": "–", "findings": {}}
        self.findings, self.lines, self.lost = {}, [], 0
        self.line("attack", "measured", f"before ({self.before['commit']})", "now", "demanded", "held")
        self.line("---", "---", "--:", "--:", "--:", "---")

    def line(self, *cells):
        self.lines.append("| " + " | ".join(cells) + " |")
        print(self.lines[-1], flush=True)

    def add(self, attack, finding):
        key, held = f"{attack}: {finding.measured}", finding.demand.holds(finding.value)
        self.findings[key], self.lost = str(finding), self.lost + (not held)
        verdict = "" if finding.demand is REPORTED else "yes" if held else "**no**"
        self.line(attack, finding.measured, self.before["findings"].get(key, "–"), str(finding), finding.demand.text, verdict)

    def keep(self, commit):
        """Makes these the numbers of before."""
        BEFORE.write_text(json.dumps({"commit": commit, "findings": self.findings}, indent=1, ensure_ascii=False) + "\n")

    def publish(self):
        """Renews the table of the run book."""
        PAGE.write_text(TABLE.sub("\n".join([*self.lines, ""]), PAGE.read_text()))

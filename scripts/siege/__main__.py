"""Attacks a running system and says what it cost others: python3 scripts/siege [OPTION...] [ATTACK...]

For each attack a capsim (`make siege` builds it; CAPSIM names another) is started on free ports of loopback, on a new data
directory, and ended; meanwhile a well-behaved client measures what it gets. Prints one table, with the numbers from before
the mends beside it, and fails where a demand does not hold. Latencies are for two idle cores. Linux only.

--quick runs those that take seconds and measure no time. --publish puts the table into docs/operations.md. --keep makes
the numbers those of before, at a commit. Attacks can be chosen by the words they begin with: `scripts/siege 2 "9 rapid"`.
"""

import argparse
import resource
import sys

import asking
import holding
from findings import Table
from system import CAPSIM

ATTACKS = holding.ATTACKS | asking.ATTACKS
QUICK = ["5 empty", "6", "9 early", "9 two", "15"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--keep", metavar="COMMIT")
    parser.add_argument("attack", nargs="*")
    chosen = parser.parse_args()
    if not CAPSIM.exists():
        sys.exit(f"siege: {CAPSIM} is missing: cargo build --profile dist --package capsim")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    beginnings = QUICK if chosen.quick else chosen.attack
    if beginnings and (chosen.publish or chosen.keep):
        parser.error("what is published or kept are the numbers of all attacks")
    table = Table()
    for name, attack in ATTACKS.items():
        if not beginnings or any(f"{name} ".startswith(f"{beginning} ") for beginning in beginnings):
            for finding in attack():
                table.add(name, finding)
    if chosen.keep:
        table.keep(chosen.keep)
    if chosen.publish:
        table.publish()
    sys.exit(f"siege: {table.lost} demands do not hold" if table.lost else 0)


main()

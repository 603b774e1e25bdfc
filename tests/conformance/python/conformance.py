"""Runs the cases with Microsoft's unmodified Python SDK against the namespace that the environment names.

One line a case, `ok NAME`, `not ok NAME: reason` or `n/a NAME: reason`; the last line is JSON with the versions and the
counts.
"""

import sys

from cases import CASES
from more_cases import MORE_CASES, NOT_APPLICABLE
from runner import run
from world import World


def main():
    world = World()

    def drain():
        try:
            world.drain()
        except Exception as error:
            print(f"# the queues could not be emptied: {error}", flush=True)

    cases = [*CASES[world.way], *MORE_CASES]
    return run(cases, world, ["azure-servicebus", "azure-identity"], drain, NOT_APPLICABLE, way=world.way)


if __name__ == "__main__":
    sys.exit(main())

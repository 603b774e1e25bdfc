"""Runs the cases with Microsoft's unmodified Python SDK against the namespace that the environment names.

One line a case, `ok NAME`, `not ok NAME: reason` or `n/a NAME: reason`; the last line is JSON with the versions and the
counts.
"""

import json
import platform
import sys
from importlib.metadata import version

from cases import CASES
from more_cases import MORE_CASES, NOT_APPLICABLE
from world import World


def main():
    world = World()
    passed = failed = 0
    for case in [*CASES[world.way], *MORE_CASES]:
        try:
            case(world)
        except Exception as error:  # A case may fail in any way; the others still run.
            failed += 1
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"not ok {case.__name__}: {reason}", flush=True)
            try:
                world.drain()
            except Exception as error:
                print(f"# the queues could not be emptied: {error}", flush=True)
        else:
            passed += 1
            print(f"ok {case.__name__}", flush=True)
    for name, reason in NOT_APPLICABLE.items():
        print(f"n/a {name}: {reason}", flush=True)
    summary = {
        "sdk": f"azure-servicebus {version('azure-servicebus')}, azure-identity {version('azure-identity')}",
        "runtime": f"Python {platform.python_version()}",
        "way": world.way,
        "passed": passed,
        "failed": failed,
    }
    print(json.dumps(summary))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

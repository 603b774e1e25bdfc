"""Uses Microsoft's unmodified Blob Storage SDK for Python.

Everything comes from the environment, as for conformance.py, and is printed in the same form.
"""

import json
import platform
import sys
from importlib.metadata import version

from blob_cases import CASES
from blob_world import World


def main():
    world = World()
    passed = failed = 0
    for case in CASES:
        try:
            case(world)
        except Exception as error:  # A case may fail in any way; the others still run.
            failed += 1
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"not ok {case.__name__}: {reason}", flush=True)
        else:
            passed += 1
            print(f"ok {case.__name__}", flush=True)
    summary = {
        "sdk": f"azure-storage-blob {version('azure-storage-blob')}, azure-identity {version('azure-identity')}",
        "runtime": f"Python {platform.python_version()}",
        "passed": passed,
        "failed": failed,
    }
    print(json.dumps(summary))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

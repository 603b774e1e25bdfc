"""Runs cases and prints what came of them: a line each, `ok NAME` or `not ok NAME: reason`, and a last line of JSON with
the versions and the counts."""

import json
import platform
from importlib.metadata import version


def run(cases, world, sdks, after_failure=lambda: None, not_applicable=(), **more):
    """The exit code: 0 when there were cases and all passed. `sdks` are names of packages, `more` stands in the summary."""
    passed = failed = 0
    for case in cases:
        try:
            case(world)
        except Exception as error:  # A case may fail in any way; the others still run.
            failed += 1
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"not ok {case.__name__}: {reason}", flush=True)
            after_failure()
        else:
            passed += 1
            print(f"ok {case.__name__}", flush=True)
    for name, reason in dict(not_applicable).items():
        print(f"n/a {name}: {reason}", flush=True)
    summary = {
        "sdk": ", ".join(f"{sdk} {version(sdk)}" for sdk in sdks),
        "runtime": f"Python {platform.python_version()}",
        **more,
        "passed": passed,
        "failed": failed,
    }
    print(json.dumps(summary))
    return 0 if passed and not failed else 1

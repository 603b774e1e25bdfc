"""Takes tokens with Microsoft's unmodified identity libraries for Python: azure-identity and MSAL.

Everything comes from the environment, as for conformance.py, and is printed in the same form.
"""

import sys

from identity_cases import CASES
from identity_world import World
from runner import run

if __name__ == "__main__":
    sys.exit(run(CASES, World(), ["azure-identity", "msal"]))

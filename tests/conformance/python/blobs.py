"""Uses Microsoft's unmodified Blob Storage SDK for Python.

Everything comes from the environment, as for conformance.py, and is printed in the same form.
"""

import sys

from blob_cases import CASES
from blob_world import World
from runner import run

if __name__ == "__main__":
    sys.exit(run(CASES, World(), ["azure-storage-blob", "azure-identity"]))

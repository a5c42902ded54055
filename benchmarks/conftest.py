"""What the benchmarks share: the shapes of the work, and the machine they ran on."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

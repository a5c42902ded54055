"""Questions are run as scripts too, whose imports start at this folder: so do they here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

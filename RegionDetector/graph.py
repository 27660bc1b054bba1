"""The name under which the published course imports the plots."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from common.graph import *  # noqa: E402, F403

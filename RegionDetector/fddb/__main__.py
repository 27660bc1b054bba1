"""``python -m RegionDetector.fddb evaluate DETECTIONS``: the official evaluation from the command line."""

import sys

from common.commands.start import start

if __name__ == "__main__":
    raise SystemExit(start("RegionDetector.fddb.report", sys.argv[1:]))

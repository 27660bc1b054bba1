"""The command line: ``python -m RegionDetector PHOTO_OR_FOLDER...`` finds the faces in one's own photos; see commands/finding.py."""

import sys

from common.commands.start import start

if __name__ == "__main__":
    raise SystemExit(start("RegionDetector.commands.finding", sys.argv[1:]))

"""``python -m RegionDetector.fddb evaluate DETECTIONS``: the official evaluation from the command line."""

from RegionDetector.fddb.report import main

raise SystemExit(main())

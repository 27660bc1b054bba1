"""The command line: `python -m TrackDetector`, and which command is meant.

`python -m TrackDetector --gallery FOLDER_OF_PEOPLE PHOTO_OR_VIDEO...` names every face in one's own photos and videos.
"""

import os


def main(arguments=None):
    """Run the command; returns 0, 1 if something could not be read, 2 if nothing could be done."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from TrackDetector.commands import naming

    return naming.main(arguments)


if __name__ == "__main__":
    raise SystemExit(main())

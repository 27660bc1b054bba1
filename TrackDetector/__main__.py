"""The command line: `python -m TrackDetector`, and which command is meant.

`python -m TrackDetector --gallery FOLDER_OF_PEOPLE PHOTO_OR_VIDEO...` names every face in one's own photos and videos;
`python -m TrackDetector gallery ...` builds and keeps a gallery in a file;
`python -m TrackDetector find PHOTO ARCHIVE...` finds the photos that show a person.
"""

import sys

from common.commands.start import start

COMMANDS = {"gallery": "galleries", "find": "finding"}


def main(arguments=None):
    """Run the command; returns 0, 1 if something could not be read, 2 if nothing could be done."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] and arguments[0] in COMMANDS:  # a file of that name is ./gallery
        return start(f"TrackDetector.commands.{COMMANDS[arguments[0]]}", arguments[1:])
    return start("TrackDetector.commands.naming", arguments)


if __name__ == "__main__":
    raise SystemExit(main())

"""How a command begins: its module is loaded, and what may come of that is said in a line."""

import os
import sys
from importlib import import_module

OURS = ("common", "RegionDetector", "TrackDetector")
ENTER = r".venv\Scripts\activate" if os.name == "nt" else "source .venv/bin/activate"


def start(module, arguments):
    """Load a command's module and run its ``main``.

    Parameters
    ----------
    module : str
    arguments : list of str

    Returns
    -------
    int
        What the command returns; 2 if a package is missing or memory is short, 130 after Ctrl-C while it is loaded.
    """
    command = None
    try:
        command = import_module(module).main
        return command(arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        print(f"error: this Python has no {error.name} ({sys.executable}). In the kit's folder, take the one that has all packages: {ENTER}. "
              "Where there is no .venv yet, `python kit.py setup` makes it.", file=sys.stderr)  # fmt: skip
        return 2
    except (ImportError, MemoryError) as error:
        from common.device import short_of_memory  # this module itself asks for nothing

        if not short_of_memory(error):
            raise
        print("error: there is not enough memory; expected 3 GB that are free and allowed (ulimit -v; the limit of a container or a job). End other programs, or allow more.",
              file=sys.stderr)  # fmt: skip
        return 2
    except KeyboardInterrupt:
        if command is not None:  # which knows what to do about it
            raise
        print("Stopped.", file=sys.stderr)
        return 130

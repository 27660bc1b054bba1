"""Printing names of files and people on a console that cannot show every letter."""

import sys


def print_any_name():
    """Let ``print`` write what the console has no letter for as ``\\u674e``, instead of ending the program.

    A redirected output on Windows knows the letters of one language only, and a file's name on Linux may be no text.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's and a test's own streams can show everything
            stream.reconfigure(errors="backslashreplace")

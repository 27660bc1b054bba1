"""Exercises of a notebook: stubs and stand-ins, checks, hints, marks, the form of an answer."""

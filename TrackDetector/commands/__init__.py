"""The commands of `python -m TrackDetector`: name faces, keep a gallery, find a person in an archive."""

"""Faces in films, from frame to frame."""

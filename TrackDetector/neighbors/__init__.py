"""Nearest neighbours among descriptors: looking for them exactly, and what they say of known people and of strangers."""

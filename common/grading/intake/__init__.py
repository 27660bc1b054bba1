"""Submissions as learning platforms hand them out: whose they are, what of them counts, and notebooks that are damaged in a small way."""

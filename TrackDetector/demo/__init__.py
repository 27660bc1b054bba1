"""The built-in people."""

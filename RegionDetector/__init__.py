"""Task one: find faces in photos."""

"""Marks, pages and the files that learning platforms read back."""

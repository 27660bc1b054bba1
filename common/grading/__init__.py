"""Submissions in; each in a sandbox; marks and pages out."""

"""Explorers and drawings of the detector."""

"""What ``python -m RegionDetector`` does."""

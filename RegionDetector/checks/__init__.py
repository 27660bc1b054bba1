"""What is asked of each exercise of this task."""

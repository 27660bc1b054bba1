"""The shared ground floor; knows nothing of the two tasks."""

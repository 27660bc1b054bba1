"""The neighbour explorer."""

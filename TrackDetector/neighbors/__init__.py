"""From faces to descriptors, the nearest neighbours among them, and what they say of known people and of strangers."""

"""dlib's face network, read from its weight file, and the original beside it."""

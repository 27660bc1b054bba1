"""What Pillow does not read by itself: more than eight bits a colour, floats, colours in planes; decoders that say nothing of their own."""

"""Get a file whole and verified, or say why not; unpack it safely."""

"""Faces in photos of any size: the network that the kit carries, its weights, and YuNet for those who have its file; both tasks look through this room."""

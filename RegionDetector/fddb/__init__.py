"""The whole of FDDB: reading it, the course set made from it, its official evaluation, ten folds."""

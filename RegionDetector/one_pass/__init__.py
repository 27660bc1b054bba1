"""Training the detector that the kit carries, which sees faces of all sizes in one pass (the network itself is in common/detection): labels, crops, targets, loss."""

"""Task two: say whose face it is."""

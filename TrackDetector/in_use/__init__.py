"""The recogniser in use: at a front desk, and whom it misses."""

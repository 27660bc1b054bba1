"""Where a class is graded: in threads on this machine, or on the workers of a Dask cluster; the same marks either way."""

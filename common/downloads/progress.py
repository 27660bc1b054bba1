"""The progress bar of a download."""


class Bar:
    """A bar with rate and time left, made when the first byte comes: what fails at once shows none.

    Parameters
    ----------
    name : str
    total : int or None
        Bytes, as far as known.
    show : bool
    """

    def __init__(self, name, total, show):
        self.name, self.total, self.show, self.bar = name, total, show, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.close()

    def to(self, there, total=None):
        """So many bytes are there now; fewer than before if the download began again."""
        if not self.show:
            return
        if self.bar is None:
            from tqdm.auto import tqdm

            self.bar = tqdm(desc=self.name, total=total or self.total, initial=there, unit="B", unit_scale=True)
        if total:
            self.bar.total = total
        if there < self.bar.n:  # began again: the rate must not count what was thrown away
            self.bar.reset(self.bar.total)
        self.bar.update(there - self.bar.n)

    def add(self, size):
        """So many more are there."""
        if self.bar is not None:
            self.bar.update(size)

"""The error for what an instructor got wrong in a table, a rule or a name."""


class Refused(ValueError):
    """What was asked for makes no sense; the message says what was expected. Nothing was graded."""

"""What an instructor may get wrong: a table, a rule, a name."""


class Refused(ValueError):
    """What was asked for cannot be meant; the message says what was expected. Nothing was graded."""

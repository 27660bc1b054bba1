"""`nbformat`, loaded without the grammar of addresses that jsonschema would build on the way: it takes a second, and no notebook needs it."""

from common.device import not_found

with not_found(("rfc3987_syntax",)):
    import nbformat

__all__ = ["nbformat"]

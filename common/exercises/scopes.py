"""Python's own table of the names in a piece of code, the same in every version of Python."""

import ast
import symtable


class _Apart(ast.NodeTransformer):
    """Turns comprehensions into generator expressions: from Python 3.12 on the variables of the others are listed in the table of the code around them."""

    def _apart(self, node):
        self.generic_visit(node)
        return ast.copy_location(ast.GeneratorExp(node.elt, node.generators), node)

    visit_ListComp = visit_SetComp = _apart

    def visit_DictComp(self, node):
        self.generic_visit(node)
        return ast.copy_location(ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators), node)


def table_of(text):
    """The table of symbols of a piece of code, in which the variables of a comprehension are its own.

    Parameters
    ----------
    text : str

    Returns
    -------
    symtable.SymbolTable

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        If Python cannot read it.

    Examples
    --------
    >>> sorted(table_of("y = {k: v for k in range(3)}").get_identifiers())
    ['range', 'y']
    """
    if " for " in text:
        text = ast.unparse(ast.fix_missing_locations(_Apart().visit(ast.parse(text))))
    return symtable.symtable(text, "<cell>", "exec")

"""What all pages of a class have in common."""

from common.grading.names import markup

_STYLE = """:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:66rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
th[scope=row]{font-weight:normal}td.n,th.n{text-align:right;white-space:nowrap}.right{color:#1a6b2f}.wrong{color:#a3241b}.open{color:#666}a{color:#0b57a4}
td,th[scope=row]{overflow-wrap:anywhere;min-width:6.5rem}td.n{min-width:0}
th[scope=row]{min-width:12rem}td:last-child{min-width:15rem}@media(max-width:45rem){th[scope=row]{min-width:7rem}}
dl{margin:.3rem 0}dt{float:left;clear:left;width:5.5rem;color:#666}dd{margin-left:5.5rem}code,pre{font-size:.92em}
.bar{display:inline-block;height:.7em;background:#1a6b2f;vertical-align:baseline}.bar+.bar{background:#c98a84}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}a{color:#8ab8f0}.right{color:#7fcf95}.wrong{color:#f0928a}
.open,dt{color:#aaa}.bar{background:#7fcf95}.bar+.bar{background:#8a4a44}}"""


def page(title, body):
    """A whole page; `body` is markup already."""
    return (f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
            f"<title>{markup(title)}</title><style>{_STYLE}</style></head><body><main><h1>{markup(title)}</h1>{body}</main></body></html>")


def table(header, rows, numbers=(), named=0):
    """A table; cells are markup already, `numbers` the columns that are set to the right, `named` the one that says what a row is about.

    Screen readers say the words of `header`, and the cell of that column, before the others: none is empty.
    """
    kind = ["n" if k in numbers else "" for k in range(len(header))]
    attribute = [f" class='{k}'" if k else "" for k in kind]
    head = "".join(f"<th scope='col'{a}>{h}</th>" for a, h in zip(attribute, header))
    ends = [("th scope='row'", "th") if k == named else ("td", "td") for k in range(len(header))]
    body = "".join("<tr>" + "".join(f"<{first}{a}>{c}</{last}>" for a, c, (first, last) in zip(attribute, row, ends)) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"

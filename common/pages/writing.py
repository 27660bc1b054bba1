"""Executed notebooks as HTML pages that need nothing but a browser: no kernel, no script, no other host.

A page has no kernel, and live widgets in it would have to be fetched from a network: an explorer becomes its
picture with its words, a question its choices with the answer folded away, a progress bar goes.
"""

import base64
import copy
import io
import os
import re
from html import escape
from pathlib import Path

WIDGET = "application/vnd.jupyter.widget-view+json"
LIGHT, DARK = "xcode", "monokai"  # styles of Pygments of which every colour has a contrast of 4.5 or more on our papers
QUALITY = 80  # of WebP, 0 to 100
WIDE = 320  # pixels; a wider picture may scroll on a phone, and must be reached with Tab then
NO_WORDS = "A picture without a description."
HERE = Path(__file__).resolve().parent


def still(notebook):
    """A copy without live widgets: what stands in for each, in the order of preference of this kit.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        As it was run; it is not changed.

    Returns
    -------
    nbformat.NotebookNode
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            cell.outputs = _in_one_piece([kept for kept in map(_without_widget, cell.outputs) if kept is not None])
    return notebook


def _in_one_piece(outputs):
    """What a cell printed bit by bit, as one text each time."""
    joined = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _without_widget(output):
    if output.output_type not in ("display_data", "execute_result"):
        return output
    data, words = output.data, None
    if WIDGET in data:
        if "image/png" in data:
            words = output.metadata["image/png"]["alt"]
            data.pop("text/html", None)
        elif "text/html" not in data:
            return None
    data.pop(WIDGET, None)
    data.pop("application/javascript", None)
    page = "".join(data.get("text/html", ""))
    if "<script" in page or "<pre style=" in page:  # rich's tables: colours that cannot be read on every paper
        data.pop("text/html")
    if not data:
        return None
    output.output_type = "display_data"
    output.pop("execution_count", None)
    if words:
        output.metadata["caption"] = words
    return output


def drawn(output, kind):
    """A picture of an output as WebP in a figure, with its words.

    Parameters
    ----------
    output : nbformat.NotebookNode
    kind : str
        The MIME type that is drawn.
    """
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(output.data[kind])))
    if image.mode not in ("RGB", "L"):
        whole = image.convert("RGBA")
        image = Image.new("RGB", whole.size, "white")
        image.paste(whole, mask=whole.getchannel("A"))
    out = io.BytesIO()
    image.save(out, "webp", quality=QUALITY, method=4)
    data = base64.b64encode(out.getvalue()).decode()
    words = escape(output.metadata.get(kind, {}).get("alt") or NO_WORDS, quote=True)
    reach = ' tabindex="0" role="group" aria-label="A picture that may be wider than the page; scroll it sideways"' if image.width > WIDE else ""
    caption = f"<figcaption>{escape(output.metadata['caption'])}</figcaption>" if output.metadata.get("caption") else ""
    return (f'<figure><div class="picture"{reach}><img alt="{words}" width="{image.width}" height="{image.height}" style="--natural: {image.width}px" '
            f'src="data:image/webp;base64,{data}"></div>{caption}</figure>')


def printed(text):
    """What a cell printed; tables drawn with lines keep them and scroll."""
    from nbconvert.filters.ansi import strip_ansi

    text = _overwritten(strip_ansi(text)).rstrip("\n")
    if not text:
        return ""
    if re.search("[┃│━─]", text):
        return f'<pre class="printed table" tabindex="0" role="group" aria-label="A printed table">{escape(text)}</pre>'
    return f'<pre class="printed">{escape(text)}</pre>'


def _overwritten(text):
    """The last state of every line: what came before a carriage return was printed over."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _markdown(text):
    """HTML of a Markdown cell, without what nbconvert does for pages of its own (anchor signs, mail links out of figures such as AP@0.5)."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    page = MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=False)).render(text)
    page = re.sub(r'<a class="anchor-link"[^>]*>.*?</a>', "", page)
    page = re.sub(r'<a href="mailto:[^"]*">(.*?)</a>', r"\1", page)
    return page.replace("<table>", '<div class="tabled" tabindex="0" role="group" aria-label="A table"><table>').replace("</table>", "</table></div>")


def _links(page, home, out):
    """Links to other notebooks lead to their pages, where there are any, else to the files, seen from where the page lies."""
    def lead(match):
        target, anchor = match.group(1), match.group(2) or ""
        if re.match(r"[a-z]+:|/", target):
            return match.group(0)
        twin = out.with_name(Path(target).with_suffix(".html").name)
        place = twin if target.endswith(".ipynb") and twin.is_file() else home / target
        return f'href="{escape(Path(os.path.relpath(place, out.parent)).as_posix())}{anchor}"'

    return re.sub(r'href="([^"#]+)(#[^"]*)?"', lead, page)


def _headings(notebook):
    """The title, and the sections with the anchors that lead to them."""
    title, sections = "", []
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for hashes, text in re.findall(r"(?m)^(#{1,2}) (.+?)\s*$", re.sub(r"(?s)```.*?```", "", cell.source)):
            if len(hashes) == 1:
                title = title or text
            else:
                sections.append((text.replace(" ", "-"), text))
    return title, sections


def _style():
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=name).get_style_defs(".code") for name in (LIGHT, DARK))
    without_paper = [re.sub(r"\.code\s*\{[^}]*\}|background(-color)?:[^;}]*;?", "", rules) for rules in (light, dark)]
    return f"{(HERE / 'kit' / 'page.css').read_text(encoding='utf-8')}\n{without_paper[0]}\n@media (prefers-color-scheme: dark) {{\n{without_paper[1]}\n}}"


def write_page(notebook, out, home=None):
    """Write an executed notebook as one HTML file with its pictures inside.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        As it was run.
    out : path
        The file; what its name says before the dot names the notebook, too.
    home : path, optional
        The folder of the notebook, for its links; by default that of the page.
    """
    from nbconvert import HTMLExporter

    out = Path(out).absolute()
    home = Path(home).absolute() if home else out.parent
    shown = still(notebook)
    title, sections = _headings(shown)
    exporter = HTMLExporter(template_name="kit", extra_template_basedirs=[str(HERE)], filters={"page_markdown": _markdown, "printed": printed, "drawn": drawn})
    facts = {"title": title or out.stem, "sections": sections, "style": _style(), "language": "en",
             "made": f"The notebook {out.stem}.ipynb as it was run. Questions and explorers move in Jupyter; here they stand still."}
    exporter.environment.globals["page"] = facts
    page, _ = exporter.from_notebook_node(shown)
    out.write_text(_links(page, home, out), encoding="utf-8")

"""Sliders above a picture that follows them; where there are no widgets, the picture alone.

An `Explorer` puts controls above the picture of a sheet (`common.pictures.sheet`). Where there is no live kernel, in an
HTML page or a notebook that was run headless, or no package ipywidgets, the picture of its first state stands in.
"""

import base64
import gc
import io
import math
from html import escape
from types import SimpleNamespace

try:
    import ipywidgets as widgets
except ImportError:
    widgets = None

# Runs in the page, beside the widgets. ipywidgets gives the handles of its sliders no names, pictures no words, and cannot
# say that the kernel is busy: while it is, nothing comes from there. Whatever it finds is of this explorer alone.
IN_THE_PAGE = """
(() => {
    const set = (node, name, value) => { if (node && node.getAttribute(name) !== value) node.setAttribute(name, value); };
    const begin = tries => {
        const root = element.closest(".kit-explorer");
        if (!root) { if (tries) setTimeout(() => begin(tries - 1), 100); return; }
        let timer = null;
        const waiting = text => { const line = root.querySelector(".kit-waiting"); if (line && line.textContent !== text) line.textContent = text; };
        const name = () => {
            for (const slider of root.querySelectorAll(".widget-slider")) {
                const label = slider.querySelector(".widget-label"), readout = slider.querySelector(".widget-readout");
                const text = label ? label.textContent.trim() : "slider";
                for (const handle of slider.querySelectorAll("[role=slider]")) {
                    set(handle, "aria-label", text);
                    if (readout) set(handle, "aria-valuetext", readout.textContent.trim());
                }
                set(readout, "role", "textbox");
                set(readout, "aria-label", text + ", as a number");
            }
            const words = root.querySelector(".kit-words");
            for (const picture of root.querySelectorAll("img.widget-image")) set(picture, "alt", words ? words.textContent.trim() : "the picture of this explorer");
        };
        new MutationObserver(changes => {
            name();
            for (const change of changes) {
                const node = change.target.nodeType == 1 ? change.target : change.target.parentElement;
                if (!node) continue;
                if (node.closest(".widget-readout") && !timer) timer = setTimeout(() => waiting("Waiting for the kernel, which is busy ..."), 700);
                if (node.closest(".kit-said")) { clearTimeout(timer); timer = null; waiting(""); }
            }
        }).observe(root, {subtree: true, childList: true, characterData: true});
        name();
    };
    begin(100);
})();
"""


def packed(pixels, kind):
    """A picture (H, W, 3) as the bytes of a file: "png", or "webp" without loss, which takes half the time."""
    from PIL import Image

    quick = {"lossless": True, "quality": 0, "method": 0} if kind == "webp" else {}
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **quick)
    return out.getvalue()


class _Pictured:
    """A sheet in the state that some controls say, shown as a picture with its words."""

    def _values(self):
        return self.state(**{name: control.value for name, control in self.controls.items()})

    def still(self):
        """What stands in for the explorer where nothing moves: data and metadata of an output."""
        shown = {"image/png": base64.b64encode(packed(self.sheet.pixels(), "png")).decode(), "text/plain": self.label}
        return shown, {"image/png": {"alt": self.label}}


class Still(_Pictured):
    """An explorer without widgets: the picture of its first state. See `Explorer`."""

    def __init__(self, sheet, state, controls, extra=()):
        self.sheet, self.state, self.controls = sheet, state, dict(controls)
        self.label = self.sheet.at(*self._values()).get_label()
        print("No sliders here, as the package ipywidgets is not installed: the picture stands still.")

    def _repr_mimebundle_(self, **kwargs):
        return self.still()


if widgets is None:
    Explorer = Still
else:

    class Explorer(widgets.VBox, _Pictured):
        """Controls, and below them the picture of a sheet in the state that they say.

        Parameters
        ----------
        sheet : common.pictures.sheet.Sheet
        state : callable
            Takes the controls' values by name; returns what `sheet.at` takes.
        controls : dict of str to ipywidgets.Widget
            By the name of the parameter. Widgets with a `value`; arrow keys move sliders, Tab goes to the next.
        extra : sequence of ipywidgets.Widget
            Shown above the controls.

        Attributes
        ----------
        image : ipywidgets.Image
            The picture, as WebP without loss.
        words : ipywidgets.HTML
            What it shows, for those who do not see it; read out when it changes.
        """

        def __init__(self, sheet, state, controls, extra=()):
            self.sheet, self.state, self.controls, self._turn = sheet, state, dict(controls), 0
            width = f"{sheet.figure.get_figwidth() * sheet.figure.dpi:.0f}px"  # no wider than it is: a picture blown up is blurred
            self.image = widgets.Image(format="webp", layout=widgets.Layout(width=width, max_width="100%", height="auto", margin="2px 0", align_self="flex-start"))
            self.words = widgets.HTML()
            self.words.add_class("kit-said")
            waiting = widgets.HTML('<p class="kit-waiting" aria-live="polite" style="line-height: 1.4; margin: 0; font-weight: bold"></p>')
            page = widgets.Output(outputs=[{"output_type": "display_data", "data": {"application/javascript": IN_THE_PAGE}, "metadata": {}}],
                                  layout=widgets.Layout(display="none"))
            for control in self.controls.values():
                control.observe(self._redraw, "value")
            row = widgets.HBox(list(self.controls.values()), layout=widgets.Layout(flex_flow="row wrap", align_items="center", max_width="920px"))
            super().__init__([*extra, row, waiting, self.image, self.words, page])
            self.add_class("kit-explorer")
            self._redraw()

        def _redraw(self, change=None):
            collects = gc.isenabled()
            gc.disable()  # tidying up may take as long as three pictures; it can wait until this one is on its way
            try:
                self.label = self.sheet.at(*self._values()).get_label()
                self.image.value = packed(self.sheet.pixels(), "webp")
            finally:
                if collects:
                    gc.enable()
            self._turn += 1  # an answer is seen in the page, also where the words are the same as before
            self.words.value = f'<p role="status" class="kit-words" data-turn="{self._turn}" style="line-height: 1.4">{escape(self.label)}</p>'

        def _repr_mimebundle_(self, **kwargs):
            data = super()._repr_mimebundle_(**kwargs)
            shown, words = self.still()
            return {**data, **shown}, words


def fitting_step(low, high, most=400):
    """A step of 1, 2 or 5 times a power of ten that takes at most so many steps from one end to the other.

    Examples
    --------
    >>> fitting_step(-50, 20), fitting_step(0, 1)
    (0.2, 0.005)
    """
    least = max(high - low, 1e-9) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
    return round(step, 12)


def slider(name, low, high, value, step=1, text=None):
    """A slider that reports while it is dragged; whole numbers unless `step` has a fraction.

    Parameters
    ----------
    name : str
        Stands beside it, and is what a screen reader calls it.
    low, high, value : float
    step : float
    text : str, optional
        More about it, shown when the pointer rests on the name.
    """
    whole = float(step).is_integer()
    if widgets is None:
        return SimpleNamespace(value=value, min=low, max=high, step=step, description=name)
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    more = {} if whole else {"readout_format": f".{max(0, -math.floor(math.log10(step) + 1e-9))}f"}
    return kind(
        value=value, min=low, max=high, step=step, description=name, description_tooltip=text, continuous_update=True,
        style={"description_width": "initial"}, layout=widgets.Layout(width="46%", min_width="290px", max_width="98%"), **more,
    )

"""What a picture shows, in words: for those who do not see it. A figure carries them as its label; a notebook's output as its ``alt``."""


def described(figure, words):
    """Say what a figure shows.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    words : str
        One or two sentences: what is drawn, and what is to be seen in it.

    Returns
    -------
    matplotlib.figure.Figure
        The same one; its label holds the words.
    """
    figure.set_label(" ".join(str(words).split()))
    carry_words()
    return figure


def in_words(figure):
    """The words that a figure was given; else what can be read off it: titles, axes, names of the curves.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    str
    """
    if figure.get_label():
        return str(figure.get_label())
    said = [figure.get_suptitle()]
    photos = 0
    for ax in figure.axes:
        names = [text for text in (ax.get_legend_handles_labels()[1]) if not text.startswith("_")]
        sides = [f"{text} {way}" for text, way in ((ax.get_xlabel(), "to the right"), (ax.get_ylabel(), "upwards")) if text]
        said += [ax.get_title() or ax.get_title("left"), " and ".join(sides), ", ".join(names)]
        photos += len(ax.images)
    said = list(dict.fromkeys(" ".join(text.split()) for text in said if text))
    kind = f"{photos} picture{'s' if photos != 1 else ''}" if photos else "A chart"
    return f"{kind}: {'; '.join(said)}." if said else f"{kind}, without a title."


def carry_words():
    """From now on this notebook's outputs carry the words of their figures as ``alt``; outside a notebook nothing happens.

    Whatever sets up the display of figures anew, such as ``%matplotlib inline``, forgets it: `described` calls it each time.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    formatters = getattr(getattr(shell, "display_formatter", None), "formatters", {})
    if "image/png" not in formatters:
        return
    from matplotlib.figure import Figure

    try:
        draw = formatters["image/png"].lookup_by_type(Figure)
    except KeyError:  # figures are not shown as pictures here
        return
    if getattr(draw, "carries_words", False):
        return

    def draw_with_words(figure):
        answer = draw(figure)
        if answer is None:
            return None
        data, more = answer if isinstance(answer, tuple) else (answer, {})
        return data, {**more, "alt": in_words(figure)}

    draw_with_words.carries_words = True
    formatters["image/png"].for_type(Figure, draw_with_words)

"""How somebody is called, and in which form labels come: the same name is the same person."""

from unicodedata import normalize

import numpy as np
import pandas as pd
import pytest

keras = pytest.importorskip("keras")

from colour_people import GALLERY, classifier, colours  # noqa: F401  (the fixture)

from common.identification import accuracy

NAMES = {"r1": "Rosé", "r2": "Rosé", "g1": "Förn", "g2": "Förn"}


@pytest.mark.parametrize("written", [str.encode, lambda name: np.bytes_(name.encode()), lambda name: f" {name}\n", lambda name: normalize("NFD", name)],
                         ids=["bytes", "of a table", "spaces", "accents apart"])
def test_a_name_that_is_written_another_way_is_no_other_person(colours, written):
    """Every second label is written so: people of HDF5 and MATLAB files were called "b'Ann'", and each was two people."""
    labels = {photo: written(name) if i % 2 else name for i, (photo, name) in enumerate(NAMES.items())}
    c = classifier(colours).fit(GALLERY, labels)
    assert c.classes_.tolist() == ["Förn", "Rosé"]
    answers = c.classify_images(GALLERY)
    assert answers == NAMES and accuracy(answers, labels) == 1


@pytest.mark.parametrize("label", [b"", b"  ", np.bytes_(b""), pd.NA, pd.NaT])
def test_labels_that_name_nobody(colours, label):
    with pytest.raises(ValueError, match="for 'r2'"):
        classifier(colours).fit(GALLERY, {**NAMES, "r2": label})

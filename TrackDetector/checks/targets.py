"""Pictures of what TrackDetector's references do, on the built-in faces."""

from common.pictures.words import described


def crops(preprocess_imgs):
    """Photos above, what is cut out of them below."""
    from matplotlib.figure import Figure

    from TrackDetector.checks.faces import PEOPLE, photo

    photos = [photo(PEOPLE[k], 0, center=center, angle=angle) for k, (center, angle) in enumerate((((140, 110), 0), ((170, 250), 17), ((150, 180), -16), ((180, 120), 8)))]
    cut = preprocess_imgs(photos)[0]
    figure = Figure(figsize=(8, 4), layout="constrained")
    for ax, image in zip(figure.subplots(2, len(photos)).flat, [*photos, *cut]):
        ax.imshow(image)
        ax.set_axis_off()
    figure.suptitle("Photos above; below, what the reference makes of them", fontsize=10)
    return described(figure, f"{len(photos)} photos above; below, what the reference makes of them: the face upright, in the middle.")

"""The reference's FCNN stands in for a student's; where the classifier is the student's own, it is made of that one."""

import functools

from common.exercises.exercise import Unsolved

PATCH = (32, 32, 3)


def fcnn_of_own_classifier(own, reference):
    """What stands in for `generate_fcnn_model`.

    Parameters
    ----------
    own : dict of str to callable
        The functions that the student has written.
    reference : callable
        Has the layers of the reference's classifier, to which another classifier's weights cannot be copied.

    Returns
    -------
    callable
        ``generate_fcnn_model(image_shape)``.
    """
    @functools.wraps(reference)
    def generate_fcnn_model(image_shape):
        if "generate_model" not in own:
            return reference(image_shape)
        from RegionDetector.networks.conversion import to_fcnn
        from RegionDetector.networks.layer_copies import CannotConvert

        try:
            classifier = own["generate_model"](PATCH)
            if not classifier.built:  # its own layers may not say what they take
                classifier.build((None, *PATCH))
            return to_fcnn(classifier, tuple(image_shape))
        except CannotConvert as error:
            raise Unsolved(f"generate_fcnn_model is not written yet, and nothing can stand in for it, as your classifier has layers of its own ({error}). "
                           "Write it in the cell that begins with `def generate_fcnn_model`, and go on from there.") from None

    generate_fcnn_model.exercise_name = "generate_fcnn_model"
    return generate_fcnn_model

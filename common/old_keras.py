"""What to write today instead of calls that old Keras had and Keras 3 lacks."""

import re

# (kind of exception or "", what its text matches, advice)
_RULES = [
    ("", r"fit_generator", "model.fit_generator is gone: write model.fit(generator, ...) today, which takes generators and arrays alike"),
    ("", r"predict_generator", "model.predict_generator is gone: write model.predict(generator) today"),
    ("", r"evaluate_generator", "model.evaluate_generator is gone: write model.evaluate(generator) today"),
    ("", r"predict_classes|predict_proba", "model.predict_classes is gone: write model.predict(x).argmax(axis=-1) today"),
    ("", r"'lr'|\blr\b.*(not recognized|unexpected|deprecated)|recognized.*\blr\b",
     "The learning rate is called learning_rate today: Adam(learning_rate=0.001)"),
    ("", r"'decay'", "Optimizers have no decay today: write keras.optimizers.schedules.ExponentialDecay(...) as learning_rate"),
    ("", r"ImageDataGenerator|keras\.preprocessing\.image|keras\.src\.legacy\.preprocessing",
     "ImageDataGenerator is gone: use augmentation layers today, keras.Sequential([layers.RandomFlip('horizontal'), "
     "layers.RandomTranslation(0.06, 0.06)]), or RegionDetector.model.augmentation()"),
    ("KeyError", r"^'?(val_)?acc'?$", "The history calls it 'accuracy' and 'val_accuracy' today: history.history['val_accuracy']"),
    ("", r"'acc'|'val_acc'", "The history calls it 'accuracy' and 'val_accuracy' today: history.history['val_accuracy']"),
    ("", r"np_utils", "keras.utils.np_utils is gone: write keras.utils.to_categorical today"),
    ("", r"keras\.(layers\.(core|convolutional|normalization|pooling|merge|advanced_activations)|engine|objectives)\b",
     "Layers lie directly in keras.layers today: from keras.layers import Conv2D, Dense, Flatten, BatchNormalization"),
    ("", r"get_session|keras\.backend.*(tf|set_session|image_dim_ordering)|'set_session'|set_image_dim_ordering",
     "Keras 3 has no sessions: delete the line; numbers come out with keras.ops.convert_to_numpy(x)"),
    ("", r"'(nb_epoch|border_mode|nb_filter|nb_row|subsample|samples_per_epoch|W_regularizer|init)'",
     "Names of Keras 1: write epochs, padding, filters, kernel_size, strides, steps_per_epoch, kernel_regularizer, kernel_initializer today"),
    ("", r"(workers|use_multiprocessing|max_queue_size)'?", "model.fit takes no workers today: give them to keras.utils.PyDataset, or leave them out"),
    ("", r"period'", "ModelCheckpoint has no period today: write save_freq, or leave it out"),
    ("", r"save_weights_only.*weights\.h5|filepath.*must end in", "Files of weights end in .weights.h5 today, whole models in .keras"),
    ("", r"sklearn\.externals|scipy\.misc", "That module is gone: for pictures use skimage.io.imread and skimage.transform.resize"),
    ("", r"np\.(float|int|bool|object)\b|no attribute '(float|int|bool)'", "numpy has no np.float, np.int, np.bool today: write float, int, bool"),
]


def advice(kind, text):
    """What to write today, if an exception is about a call that old Keras had.

    Parameters
    ----------
    kind : str
        Name of the exception's class.
    text : str
        Its message.

    Returns
    -------
    str
        Empty if this is about something else.

    Examples
    --------
    >>> advice("KeyError", "'val_acc'")
    "The history calls it 'accuracy' and 'val_accuracy' today: history.history['val_accuracy']"
    >>> advice("ValueError", "math domain error")
    ''
    """
    return next((say for only, pattern, say in _RULES if only in ("", kind) and re.search(pattern, text)), "")

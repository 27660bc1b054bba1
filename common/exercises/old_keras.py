"""What to write today instead of calls that old Keras, and the packages of its time, had and today's lack."""

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
    ("", r"'(nb_epoch|border_mode|nb_filter|nb_row|subsample|samples_per_epoch|W_regularizer|init|output_dim|dim_ordering)'",
     "Names of Keras 1: write epochs, padding, filters, kernel_size, strides, steps_per_epoch, kernel_regularizer, kernel_initializer, units, "
     "data_format today"),
    ("", r"passed to Model: .*'(input|output)'", "The network's ends are called inputs and outputs today: Model(inputs=x, outputs=y)"),
    ("", r"module 'keras\.backend'|keras\.backend\.tensorflow_backend", "Keras 3 has no backend functions of this kind: numpy's names lie in keras.ops, "
     "and keras.Model(model.input, layer.output) gives what K.function gave"),
    ("AttributeError", r"'output_shape'|get_output_at", "Ask the layer's output today: layer.output.shape"),
    ("", r"from 'keras\.optimizers'", "Optimizers are written with capitals today: Adam, SGD, RMSprop"),
    ("", r"keras\.utils\.vis_utils", "plot_model lies in keras.utils today"),
    ("AttributeError", r"module 'tensorflow' has no attribute '(Session|InteractiveSession|placeholder|get_default_graph|set_random_seed|global_variables_initializer|"
     r"contrib|ConfigProto|reset_default_graph)'", "TensorFlow 2 has no sessions and graphs of this kind: delete the line; keras.utils.set_random_seed(0) sows the numbers"),
    ("", r"(workers|use_multiprocessing|max_queue_size)'?", "model.fit takes no workers today: give them to keras.utils.PyDataset, or leave them out"),
    ("", r"period'", "ModelCheckpoint has no period today: write save_freq, or leave it out"),
    ("", r"save_weights_only.*weights\.h5|filepath.*must end in", "Files of weights end in .weights.h5 today, whole models in .keras"),
    ("", r"scipy\.misc|'misc' from 'scipy'", "scipy.misc is gone: for pictures use skimage.io.imread and skimage.transform.resize"),
    ("", r"sklearn\.externals", "sklearn.externals is gone: import joblib"),
    ("", r"sklearn\.(cross_validation|grid_search)", "That lies in sklearn.model_selection today"),
    ("", r"(np|numpy)\.(float|int|bool|object)\b|no attribute '(float|int|bool)'", "numpy has no np.float, np.int, np.bool today: write float, int, bool"),
    ("", r"'newshape'", "np.reshape calls it shape today: np.reshape(x, (1, 32, 32, 3))"),
    ("AttributeError", r"module 'numpy' has no attribute '(product|cumproduct|trapz|in1d|alltrue|sometrue|asscalar)'",
     "numpy calls it np.prod, np.cumprod, np.trapezoid, np.isin, np.all, np.any, x.item() today"),
    ("", r"peak_local_max\(\).*'indices'", "peak_local_max has no indices today and always returns rows and columns, (N, 2)"),
    ("", r"'multichannel'", "scikit-image calls it channel_axis today: channel_axis=-1"),
    ("", r"CascadeClassifier|haarcascades", "OpenCV 5 has no Haar cascades: TrackDetector.faces.find_face(image) finds a face and its landmarks, "
     "dlib.get_frontal_face_detector() finds faces"),
    ("", r"No such layer: fc", "Here the descriptor comes from get_layer_output(crops, model=nn_model); layer_names() says which layers there are"),
    ("ModuleNotFoundError", r"named 'pandas'", "pandas is not among the kit's packages: csv.DictReader(file) reads a table, TrackDetector.get_data.read_labels a table of labels"),
    ("ModuleNotFoundError", r"No module named", "Grading has the kit's packages only, and no file of yours but the notebook: put functions of your own in a cell"),
    ("", r"Unable to open .*\.dat|No such file.*\.(dat|xml|hdf5|h5|keras|npy|npz)|Unable to (synchronously )?open file|File not found: filepath=",
     "Grading has no file of yours but the notebook: the kit finds faces and landmarks with TrackDetector.faces.find_face(image)"),
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

"""Lines of old notebooks, what today's packages say to them, and what to write instead: the table that `common.exercises.old_keras` looks into."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Old:
    """A call of old.

    Attributes
    ----------
    kind : str
        Name of the exception's class; empty: any.
    pattern : str
        Regular expression that the exception's text matches.
    advice : str
        One sentence.
    old, new : str
        A line of an old notebook, and the same today.
    """

    kind: str
    pattern: str
    advice: str
    old: str
    new: str


_FIND_FACE = "TrackDetector.faces.find_face(image) finds a face and its landmarks"
KERAS = (
    Old(
        "",
        r"fit_generator",
        "model.fit_generator is gone: write model.fit(generator, ...) today, which takes generators and arrays alike",
        "model.fit_generator(datagen.flow(X, Y), epochs=5)",
        "model.fit(X, Y, epochs=5)",
    ),
    Old(
        "",
        r"predict_generator",
        "model.predict_generator is gone: write model.predict(generator) today",
        "model.predict_generator(generator)",
        "model.predict(generator)",
    ),
    Old(
        "",
        r"evaluate_generator",
        "model.evaluate_generator is gone: write model.evaluate(generator) today",
        "model.evaluate_generator(generator)",
        "model.evaluate(generator)",
    ),
    Old(
        "",
        r"predict_classes|predict_proba",
        "model.predict_proba and predict_classes are gone: write model.predict(x) today, and model.predict(x).argmax(axis=-1) for classes",
        "model.predict_classes(x)",
        "model.predict(x).argmax(axis=-1)",
    ),
    Old(
        "",
        r"'lr'|\blr\b.*(not recognized|unexpected|deprecated)|recognized.*\blr\b",
        "The learning rate is called learning_rate today: Adam(learning_rate=0.001)",
        "keras.optimizers.Adam(lr=0.001)",
        "keras.optimizers.Adam(learning_rate=0.001)",
    ),
    Old("", r"AveragePooling\dD.*'pool_size'", "AveragePooling2D has no size of its own today, as MaxPooling2D has: write AveragePooling2D(2)",
        "keras.layers.AveragePooling2D()", "keras.layers.AveragePooling2D(2)"),
    Old("", r"'decay'", "Optimizers have no decay today: write keras.optimizers.schedules.ExponentialDecay(...) as learning_rate", "", ""),
    Old(
        "",
        r"standardize",
        "datagen.standardize is gone with ImageDataGenerator: let the network begin with layers.Rescaling(1 / 127.5, offset=-1), and hand it the pixels "
        "as they are",
        "datagen.standardize(images)",
        "layers.Rescaling(1 / 127.5, offset=-1)",
    ),
    Old(
        "",
        r"ImageDataGenerator|keras\.preprocessing\.image|keras\.src\.legacy\.preprocessing|'datagen'",
        "ImageDataGenerator is gone: use augmentation layers today, keras.Sequential([layers.RandomFlip('horizontal'), "
        "layers.RandomTranslation(0.06, 0.06)]), or RegionDetector.model.augmentation(), and layers.Rescaling(1 / 127.5, "
        "offset=-1) as the network's first layer",
        "from keras.preprocessing.image import ImageDataGenerator",
        "augment = keras.Sequential([layers.RandomFlip('horizontal'), layers.RandomTranslation(0.06, 0.06)])",
    ),
    Old(
        "KeyError",
        r"^'?(val_)?acc'?$",
        "The history calls it 'accuracy' and 'val_accuracy' today: history.history['val_accuracy']",
        "history.history['val_acc']",
        "history.history['val_accuracy']",
    ),
    Old("", r"'acc'|'val_acc'", "The history calls it 'accuracy' and 'val_accuracy' today: history.history['val_accuracy']", "", ""),
    Old(
        "",
        r"np_utils",
        "keras.utils.np_utils is gone: write keras.utils.to_categorical today",
        "from keras.utils import np_utils",
        "from keras.utils import to_categorical",
    ),
    Old(
        "",
        r"keras\.utils\.vis_utils",
        "plot_model lies in keras.utils today",
        "from keras.utils.vis_utils import plot_model",
        "from keras.utils import plot_model",
    ),
    Old(
        "",
        r"keras\.(layers\.(core|convolutional|normalization|pooling|merge|advanced_activations)|engine|objectives)\b|'(Merge|"
        r"merge)'.*keras\.layers|keras\.layers.*'merge'",
        "Layers lie directly in keras.layers today: from keras.layers import Conv2D, Dense, Flatten, BatchNormalization",
        "from keras.layers.convolutional import Conv2D, MaxPooling2D",
        "from keras.layers import Conv2D, MaxPooling2D",
    ),
    Old(
        "",
        r"keras\.wrappers|keras\.utils.*generic_utils",
        "That part of Keras is gone; scikit-learn's own models, and keras.utils, do what it did",
        "import keras.wrappers.scikit_learn",
        "import sklearn",
    ),
    Old(
        "",
        r"get_session|keras\.backend.*(tf|set_session|image_dim_ordering|learning_phase)|'set_session'|set_image_dim_ordering",
        "Keras 3 has no sessions: delete the line; numbers come out with keras.ops.convert_to_numpy(x)",
        "K.set_session(session)",
        "(delete the line)",
    ),
    Old(
        "",
        r"'(nb_epoch|border_mode|nb_filter|nb_row|subsample|samples_per_epoch|W_regularizer|init|output_dim|dim_ordering)'|"
        r"missing 1 required positional argument: '(units|rate)'",
        "Names of Keras 1: write epochs, padding, filters, kernel_size, strides, steps_per_epoch, kernel_regularizer, kernel_initializer, units, rate, "
        "data_format today",
        "layers.Conv2D(8, 3, border_mode='same')",
        "layers.Conv2D(8, 3, padding='same')",
    ),
    Old(
        "",
        r"passed to (Model|Functional): .*'(input|output)'",
        "The network's ends are called inputs and outputs today: Model(inputs=x, outputs=y)",
        "keras.Model(input=model.input, output=model.output)",
        "keras.Model(inputs=model.input, outputs=model.output)",
    ),
    Old(
        "",
        r"keras\.backend.*'function'|K\.function",
        "K.function is gone: keras.Model(model.input, model.get_layer(name).output).predict(x) gives a layer's answer today, and so does "
        "TrackDetector.descriptors.get_layer_output(crops, name, model)",
        "K.function([model.input], [model.layers[0].output])",
        "get_layer_output(crops, name, model=nn_model)",
    ),
    Old(
        "",
        r"module 'keras\.backend'|keras\.backend\.tensorflow_backend",
        "Keras 3 has no backend functions of this kind: numpy's names lie in keras.ops",
        "K.mean(x)",
        "keras.ops.mean(x)",
    ),
    Old(
        "AttributeError",
        r"'output_shape'|'input_shape'|get_output_at|get_input_at",
        "Ask the layer's output today: layer.output.shape",
        "model.layers[0].output_shape",
        "model.layers[0].output.shape",
    ),
    Old(
        "",
        r"from 'keras\.optimizers'",
        "Optimizers are written with capitals today: Adam, SGD, RMSprop",
        "from keras.optimizers import adam",
        "from keras.optimizers import Adam",
    ),
    Old(
        "",
        r"fit\(\).*'(workers|use_multiprocessing|max_queue_size)'",
        "model.fit takes no workers today: give them to keras.utils.PyDataset, or leave them out",
        "model.fit(x, x, workers=4)",
        "model.fit(x, x)",
    ),
    Old(
        "",
        r"'period'",
        "ModelCheckpoint has no period today: write save_freq, or leave it out",
        "keras.callbacks.ModelCheckpoint('best.keras', period=2)",
        "keras.callbacks.ModelCheckpoint('best.keras')",
    ),
    Old(
        "",
        r"save_weights_only.*weights\.h5|file(path|name)( provided)? must end in|Invalid filepath extension",
        "Files of weights end in .weights.h5 today, whole models in .keras",
        "keras.callbacks.ModelCheckpoint('{epoch:02d}-{val_loss:.2f}.hdf5', save_best_only=True)",
        "keras.callbacks.ModelCheckpoint('best.weights.h5', save_weights_only=True, save_best_only=True)",
    ),
    Old(
        "",
        r"No such layer: fc|no layer 'fc|No such layer: \w*(flatten|pool|conv)",
        "The network here is not VGG-Face and has no layer of this name: "
        "get_layer_output(crops, model=nn_model) gives the descriptor, and layer_names() says which layers there are",
        "model.get_layer('fc7').output",
        "get_layer_output(crops, model=nn_model)",
    ),
    Old(
        "ValueError",
        r"cannot reshape array of size \d+ into shape \(.*4096|into shape \(4096,?\)|\(4096,?\) *$",
        "VGG-Face's fc7 gives 4096 numbers for a face, the network here 128: write descriptors.reshape(len(descriptors), -1)",
        "np.zeros((2, 128)).reshape(2, 4096)",
        "descriptors.reshape(len(descriptors), -1)",
    ),
)
TENSORFLOW = (
    Old(
        "",
        r"only (available when eager execution is enabled|supports Python-style iteration in eager mode)|Cannot convert a symbolic tf\.Tensor",
        "A line has switched TensorFlow back to its first version: delete disable_eager_execution() or disable_v2_behavior(), and restart the notebook",
        "",
        "",
    ),
    Old(
        "",
        r"'(GraphDef|gfile|import_graph_def)'|\.(pb|pbtxt|ckpt|meta)\b",
        "A frozen graph of TensorFlow 1 cannot be read here, and grading has no file of yours but the "
        "notebook: the network is handed to Classifier as nn_model, and get_layer_output(crops, model=nn_model) asks it",
        "tf.GraphDef()",
        "get_layer_output(crops, model=nn_model)",
    ),
    Old(
        "AttributeError",
        r"module 'tensorflow' has no attribute '(Session|InteractiveSession|placeholder|get_default_graph|set_random_seed|global_variables_initializer|"
        r"contrib|ConfigProto|reset_default_graph|logging|GPUOptions|Variable_scope|variable_scope|get_variable)'",
        "TensorFlow 2 has no sessions and graphs of this kind: delete the line; keras.utils.set_random_seed(0) sows the numbers",
        "tf.Session()",
        "keras.utils.set_random_seed(0)",
    ),
    Old(
        "AttributeError",
        r"resize_images|resize_bilinear",
        "TensorFlow calls it tf.image.resize today",
        "tf.image.resize_images(x, (224, 224))",
        "tf.image.resize(x, (224, 224))",
    ),
)
ARRAYS = (
    Old(
        "",
        r"scipy\.misc|'scipy\.ndimage' has no attribute 'im(read|resize)'|'misc' from 'scipy'|'imread' from 'scipy|'imresize' from",
        "scipy.misc is gone: for pictures use skimage.io.imread and skimage.transform.resize",
        "from scipy.misc import imread, imresize",
        "from skimage.io import imread",
    ),
    Old(
        "",
        r"'(interp|trapz|simps)' from 'scipy",
        "numpy has np.interp and np.trapezoid, scipy.integrate has simpson",
        "from scipy import interp",
        "np.interp(x, xs, ys)",
    ),
    Old("", r"sklearn\.externals", "sklearn.externals is gone: import joblib", "from sklearn.externals import joblib", "import joblib"),
    Old(
        "",
        r"sklearn\.(cross_validation|grid_search|learning_curve)",
        "That lies in sklearn.model_selection today",
        "from sklearn.cross_validation import train_test_split",
        "from sklearn.model_selection import train_test_split",
    ),
    Old(
        "",
        r"sklearn\.neighbors\.(ball_tree|kd_tree|unsupervised|classification)",
        "That lies directly in sklearn.neighbors today",
        "from sklearn.neighbors.ball_tree import BallTree",
        "from sklearn.neighbors import BallTree",
    ),
    Old(
        "",
        r"'Imputer' from",
        "It is called SimpleImputer and lies in sklearn.impute today",
        "from sklearn.preprocessing import Imputer",
        "from sklearn.impute import SimpleImputer",
    ),
    Old(
        "",
        r"(np|numpy)\.(float|int|bool|object)\b|no attribute '(float|int|bool)'",
        "numpy has no np.float, np.int, np.object today: write float, int, object, bool",
        "np.float(1)",
        "float(1)",
    ),
    Old(
        "AttributeError",
        r"np\.(float_|NaN|Inf|NAN|PINF|infty|unicode_|string_)\b",
        "numpy calls it np.float64, np.nan, np.inf, np.str_ today",
        "np.NaN",
        "np.nan",
    ),
    Old("", r"'newshape'", "np.reshape calls it shape today: np.reshape(x, (1, 32, 32, 3))", "np.reshape(x, newshape=(4, 1))", "np.reshape(x, (4, 1))"),
    Old(
        "AttributeError",
        r"module 'numpy' has no attribute '(product|cumproduct|trapz|in1d|alltrue|sometrue|asscalar|row_stack|warnings)'",
        "numpy calls it np.prod, np.cumprod, np.trapezoid, np.isin, np.all, np.any, x.item(), np.vstack today",
        "np.trapz([1, 2])",
        "np.trapezoid([1, 2])",
    ),
    Old(
        "ValueError",
        r"inhomogeneous shape",
        "np.array takes rows of different lengths no longer, nor None among arrays: make all of one shape, or keep a list, or write np.array(rows, dtype=object)",
        "np.array([[1], [1, 2]])",
        "np.array([[1], [1, 2]], dtype=object)",
    ),
    Old(
        "",
        r"peak_local_max\(\).*'indices'",
        "peak_local_max has no indices today and always returns rows and columns, (N, 2)",
        "skimage.feature.peak_local_max(x, indices=False)",
        "skimage.feature.peak_local_max(x)",
    ),
    Old(
        "",
        r"'multichannel'",
        "scikit-image calls it channel_axis today: channel_axis=-1",
        "skimage.transform.rescale(x, 0.5, multichannel=True)",
        "skimage.transform.rescale(x, 0.5, channel_axis=-1)",
    ),
    Old(
        "",
        r"skimage\.(viewer|external|novice)|'viewer' from 'skimage'|from 'skimage\.measure'|'gaussian_filter' from 'skimage",
        "scikit-image keeps pictures in skimage.io, filters in skimage.filters (gaussian), comparisons in skimage.metrics today",
        "from skimage.filters import gaussian_filter",
        "from skimage.filters import gaussian",
    ),
    Old(
        "",
        r"CascadeClassifier|haarcascade|module 'cv2' has no attribute '(data|cv)'",
        f"OpenCV 5 has no Haar cascades: {_FIND_FACE}, dlib.get_frontal_face_detector() finds faces",
        "cv2.CascadeClassifier('haarcascade_frontalface_default.xml')",
        "find_face(image)",
    ),
    Old(
        "AttributeError",
        r"'DataFrame' object has no attribute '(append|ix|as_matrix|get_value|iteritems)'|"
        r"'Series' object has no attribute '(append|as_matrix|iteritems)'|no attribute 'from_csv'",
        "pandas calls it pd.concat, table.loc or table.iloc, table.to_numpy(), table.at[row, column], table.items(), pd.read_csv today",
        "pd.DataFrame({'a': [1]}).as_matrix()",
        "pd.DataFrame({'a': [1]}).to_numpy()",
    ),
    Old(
        "",
        r"not a valid package style",
        "matplotlib calls the style seaborn-v0_8 today, or write seaborn.set_theme()",
        "plt.style.use('seaborn')",
        "seaborn.set_theme()",
    ),
)
FILES = (
    Old(
        "",
        r"\.(pkl|pickle|p|joblib|sav)\b",
        "A pickle is not read in grading, as it may run anything, and no file of yours but the notebook is there: make what it held in the function, or in fit",
        "pickle.load(open('descriptors.pkl', 'rb'))",
        "descriptors = get_layer_output(crops, model=nn_model)",
    ),
    Old(
        "",
        r"(Unable to open|No such file|Can't open|doesn't exist).*(landmarks|predictor|detector|cascade)|Unable to open .*\.dat|"
        r"No such file.*\.(dat|xml|caffemodel|prototxt|onnx)",
        f"Grading has no file of yours but the notebook: {_FIND_FACE}",
        "dlib.shape_predictor('my_landmarks.dat')",
        "find_face(image).landmarks",
    ),
    Old(
        "",
        r"Unable to (synchronously )?open file|File not found: filepath=|No such file.*\.(hdf5|h5|keras|npy|npz)|\.(hdf5|h5|keras|npy|npz)'?$",
        "Grading has no file of yours but the notebook: the network is handed to Classifier as nn_model, arrays are made in a cell",
        "keras.models.load_model('my_model.h5')",
        "Classifier(nn_model)",
    ),
)
# Packages that notebooks of such a course import, and what there is instead
PACKAGES = (
    ("face_recognition", f"{_FIND_FACE}, get_layer_output(crops) describes it"), ("mtcnn|facenet_pytorch|retinaface|insightface|deepface", _FIND_FACE),
    ("keras_vggface|keras_facenet|facenet", "the network is handed to Classifier as nn_model, get_layer_output(crops, model=nn_model) asks it"),
    ("keras_preprocessing|keras_applications|keras_contrib|keras_tqdm|livelossplot", "keras itself, matplotlib and tqdm do that today"),
    ("imutils", "cv2.resize and cv2.warpAffine, or TrackDetector.alignment.align(image, landmarks)"),
    ("imgaug|albumentations|Augmentor", "keras' augmentation layers, RegionDetector.model.augmentation()"),
    ("skvideo|moviepy|pims", "TrackDetector.photos.read_video(path), or cv2.VideoCapture"),
    ("torch|torchvision|fastai|mxnet|caffe|theano|tflearn|tensorflow_addons|tensorflow_hub|tf_slim|tensorlayer", "keras"),
    ("plotly|bokeh|altair|ggplot|holoviews", "matplotlib and seaborn"),
    ("google", "delete the lines about Colab: load_dataset and the folder's name find the data"),
    ("wget|gdown|pydrive|kaggle", "nothing has to be downloaded in grading: the function gets the data's folder"),
    ("natsort", "TrackDetector.photos.in_numeric_order(paths), or sorted(names, key=lambda n: int(n.split('.')[0]))"),
    ("numba|cython|pyximport", "numpy"), ("xgboost|lightgbm|catboost|mlxtend|statsmodels|hnswlib|annoy|nmslib|pyflann", "scikit-learn and faiss"),
    ("pydot|graphviz|pydotplus|keras_visualizer|tensorboard|tensorboardX|tensorboardcolab",
     "model.summary(), RegionDetector.pictures.drawings.plot_conversion"),
    ("cPickle|dill|cloudpickle", "pickle"), ("nltk|gensim|spacy", "nothing of it is needed for faces"),
)  # fmt: skip

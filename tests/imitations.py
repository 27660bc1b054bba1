"""Notebooks in the ways in which students of the published course wrote them, and what each exercise deserves. Made up, all of them.

``python tests/imitations.py FOLDER`` writes them; `DESERVED` says, for each, which exercises are right and what is said of others.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from coursework import code_notebook, hand_in

PYLAB = "%pylab inline\nimport warnings\nwarnings.filterwarnings('ignore')"
COURSE = """
from get_data import load_dataset, unpack
train_images, train_bboxes, train_shapes = load_dataset("data", "train")
val_images, val_bboxes, val_shapes = load_dataset("data", "val")
from graph import visualize_bboxes
visualize_bboxes(images=train_images, true_bboxes=train_bboxes)
SAMPLE_SHAPE = (32, 32, 3)
from scores import iou_score
def is_negative_bbox(new_bbox, true_bboxes, eps=1e-1):
    for bbox in true_bboxes:
        if iou_score(new_bbox, bbox) >= eps:
            return False
    return True
"""
NEGATIVE = """
import random
def gen_negative_bbox(image_shape, bbox_size, true_bboxes):
    h, w = image_shape[0], image_shape[1]
    while True:
        y = np.random.randint(0, h - bbox_size[0] + 1)
        x = np.random.randint(0, w - bbox_size[1] + 1)
        box = [y, x, y + bbox_size[0], x + bbox_size[1]]
        if is_negative_bbox(box, true_bboxes):
            return box
"""
PATCHES = """
from skimage.transform import resize
def get_positive_negative(images, true_bboxes, image_shapes, negative_bbox_count=None):
    positive, negative = [], []
    image_count = image_shapes.shape[0]
    if negative_bbox_count is None:
        negative_bbox_count = len(true_bboxes)
    for (idx, y1, x1, y2, x2) in true_bboxes:
        cy, cx = int((y1 + y2) / 2), int((x1 + x2) / 2)
        img = np.zeros((176 + 64, 176 + 64, 3), dtype=images.dtype)
        img[32:-32, 32:-32] = images[int(idx)]
        positive.append(img[cy + 16:cy + 48, cx + 16:cx + 48])
    while len(negative) < negative_bbox_count:
        i = np.random.randint(image_count)
        boxes = [b[1:] for b in true_bboxes if b[0] == i]
        box = gen_negative_bbox(image_shapes[i], (32, 32), boxes)
        if box is None:
            continue
        negative.append(images[i][box[0]:box[2], box[1]:box[3]])
    return positive, negative
"""
KERAS = """
from keras import backend as K
from keras.models import Model, Sequential
from keras.layers import Flatten, Dense, Activation, Input, Dropout, Conv2D, MaxPooling2D, BatchNormalization
from keras.optimizers import Adam
from keras.callbacks import ModelCheckpoint, EarlyStopping, ReduceLROnPlateau
"""
LENET = """
def generate_model(sample_shape):
    x = inputs = Input(shape=sample_shape)
    x = Conv2D(6, (5, 5), activation='relu')(x)
    x = MaxPooling2D((2, 2))(x)
    x = Conv2D(16, (5, 5), activation='relu')(x)
    x = MaxPooling2D((2, 2))(x)
    x = Flatten()(x)
    x = Dense(120, activation='relu')(x)
    x = Dense(84, activation='relu')(x)
    predictions = Dense(2, activation='softmax')(x)
    return Model(inputs=inputs, outputs=predictions)
"""
LENET_FCNN = """
def generate_fcnn_model(image_shape):
    x = inputs = Input(image_shape)
    x = Conv2D(6, (5, 5), activation='relu')(x)
    x = MaxPooling2D((2, 2))(x)
    x = Conv2D(16, (5, 5), activation='relu')(x)
    x = MaxPooling2D((2, 2))(x)
    x = Conv2D(120, (5, 5), activation='relu')(x)
    x = Conv2D(84, (1, 1), activation='relu')(x)
    predictions = Conv2D(2, (1, 1), activation='softmax')(x)
    return Model(inputs=inputs, outputs=predictions)
"""
COPY = """
def copy_weights(base_model, fcnn_model):
    new_fcnn_weights = []
    prev_fcnn_weights = fcnn_model.get_weights()
    prev_base_weights = base_model.get_weights()
    for i in range(len(prev_fcnn_weights)):
        new_fcnn_weights.append(prev_base_weights[i].reshape(prev_fcnn_weights[i].shape))
    fcnn_model.set_weights(new_fcnn_weights)
"""
COPY_BY_NUMBERS = """
def copy_weights(base_model, fcnn_model):
    w = base_model.get_weights()
    w[4] = w[4].reshape(5, 5, 16, 120)
    w[6] = w[6].reshape(1, 1, 120, 84)
    w[8] = w[8].reshape(1, 1, 84, 2)
    fcnn_model.set_weights(w)
"""
BOXES = """
from skimage.feature import peak_local_max
def get_bboxes_and_decision_function(fcnn_model, images, image_shapes):
    pred_bboxes, decision_function = [], []
    predictions = fcnn_model.predict(np.array(images))
    for i in range(len(images)):
        heat = predictions[i, :, :, 1]
        for (r, c) in peak_local_max(heat, min_distance=1, exclude_border=False):
            y, x = r * 4, c * 4
            if y + 32 > image_shapes[i][0] + 8 or x + 32 > image_shapes[i][1] + 8:
                continue
            pred_bboxes.append([i, y, x, y + 32, x + 32])
            decision_function.append(heat[r, c])
    return pred_bboxes, decision_function
"""
CURVE = """
from scores import best_match
def precision_recall_curve(pred_bboxes, true_bboxes, decision_function):
    precision, recall, thresholds = [], [], []
    for t in sorted(set(decision_function)):
        keep = [k for k, d in enumerate(decision_function) if d >= t]
        boxes = [pred_bboxes[k] for k in keep]
        conf = [decision_function[k] for k in keep]
        matched, false_neg, false_pos = best_match(boxes, true_bboxes, conf)
        tp = len(matched)
        precision.append(tp / len(boxes)); recall.append(tp / len(true_bboxes)); thresholds.append(t)
    return precision, recall, thresholds
"""
THRESHOLD = """
def get_threshold(thresholds, recall):
    best = thresholds[0]
    for t, r in zip(thresholds, recall):
        if r >= 0.85 and t > best:
            best = t
    return best
"""
DETECT = """
def detect(fcnn_model, images, image_shapes, threshold, return_decision=True):
    pred_bboxes, decision_function = get_bboxes_and_decision_function(fcnn_model, images, image_shapes)
    result, result_decision = [], []
    for b, d in zip(pred_bboxes, decision_function):
        if d >= threshold:
            result.append(b)
            result_decision.append(d)
    if return_decision:
        return result, result_decision
    else:
        return result
"""
TEN_LINES = """
def detect(fcnn_model, images, image_shapes, threshold, return_decision=True):
    boxes, decision = get_bboxes_and_decision_function(fcnn_model, images, image_shapes)
    boxes, decision = np.array(boxes), np.array(decision)
    keep = decision >= threshold
    return (boxes[keep], decision[keep]) if return_decision else boxes[keep]
"""
REGION = [PYLAB, COURSE, NEGATIVE, PATCHES, KERAS, LENET, LENET_FCNN, COPY, BOXES, CURVE, THRESHOLD, DETECT]
R = ("gen_negative_bbox", "get_positive_negative", "generate_model", "generate_fcnn_model", "copy_weights", "get_bboxes_and_decision_function", "precision_recall_curve",
     "get_threshold", "detect")


def but(cells, **instead):
    """The cells, some of them replaced (by None: left out)."""
    names = {name: text for name, text in globals().items() if isinstance(text, str)}
    return [instead.get(next((n for n in instead if names[n] == cell), ""), cell) for cell in cells if not any(names[n] == cell and text is None for n, text in instead.items())]


OLD_KERAS = """
from keras.layers.convolutional import Conv2D, MaxPooling2D
from keras.layers.core import Dense, Flatten
from keras.layers import Input
from keras.models import Model
from keras.preprocessing.image import ImageDataGenerator
datagen = ImageDataGenerator(horizontal_flip=True, featurewise_center=True)
datagen.fit(X_train)
"""
OLD_BOXES = BOXES.replace("fcnn_model.predict(np.array(images))", "fcnn_model.predict(datagen.standardize(np.array(images, dtype='float32')))")
OLD_PEAKS = BOXES.replace("for (r, c) in peak_local_max(heat, min_distance=1, exclude_border=False):",
                          "mask = peak_local_max(heat, min_distance=1, indices=False)\n        for (r, c) in zip(*np.where(mask)):")

TABLES = """
import os
import pandas as pd
from skimage.io import imread
from tqdm import tqdm_notebook
def load_image_data(dir_name='Face_Recognition_data/image_classification'):
    out = []
    for part in ['train', 'test']:
        df = pd.read_csv(os.path.join(dir_name, part, 'y_%s.csv' % part))
        images, labels = {}, {}
        for i in tqdm_notebook(range(len(df))):
            name = df['filename'][i]
            images[name] = imread(os.path.join(dir_name, part, 'images', name))
            labels[name] = df['class_id'][i]
        out += [images, labels]
    return out[0], out[1], out[2], out[3]

def load_video_data(dir_name='Face_Recognition_data/video_classification'):
    df = pd.read_csv(dir_name + '/train/y_train.csv')
    train_images = {n: imread(dir_name + '/train/images/' + n) for n in df.filename}
    train_labels = dict(zip(df.filename.values, df.class_id.values))
    test = pd.read_csv(dir_name + '/test/y_test.csv', index_col=0)
    videos, labels = {}, {}
    for v in os.listdir(dir_name + '/test/videos'):
        path = os.path.join(dir_name, 'test', 'videos', v)
        frames = sorted(os.listdir(path), key=lambda f: int(f.split('.')[0]))
        videos[v] = [imread(os.path.join(path, f)) for f in frames]
        labels[v] = test.loc[int(v)].values[0]
    return train_images, train_labels, videos, labels
"""
DLIB_FACES = """
import dlib
import cv2
detector = dlib.get_frontal_face_detector()
predictor = dlib.shape_predictor('shape_predictor_68_face_landmarks.dat')
def preprocess_imgs(imgs):
    out = {}
    for key in imgs:
        img = imgs[key]
        rects = detector(img, 1)
        if len(rects) == 0:
            out[key] = cv2.resize(img, (224, 224))
            continue
        shape = predictor(img, rects[0])
        pts = np.array([[p.x, p.y] for p in shape.parts()], dtype=np.float32)
        left, right = pts[36:42].mean(axis=0), pts[42:48].mean(axis=0)
        dx, dy = right - left
        scale = 0.35 * 224 / np.hypot(dx, dy)
        center = (left + right) / 2
        M = cv2.getRotationMatrix2D((float(center[0]), float(center[1])), float(np.degrees(np.arctan2(dy, dx))), float(scale))
        M[:, 2] += np.array([112, 90]) - center
        out[key] = cv2.warpAffine(img, M, (224, 224))
    return out
"""
VGG = """
from keras.models import load_model, Model
model = load_model('face_recognition_model.h5')
def get_layer_output(images, layer='fc7'):
    assert len(images.shape) == 4, 'Wrong input dimentionality!'
    assert images.shape[1:] == (224, 224, 3), 'Wrong input shape!'
    net = Model(inputs=model.input, outputs=model.get_layer(layer).output)
    return net.predict(images.astype('float32')).reshape(-1, 4096)

from sklearn.neighbors import KNeighborsClassifier
class Classifier():
    def __init__(self, nn_model):
        self.model = nn_model
        self.clf = KNeighborsClassifier(n_neighbors=1)
    def fit(self, train_imgs, train_labels):
        X = np.array([train_imgs[k] for k in train_imgs])
        y = [train_labels[k] for k in train_imgs]
        self.clf.fit(get_layer_output(X), y)
    def classify_images(self, test_imgs):
        keys = list(test_imgs)
        pred = self.clf.predict(get_layer_output(np.array([test_imgs[k] for k in keys])))
        return dict(zip(keys, pred))
    def classify_videos(self, test_video):
        res = {}
        for v in test_video:
            f = get_layer_output(np.array(test_video[v])).mean(axis=0)
            res[v] = self.clf.predict([f])[0]
        return res
"""
VGG_PHOTOS = VGG.replace("train_imgs, train_labels):\n", "train_imgs, train_labels):\n        train_imgs = preprocess_imgs(train_imgs)\n").replace(
    "test_imgs):\n", "test_imgs):\n        test_imgs = preprocess_imgs(test_imgs)\n").replace(
    "f = get_layer_output(np.array(test_video[v])).mean(axis=0)",
    "fr = {i: im for i, im in enumerate(test_video[v]) if len(detector(im, 1))} or dict(enumerate(test_video[v]))\n"
    "            f = get_layer_output(np.array(list(preprocess_imgs(fr).values()))).mean(axis=0)")
K_FUNCTION = VGG_PHOTOS.replace("net = Model(inputs=model.input, outputs=model.get_layer(layer).output)", "from keras import backend as K\n    f = K.function([model.layers[0].input], [model.get_layer(layer).output])").replace(
    "net.predict(images.astype('float32'))", "f([images])[0]")
GRAPH = """
import tensorflow as tf
with tf.gfile.FastGFile('face_net.pb', 'rb') as f:
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(f.read())
class Classifier(object):
    def __init__(self, nn_model=None):
        self.sess = tf.Session()
    def fit(self, imgs, labels):
        pass
    def classify_images(self, imgs):
        return {}
    def classify_videos(self, videos):
        return {}
"""
PICKLED = """
import pickle
class Classifier:
    def __init__(self, nn_model):
        self.knn = pickle.load(open('knn.pkl', 'rb'))
    def fit(self, imgs, labels):
        return self
    def classify_images(self, imgs):
        return {k: self.knn.predict([v.ravel()])[0] for k, v in imgs.items()}
    classify_videos = classify_images
"""
HAAR = """
face_cascade = cv2.CascadeClassifier(cv2.data.haarcascades + 'haarcascade_frontalface_default.xml')
def preprocess_imgs(imgs):
    res = []
    for img in (imgs.values() if isinstance(imgs, dict) else imgs):
        gray = cv2.cvtColor(img, cv2.COLOR_RGB2GRAY)
        faces = face_cascade.detectMultiScale(gray, 1.1, 5)
        if len(faces):
            x, y, w, h = faces[0]
            img = img[max(y, 0):y + h, max(x, 0):x + w]
        res.append(cv2.resize(img, (224, 224)))
    return np.array(res)
"""
TRACK = [PYLAB, TABLES, DLIB_FACES, VGG_PHOTOS]
T = ("load_image_data", "load_video_data", "preprocess_imgs", "Classifier")

# name: task, cells, exercises that are right, {exercise: what is said of it}
DESERVED = {
    "lenet": ("RegionDetector", REGION, R, {}),
    "boxes_raise": ("RegionDetector", but(REGION, BOXES="def get_bboxes_and_decision_function(fcnn_model, images, image_shapes):\n    return images.shape.nothing", DETECT=TEN_LINES),
                    tuple(n for n in R if not n.startswith("get_bboxes")), {"get_bboxes_and_decision_function": "no attribute 'nothing'"}),
    "no_classifier": ("RegionDetector", but(REGION, LENET="def generate_model(sample_shape):\n    return Sequential([Input(sample_shape), Flatten(), Dense(1, activation='sigmoid')])"),
                      tuple(n for n in R if n != "generate_model"), {"generate_model": "expected (5, 2)"}),
    "copies_by_numbers": ("RegionDetector", but(REGION, COPY=COPY_BY_NUMBERS, LENET_FCNN=None), tuple(n for n in R if n != "generate_fcnn_model"), {}),
    "old_keras": ("RegionDetector", but(REGION, KERAS=OLD_KERAS, BOXES=OLD_BOXES),
                  tuple(n for n in R if n not in ("generate_model", "generate_fcnn_model", "get_bboxes_and_decision_function")),
                  {"generate_model": "directly in keras.layers", "generate_fcnn_model": "directly in keras.layers", "get_bboxes_and_decision_function": "ImageDataGenerator is gone"}),
    "old_peaks": ("RegionDetector", but(REGION, BOXES=OLD_PEAKS), tuple(n for n in R if n != "get_bboxes_and_decision_function"),
                  {"get_bboxes_and_decision_function": "peak_local_max has no indices"}),
    "vgg_of_photos": ("TrackDetector", TRACK, T, {"Classifier": "lent it face_recognition_model.h5", "preprocess_imgs": "lent it shape_predictor_68"}),
    "fc7_of_the_one_handed_in": ("TrackDetector", but(TRACK, VGG_PHOTOS=VGG_PHOTOS.replace("model = load_model('face_recognition_model.h5')\ndef get_layer_output(images, layer='fc7'):",
                                 "def get_layer_output(images, model, layer='fc7'):").replace("get_layer_output(np", "get_layer_output(model=self.model, images=np").replace(
                                 "get_layer_output(X)", "get_layer_output(X, self.model)")), T, {"Classifier": "VGG-Face's layers fc6 and fc7, which this kit's has not"}),
    "vgg_of_crops": ("TrackDetector", but(TRACK, VGG_PHOTOS=VGG), T, {"Classifier": "handed crops"}),
    "faces_raise": ("TrackDetector", but(TRACK, DLIB_FACES="import dlib\ndetector = dlib.get_frontal_face_detector()\ndef preprocess_imgs(imgs):\n    raise ValueError('no idea')"),
                    ("load_image_data", "load_video_data", "Classifier"), {"preprocess_imgs": "no idea"}),
    "k_function": ("TrackDetector", but(TRACK, VGG_PHOTOS=K_FUNCTION), T[:3], {"Classifier": "K.function is gone"}),
    "graph": ("TrackDetector", but(TRACK, VGG_PHOTOS=GRAPH), T[:3], {"Classifier": "TensorFlow"}),
    "pickled": ("TrackDetector", but(TRACK, VGG_PHOTOS=PICKLED), T[:3], {"Classifier": "pickle"}),
    "haar": ("TrackDetector", but(TRACK, DLIB_FACES="import cv2\n" + HAAR, VGG_PHOTOS=None), T[:2], {"preprocess_imgs": "turn the face upright"}),
}


def write(folder, names=None):
    """Write the notebooks, by task."""
    for name in names or DESERVED:
        task, cells, _, _ = DESERVED[name]
        hand_in(Path(folder) / task, name, code_notebook(cells))


if __name__ == "__main__":
    write(sys.argv[1])

"""A class of thirty for each task, and the marks that each of them deserves. ``python tests/class_of_thirty.py TASK [FOLDER]``.

Right, half done, wrong in the ways in which students are, and hostile.
"""

import importlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from coursework import answer, code_notebook, hand_in, solved

REFERENCE = Path(__file__).resolve().parent.parent / "RegionDetector" / "samples.py"
EVIL = {
    "endless loop": "    while True:\n        pass",
    "memory": "    full = []\n    while True:\n        full.append(bytearray(1 << 28))",
    "fork": "    import os\n    while True:\n        os.fork()",
    "exit": "    import os\n    os._exit(0)",
    "sys exit": "    import sys\n    sys.exit(0)",
    "flood": "    for _ in range(1 << 10):\n        print('x' * (1 << 20))",
    "delete": "    import os, shutil\n    shutil.rmtree(os.path.dirname({reference!r}))\n    os.remove({reference!r})",
    "write outside": "    open({victim!r}, 'w').write('gone')",
    "read the reference": "    return eval(compile(open({reference!r}).read(), 'x', 'exec'), globals()) or {name}(*args, **more)",
    "patch the checks": ("    import numpy as np, sys\n    np.allclose = np.array_equal = lambda *a, **k: True\n    for module in list(sys.modules.values()):\n"
                         "        for name in ('judge', 'require', 'Verdict'):\n            if hasattr(module, name):\n                setattr(module, name, lambda *a, **k: True)\n"
                         "    print('right')"),
    "kill everybody": "    import os, ctypes\n    ctypes.CDLL(None).kill(-1, 9)\n    return None",
    "network": "    import socket\n    return socket.create_connection(('127.0.0.1', 80)).recv(10)",
}


def evil(name, kind, victim):
    """A function that does harm instead."""
    return f"def {name}(*args, **more):\n" + EVIL[kind].format(reference=str(REFERENCE), name=name, victim=str(victim)) + "\n"


def changed(task, name, *pairs):
    """The reference with a mistake in it."""
    text = answer(task.by_name[name])
    for old, new in pairs:
        assert old in text, (name, old)
        text = text.replace(old, new)
    return text


def _region(task, victim):
    wrong = {  # what, exercise, mistake, marks lost
        "swapped": ("gen_negative_bbox", [("row, col = rng", "col, row = rng")], 0.5),
        "margin": ("get_positive_negative", [("gen_negative_bbox(image_shapes[index]", "gen_negative_bbox((176, 176)")], 0.5),
        "touching": ("gen_negative_bbox", [("if is_negative_bbox(bbox, true_bboxes):", "if True:")], 0.5),
        "shrinks": ("get_positive_negative", [("wanted = len(positive) if", "wanted = 2 * len(positive) // 3 if"), ("else negative_bbox_count", "else negative_bbox_count - 1")], 0.5),
        "last_photo": ("get_positive_negative", [("rng.integers(len(images))", "rng.integers(len(images) - 1)")], 0.5),
        "labels_reversed": ("get_positive_negative", [("return positive, cut(images, negative)", "return cut(images, negative), positive")], 0.5),
        "one_output": ("generate_model", [("Dense(2, activation=\"softmax\"", "Dense(1, activation=\"sigmoid\"")], 4),
        "same_padding": ("generate_fcnn_model", [("Conv2D(128, 8, ", "Conv2D(128, 8, padding=\"same\", ")], 1),
        "last_layer": ("copy_weights", [("fcnn_model.set_weights([", "fcnn_model.set_weights(([")
                                        , ("zip(old, new)])", "zip(old, new)])[:-2] + new[-2:])")], 1),
        "wrong_order": ("copy_weights", [("weight.reshape(like.shape)", "weight.reshape(like.shape[::-1]).T")], 1),
        "half_window": ("get_bboxes_and_decision_function", [("* stride + WINDOW / 2", "* stride")], 1),
        "curve_swapped": ("precision_recall_curve", [("return _curve(hit, confidence, len(true))",
                                                      "p, r, t = _curve(hit, confidence, len(true))\n    return r, p, t")], 1),
        "curve_order": ("precision_recall_curve", [("return _curve(hit, confidence, len(true))",
                                                    "p, r, t = _curve(hit, confidence, len(true))\n    return p, r, t[::-1]")], 1),
        "other_side": ("get_threshold", [("threshold_at_recall(thresholds, recall, 0.85)", "thresholds[recall < 0.85].min()")], 0.5),
        "strictly": ("detect", [("decision >= threshold", "decision > threshold")], 0.5),
        "old_keras": ("copy_weights", [("    old, new", "    fcnn_model.fit_generator(None)\n    old, new")], 1),
        "syntax": ("get_threshold", [("    return", "    return return")], 0.5),
    }
    duplicates = ("import numpy as np\nfrom common.scores import best_match\n@exercise\ndef precision_recall_curve(pred, true, decision):\n"
                  "    pred, decision = np.asarray(pred), np.asarray(decision)\n"
                  "    hit = np.array([len(best_match(pred[[k]], true, decision[[k]])[0]) for k in range(len(pred))])\n    order = np.argsort(-decision)\n"
                  "    hits = np.cumsum(hit[order])\n    return (hits / np.arange(1, len(pred) + 1))[::-1], (hits / len(true))[::-1], decision[order][::-1]\n")
    # the solutions of the optional exercises bring the right peaks along, which would take the place of wrong ones above them
    peaks = {"hard_negative": None, "multiscale_detector": None}
    members = {name: (solved(task, {exercise: changed(task, exercise, *pairs), **(peaks if exercise.startswith("get_bboxes") else {})}), 10 - lost)
               for name, (exercise, pairs, lost) in wrong.items()}
    members["duplicates"] = solved(task, {"precision_recall_curve": duplicates}), 9
    members["half_done"] = solved(task, {e.name: None for e in task.exercises if e.name.startswith(("generate", "copy", "get_bboxes", "detect"))}), 2.5
    for kind, name, lost in (("endless loop", "get_threshold", 0.5), ("memory", "detect", 0.5), ("fork", "precision_recall_curve", 1), ("exit", "generate_fcnn_model", 1),
                             ("flood", "gen_negative_bbox", 0.5), ("read the reference", "gen_negative_bbox", 0.5), ("patch the checks", "copy_weights", 1)):
        members[f"evil_{kind.replace(' ', '_')}"] = solved(task, {name: evil(name, kind, victim)}), 10 - lost
    return members


def _track(task, victim):
    bgr = ("import csv, cv2\nfrom pathlib import Path\n@exercise\ndef load_image_data(dir_name):\n    answer = []\n    for part in ('train', 'test'):\n"
           "        with open(Path(dir_name) / part / f'y_{{part}}.csv') as f:\n            labels = {{r['filename']: r['class_id'] for r in csv.DictReader(f)}}\n"
           "        answer += [{{n: cv2.imread(str(Path(dir_name) / part / 'images' / n)){rgb} for n in labels}}, labels]\n    return tuple(answer)\n")
    knn = ("from sklearn.neighbors import KNeighborsClassifier\nfrom TrackDetector.descriptors import get_layer_output\n@exercise\nclass Classifier:\n"
           "    def __init__(self, nn_model, layer=None, n_neighbors=1):\n        self.model = nn_model\n"
           "    def look(self, imgs):\n        crops, found = preprocess_imgs(imgs)\n        return get_layer_output(crops, model=self.model), found\n"
           "    def fit(self, imgs, labels):\n        self.knn = KNeighborsClassifier(1).fit(self.look(imgs)[0], [labels[n] for n in imgs])\n"
           "    def classify_images(self, imgs):\n        return dict(zip(imgs, self.knn.predict(self.look(imgs)[0])))\n"
           "    def classify_videos(self, videos):\n        answer = {}\n        for name, frames in videos.items():\n            seen, found = self.look(frames)\n"
           "            seen = seen[found] if found.any() else seen\n            answer[name] = self.knn.predict(seen.mean(axis=0, keepdims=True))[0]\n        return answer\n")
    peek = knn.replace("return dict(zip(imgs, self.knn.predict(self.look(imgs)[0])))", "return {n: test_labels[n] for n in imgs}")
    refit = knn.replace("return dict(zip(imgs, self.knn.predict(self.look(imgs)[0])))",
                        "return {n: self.knn.fit(self.knn._fit_X, self.knn.classes_[self.knn._y]).predict(self.look([i])[0])[0] for n, i in imgs.items()}")
    voting = knn.replace("seen = seen[found] if found.any() else seen", "pass").replace("self.knn.predict(seen.mean(axis=0, keepdims=True))[0]",
                                                                                      "max(set(self.knn.predict(seen)), key=list(self.knn.predict(seen)).count)")
    position = knn.replace("[labels[n] for n in imgs]", "list(labels.values())")
    resize = "import cv2, numpy as np\n@exercise\ndef preprocess_imgs(imgs):\n    imgs = list(imgs.values()) if isinstance(imgs, dict) else imgs\n    return np.array([cv2.resize(i, (224, 224)) for i in imgs]), np.ones(len(imgs), bool)\n"
    members = {
        "own_loader": (solved(task, {"load_image_data": bgr.format(rgb="[:, :, ::-1]")}), 10),
        "own_classifier": (solved(task, {"Classifier": knn}), 10),
        "bgr": (solved(task, {"load_image_data": bgr.format(rgb="")}), 9.5),
        "string_order": (solved(task, {"load_video_data": changed(task, "load_video_data", ("in numeric", "in text")) .replace("photos_in(path)", "sorted(photos_in(path), key=str)")
                                       .replace("in_numeric_order(clips)", "clips")}) if "in numeric" in answer(task.by_name["load_video_data"]) else
                         solved(task, {"load_video_data": answer(task.by_name["load_video_data"]).replace("photos_in(path)", "sorted(photos_in(path), key=str)")}), 9.5),
        "whole_photo": (solved(task, {"preprocess_imgs": resize}), 7),
        "no_return": (solved(task, {"preprocess_imgs": "@exercise\ndef preprocess_imgs(imgs):\n    x = list(imgs)\n"}), 7),
        "peeks": (solved(task, {"Classifier": peek}), 4),
        "fits_each": (solved(task, {"Classifier": refit}), 4),
        "faceless_vote": (solved(task, {"Classifier": voting}), 4),
        "by_position": (solved(task, {"Classifier": position}), 4),
        "answers_nothing": (solved(task, {"Classifier": "@exercise\nclass Classifier:\n    def __init__(self, nn_model):\n        pass\n    def fit(self, a, b):\n        return self\n"}), 4),
        "no_classifier": (solved(task, {"Classifier": None}), 4),
        "no_loader": (solved(task, {"load_image_data": None, "load_video_data": None}), 9),
        "only_loaders": (solved(task, {"preprocess_imgs": None, "Classifier": None}), 1),
        "only_faces": (solved(task, {"load_image_data": None, "load_video_data": None, "Classifier": None}), 3),
        "old_keras": (solved(task, {"preprocess_imgs": "from keras.preprocessing.image import ImageDataGenerator\n@exercise\ndef preprocess_imgs(imgs):\n    return ImageDataGenerator()(imgs)\n"}), 7),
        "syntax": (solved(task, {"Classifier": "@exercise\nclass Classifier:\n    def fit(self:\n        pass\n"}), 4),
        "half_written": (solved(task, {"preprocess_imgs": "@exercise\ndef preprocess_imgs(imgs):\n    x = 1\n    raise NotImplementedError\n", "Classifier": None}), 1),
    }
    for kind, name, lost in (("endless loop", "load_image_data", 0.5), ("memory", "load_video_data", 0.5), ("fork", "load_image_data", 0.5), ("exit", "load_video_data", 0.5),
                             ("flood", "load_image_data", 0.5), ("delete", "load_image_data", 0.5), ("write outside", "load_video_data", 0.5),
                             ("read the reference", "load_image_data", 0.5), ("patch the checks", "load_video_data", 0.5)):
        members[f"evil_{kind.replace(' ', '_')}"] = solved(task, {name: evil(name, kind, victim)}), 10 - lost
    return members


def members(task, victim):
    """Name to (notebook, marks deserved)."""
    book = solved(task)
    code = ["".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code"]
    answers = [c for c in code if "@exercise" in c]
    class_ = {
        "right": (book, 10),
        "moved": (code_notebook([*reversed(answers), "x = (", "%pylab inline\n!pip install anything\nraise SystemExit", "1 / 0", "import nothing_of_the_kind"]), 10),
        "empty": (code_notebook([]), 0),
        **(_region if task.name == "RegionDetector" else _track)(task, victim),
    }
    if task.name == "RegionDetector":
        class_["evil_whole"] = code_notebook([*answers, "class Evil:\n    import os\n    os._exit(0)\n"]), 0
    class_["no_notebook"] = "{" * 100_000, 0
    return class_


def write_class(task, folder, victim, weights=None, chosen=None):
    """Write the submissions; name to marks deserved."""
    deserved = {}
    for name, (notebook, marks) in members(task, victim).items():
        if chosen is None or name in chosen:
            hand_in(folder, name, notebook)
            if weights is not None:
                shutil.copyfile(weights, Path(folder) / f"{name}.weights.h5")
            deserved[name] = marks
    return deserved


def train_weights(path, epochs=4):
    """Weights of the reference's classifier, fitted to the built-in scenes for a minute."""
    import keras

    from RegionDetector import model
    from RegionDetector.get_data import load_dataset
    from RegionDetector.samples import get_samples

    keras.utils.set_random_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        X, Y = get_samples(*load_dataset(scratch, "train", "demo", progress=False), rng=0)
        X_val, Y_val = get_samples(*load_dataset(scratch, "val", "demo", progress=False), rng=1)
    network = model.generate_model()
    history = model.fit(network, None, X, Y, X_val, Y_val, epochs=epochs, verbose=False)
    network.load_weights(model.get_checkpoint(history))
    network.save_weights(path)
    return path


def main(task_name, folder=None):
    """Grade the class; say how long it took and who got other marks than deserved."""
    from common.grading.whole_class import grade_class

    task = importlib.import_module(f"{task_name}.exercises").TASK
    with tempfile.TemporaryDirectory() as scratch:
        folder, victim = Path(folder or scratch), Path(scratch) / "victim.txt"
        victim.write_text("untouched")
        before = REFERENCE.read_text()
        weights = train_weights(Path(scratch) / "classifier.weights.h5") if task_name == "RegionDetector" else None
        deserved = write_class(task, Path(folder) / "submissions", victim, weights)
        start = time.perf_counter()
        results = grade_class(task_name, Path(folder) / "submissions", Path(folder) / "grades", jobs=2)
        seconds = time.perf_counter() - start
        wrong = [r for r in results if r["total"] != deserved[r["student"]]]
        for r in wrong:
            print(r["student"], "got", r["total"], "deserves", deserved[r["student"]])
            for row in r["rows"]:
                if row["of"] != row["marks"]:
                    print("    ", row["name"], row["marks"], row["message"][:300])
        assert victim.read_text() == "untouched" and REFERENCE.read_text() == before
        print(f"{task_name}: {len(results)} submissions in {seconds:.0f} s, {len(wrong)} with other marks than deserved")
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

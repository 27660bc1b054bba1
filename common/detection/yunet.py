"""YuNet, the field's small detector of today, for people who have its file: the same answers as from the kit's own network.

The file, ``face_detection_yunet_2023mar.onnx`` or a newer one, is in OpenCV's model zoo (MIT licence); the kit does not carry it.

References
----------
W. Wu, H. Peng and S. Yu, "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 20, 2023.
"""

import threading
from pathlib import Path

import cv2
import numpy as np

from common.decoding.quiet import opencv_silent
from common.detection.found import Found, nothing

RISE = 0.0864  # the middle of a head lies so much of a face's height above the middle of the face
LARGER = (1.25, 1.10)  # a head is so many times as high and as wide as a face; both fitted on FDDB's ellipses, see docs
SUPPRESSION = 0.45  # IoU from which YuNet's own boxes are one


def heads_around(faces):
    """Upright ellipses around heads whose faces are known: (N, 4) to (N, 5); see `found.Found`."""
    rows, cols, half_height, half_width = np.asarray(faces, float).reshape(-1, 4).T
    return np.column_stack([rows - 2 * RISE * half_height, cols, LARGER[0] * half_height, LARGER[1] * half_width, np.zeros(len(rows))])


def looking(file):
    """A function that looks at one image with YuNet, for `search.search`.

    Parameters
    ----------
    file : path
        YuNet's ``.onnx``.

    Returns
    -------
    callable
        ``look(image, least)`` gives `common.detection.found.Found` of one RGB image (H, W, 3).

    Raises
    ------
    OSError
        If the file is missing or is no YuNet.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file; YuNet's weights (face_detection_yunet_2023mar.onnx or newer) are in OpenCV's model zoo")
    try:
        with opencv_silent():  # what it says of targets and of damaged files is for who programs it
            # by its bytes: by a name OpenCV opens none on Windows that has letters of another language
            network = cv2.FaceDetectorYN.create("onnx", np.fromfile(file, np.uint8), np.empty(0, np.uint8), (320, 320), 0.5, SUPPRESSION, 5000)
            network.detect(np.zeros((320, 320, 3), np.uint8))
    except cv2.error as error:
        raise OSError(f"{file}: OpenCV cannot read it as YuNet ({str(error).strip().splitlines()[-1][:200]}); "
                      "expected face_detection_yunet_2023mar.onnx or newer from OpenCV's model zoo") from None

    lock = threading.Lock()  # size and threshold are set on the network itself

    def look(image, least):
        with lock:
            network.setInputSize((image.shape[1], image.shape[0]))
            network.setScoreThreshold(float(np.clip(1 / (1 + np.exp(-least)), 0.01, 0.99)))
            rows = network.detect(np.ascontiguousarray(image[:, :, ::-1]))[1]
        if rows is None:
            return nothing()
        rows = rows.astype(float)
        faces = np.column_stack([rows[:, 1] + rows[:, 3] / 2, rows[:, 0] + rows[:, 2] / 2, rows[:, 3] / 2, rows[:, 2] / 2])
        sure = np.clip(rows[:, 14], 1e-6, 1 - 1e-6)
        return Found(np.log(sure / (1 - sure)), heads_around(faces), faces, rows[:, 4:14].reshape(-1, 5, 2)[..., ::-1])

    return look

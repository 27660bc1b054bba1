"""Global settings of Keras that a line of a notebook may have changed, and with which the kit does not work."""

import sys


def switched():
    """What has been switched, and how to switch it back; "" where nothing has.

    Functions of the student's are not to blame for it, and what Keras says then names neither.
    """
    keras, tensorflow = sys.modules.get("keras"), sys.modules.get("tensorflow")
    if hasattr(keras, "config") and keras.config.image_data_format() != "channels_last":
        return ("Keras takes photos as (channels, rows, columns) since a line of the notebook has said so, set_image_data_format('channels_first'). Here they are (rows, columns, channels): "
                "delete that line, and run keras.config.set_image_data_format('channels_last')")
    if hasattr(tensorflow, "executing_eagerly") and not tensorflow.executing_eagerly():
        return ("TensorFlow works as in its first version since a line of the notebook has said so, disable_eager_execution() or disable_v2_behavior(): delete that line, and restart the "
                "notebook")
    return ""

"""More of the table of old lines: those of Python 2, of Pillow and of pandas."""

from common.exercises.old_lines import Old

PYTHON = (
    Old(
        "",
        r"name '(xrange|unicode|raw_input|reduce)' is not defined|named '(cPickle|Queue|urllib2|ConfigParser|StringIO)'",
        "This is Python 2: write range, str, input, functools.reduce, pickle, queue, urllib.request, configparser, io.StringIO",
        "xrange(3)",
        "range(3)",
    ),
    Old(
        "AttributeError",
        r"'dict' object has no attribute '(iteritems|iterkeys|itervalues|has_key)'",
        "This is Python 2: write items(), keys(), values(), and name in table",
        "{}.iteritems()",
        "{}.items()",
    ),
    Old(
        "TypeError",
        r"'(zip|map|filter|dict_keys|dict_values|dict_items)' object is not subscriptable",
        "This was a list in Python 2: write list(...) around it",
        "{'a': 1}.values()[0]",
        "list({'a': 1}.values())[0]",
    ),
)
PICTURES = (
    Old(
        "AttributeError",
        r"'PIL\.Image' has no attribute '(ANTIALIAS|LINEAR|CUBIC)'",
        "Pillow calls it Image.LANCZOS, Image.BILINEAR, Image.BICUBIC today",
        "Image.ANTIALIAS",
        "Image.LANCZOS",
    ),
    Old(
        "ValueError",
        r"not enough values to unpack \(expected 3, got 2\)",
        "If that is cv2.findContours: OpenCV gives two answers today, contours, hierarchy = cv2.findContours(...)",
        "_, contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)",
        "contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)",
    ),
)
TABLES = (
    Old(
        "TypeError",
        r"read_csv\(\) got an unexpected keyword argument 'squeeze'",
        "pandas.read_csv has no squeeze today: table.squeeze('columns') makes a column of a table",
        "table = pd.read_csv('y_train.csv', squeeze=True)",
        "table = pd.read_csv('y_train.csv').squeeze('columns')",
    ),
)

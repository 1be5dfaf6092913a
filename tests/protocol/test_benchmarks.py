"""The order of class names and the class counts, as the released script has them."""

import pytest

from ueo_core.protocol.benchmarks import PAPER, PROPORTIONS, in_order, recognized

# Neighbours in the script's lists that a plain sort would put elsewhere.
OFFICE_HOME_TAIL = [
    "Table",
    "Telephone",
    "ToothBrush",
    "Toys",
    "Trash_Can",
    "TV",
    "Webcam",
]
DOMAINNET_PIECES = [
    "cello",
    "cell_phone",
    "chair",
    "flashlight",
    "flip_flops",
    "floor_lamp",
    "paintbrush",
    "paint_can",
    "palm_tree",
    "teapot",
    "teddy-bear",
    "telephone",
    "tent",
    "The_Eiffel_Tower",
    "The_Great_Wall_of_China",
    "The_Mona_Lisa",
    "tiger",
    "trumpet",
    "t-shirt",
    "umbrella",
]


@pytest.mark.parametrize("names", [OFFICE_HOME_TAIL, DOMAINNET_PIECES])
def test_the_order_is_the_scripts(names):
    assert in_order(sorted(names)) == in_order(names[::-1]) == names


def test_the_counts_are_the_papers():
    table = {p.title: (p.classes, p.known, p.partial, p.shared, p.ood) for p in PAPER}
    assert table == {
        "Office-31": (31, 25, 20, 15, 3),
        "Office-Home": (65, 50, 35, 35, 10),
        "VisDA-C": (12, 8, 6, 6, 2),
        "DomainNet": (345, 300, 250, 250, 30),
    }
    assert PROPORTIONS.title == "Office-Home"


def test_a_data_set_is_recognised_by_number_and_names():
    visda = [
        "aeroplane",
        "bicycle",
        "bus",
        "car",
        "horse",
        "knife",
        "motorcycle",
        "person",
        "plant",
        "skateboard",
        "train",
        "truck",
    ]
    assert recognized(visda).title == "VisDA-C"
    assert recognized(visda[:-1]) is None
    assert recognized([f"class {i}" for i in range(12)]) is None

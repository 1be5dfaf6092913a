"""The shape of data: every part of another type is named."""

import pytest

from ueo_core.utils.shapes import NAME, NUMBER, Maybe, check_shape, has_shape

SHAPE = {"id": str, "n": int, "size": NUMBER, "names": [NAME], "more": Maybe({"at": str})}
GOOD = {"id": "a", "n": 1, "size": 0.5, "names": ["x", None], "more": None, "further": object}


def test_the_same_data_is_given_back():
    assert check_shape(GOOD, SHAPE) is GOOD
    assert has_shape(GOOD | {"more": {"at": "x"}}, SHAPE) and has_shape([[1]], [[int]])


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"id": None}, "id"),
        ({"n": True}, "n"),
        ({"n": 1.0}, "n"),
        ({"size": "1"}, "size"),
        ({"names": "ab"}, "names"),
        ({"names": [1]}, "names"),
        ({"more": []}, "more"),
        ({"more": {}}, "at"),
    ],
)
def test_the_part_of_another_type_is_named(change, part):
    with pytest.raises(ValueError, match=f"“{part}”"):
        check_shape(GOOD | change, SHAPE)


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_what_is_no_object_is_said_so(data):
    with pytest.raises(ValueError, match="it holds no object"):
        check_shape(data, SHAPE)


def test_only_a_bool_is_a_bool():
    assert has_shape(True, bool) and not has_shape(1, bool) and not has_shape(True, NUMBER)

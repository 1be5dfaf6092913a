"""CSV for people: no name is run as a formula, and every name comes back."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from ueo_core.utils.csv_text import cell, csv_text, exact

NAMES = st.text(st.sampled_from("=+-@\t\r'a,\"λ"), max_size=6)


@given(NAMES)
def test_no_cell_begins_a_formula_and_the_name_comes_back(name):
    assert not cell(name).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert exact(cell(name)) == name


@given(NAMES, NAMES)
def test_different_names_stay_different(a, b):
    assert (cell(a) == cell(b)) == (a == b)


def test_numbers_stay_numbers():
    text = csv_text(["a", "b", "c"], [["=1+1", -2.5, 0], ["dog", 1e-9, 1]])
    assert list(csv.reader(io.StringIO(text))) == [
        ["a", "b", "c"],
        ["'=1+1", "-2.5", "0"],
        ["dog", "1e-09", "1"],
    ]

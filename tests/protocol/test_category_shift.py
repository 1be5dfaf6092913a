"""Category shifts of a labeled folder: the paper's indices, fixed test sets, plain sentences."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ueo_core.data.image_set import Original
from ueo_core.evaluation.metrics import OOD
from ueo_core.protocol.category_shift import labeled_folder, possible_shifts
from ueo_core.utils.errors import UserError

SOURCE = Path("art")


class Named:
    """Stands for an image set: names are all that a category shift is made from."""

    def __init__(self, names):
        self.names = sorted(names)
        self.id = self.fingerprint = hashlib.sha256("".join(self.names).encode()).hexdigest()

    def __len__(self):
        return len(self.names)

    def original(self, i):
        return Original(self.names[i], ())


def images(counts: dict[str, int]) -> Named:
    return Named(f"{folder}/{i:02d}.png" for folder, n in counts.items() for i in range(n))


def many(n: int, per_class: int = 2, special=()) -> Named:
    names = [*special, *(f"k{i:03d}" for i in range(n - len(special)))]
    return images(dict.fromkeys(names, per_class))


def labels_of(folder, part) -> set[str]:
    return {folder.labels[i] for i in part.indices}


@pytest.mark.parametrize(
    ("n", "special", "known", "pools"),
    [
        (
            31,
            ("back_pack", "bike_helmet", "trash_can"),
            25,
            {
                "closed": range(25),
                "partial": range(20),
                "open": range(28),
                "open-partial": [*range(15), *range(25, 28)],
            },
        ),
        (
            65,
            ("Alarm_Clock", "Postit_Notes", "Webcam"),
            50,
            {
                "closed": range(50),
                "partial": range(35),
                "open": range(60),
                "open-partial": [*range(35), *range(50, 60)],
            },
        ),
        (
            12,
            ("aeroplane", "skateboard", "truck"),
            8,
            {
                "closed": range(8),
                "partial": range(6),
                "open": range(10),
                "open-partial": [*range(6), 8, 9],
            },
        ),
        (
            345,
            ("aircraft_carrier", "The_Mona_Lisa", "zigzag"),
            300,
            {
                "closed": range(300),
                "partial": range(250),
                "open": range(330),
                "open-partial": [*range(250), *range(300, 330)],
            },
        ),
    ],
)
def test_the_papers_class_indices(n, special, known, pools):
    folder = labeled_folder(many(n, special=special), SOURCE)
    order = folder.folders
    for shift, indices in pools.items():
        case = folder.case(shift, 0)
        assert list(case.classes) == order[:known]
        assert labels_of(folder, case.pool) == {order[i] for i in indices}, shift
        # The paper tests on all images of the domain, whatever the pool holds.
        assert len(case.test) == 2 * n and case.test.ood == 2 * (n - known)
    plain = folder.case("plain", 0)
    assert list(plain.classes) == order and plain.test.ood == 0
    assert len(plain.pool) == len(plain.test) == 2 * n


def test_any_other_folder_has_office_homes_proportions():
    folder = labeled_folder(many(26, per_class=10), SOURCE)
    sizes = {s: len(folder.in_pool(s)) for s in ("closed", "partial", "open", "open-partial")}
    assert len(folder.names("closed")) == 20
    assert sizes == {"closed": 20, "partial": 14, "open": 24, "open-partial": 18}


def test_classes_by_name_and_a_pool_by_name():
    counts = {"dog": 6, "cat": 6, "tree": 6, "sun": 6}
    folder = labeled_folder(images(counts), SOURCE, ["tree", "dog"], pool_classes=["dog", "sun"])
    case = folder.case("open-partial", 0)
    assert case.classes == ("tree", "dog") and labels_of(folder, case.pool) == {"dog", "sun"}
    truth = {folder.labels[i]: t for i, t in zip(case.test.indices, case.test.truth, strict=True)}
    assert truth == {"tree": 0, "dog": 1, "cat": OOD, "sun": OOD}


def test_test_images_are_kept_out_of_the_pool_and_do_not_change_with_the_shift():
    folder = labeled_folder(many(26, per_class=10), SOURCE, test_share=0.4)
    cases = {s: folder.case(s, 7) for s in ("closed", "partial", "open", "open-partial")}
    for case in cases.values():
        assert np.array_equal(case.test.indices, cases["closed"].test.indices)
        assert not set(case.pool.indices) & set(case.test.indices)
        assert len(case.test) == 26 * 4
    assert set(cases["partial"].pool.indices) < set(cases["closed"].pool.indices)
    assert not np.array_equal(folder.case("closed", 8).test.indices, cases["closed"].test.indices)


def test_what_training_sees_has_no_truth():
    case = labeled_folder(many(26, per_class=4), SOURCE).case("open", 0)
    seen = {name for name in dir(case.pool.subset) if not name.startswith("_")}
    assert seen == {"pixels", "size"} and len(case.pool.subset) == len(case.pool)


def test_official_lists_are_followed(tmp_path):
    source = tmp_path / "sketch"
    source.mkdir()
    found = images({"a": 4, "b": 4, "c": 4})
    lines = {
        "train": ["a/00.png 0", "b/01.png 1", "c/02.png 2"],
        "test": ["a/03.png 0", "c/00.png 2"],
    }
    for part, content in lines.items():
        text = "".join(f"sketch/{line}\n" for line in content)
        (tmp_path / f"sketch_{part}.txt").write_text(text)
    folder = labeled_folder(found, source, ["a", "b"])
    case = folder.case("open", 0)
    assert [found.names[i] for i in case.pool.indices] == ["a/00.png", "b/01.png", "c/02.png"]
    assert [found.names[i] for i in case.test.indices] == ["a/03.png", "c/00.png"]
    (tmp_path / "sketch_test.txt").write_text("other/a/03.png 0\n")
    with pytest.raises(UserError, match="none of its lines"):
        labeled_folder(found, source, ["a", "b"])


def test_a_class_with_one_image_is_tested_on_and_said():
    folder = labeled_folder(images({"a": 6, "b": 1, "c": 6}), SOURCE, ["a", "b"])
    case = folder.case("closed", 0)
    assert labels_of(folder, case.pool) == {"a"} and labels_of(folder, case.test) == {"a", "b", "c"}
    assert any("b: one image only" in note for note in folder.notes(["closed"]))


@pytest.mark.parametrize("counts", [{"x": 5, "y": 5}, {"Dogs": 5, "y": 5}])
def test_all_classes_unknown_is_a_sentence(counts):
    with pytest.raises(UserError, match="none of its folders") as error:
        labeled_folder(images(counts), SOURCE, ["dog", "cat"])
    assert ("looks like 'dog'" in str(error.value)) == ("Dogs" in counts)


@pytest.mark.parametrize("counts", [{"unknown": 5}, {}])
def test_a_single_folder_is_a_sentence(counts):
    with pytest.raises(UserError, match="at least two of them"):
        labeled_folder(images(counts), SOURCE, ["dog", "cat"])


def test_without_unknown_images_there_is_no_open_shift():
    folder = labeled_folder(images({"dog": 5, "cat": 5}), SOURCE, ["dog", "cat"])
    shifts, left_out = possible_shifts(folder, "all")
    assert shifts == ["closed", "partial"] and "no unknown images" in left_out[0]
    with pytest.raises(UserError, match="no unknown images"):
        possible_shifts(folder, "open")
    with pytest.raises(UserError, match="Shift “wide”: not known"):
        possible_shifts(folder, "wide")


def test_a_pool_too_small_and_names_that_are_no_folder():
    folder = labeled_folder(images({"dog": 1, "cat": 1, "sun": 1}), SOURCE, ["dog", "cat"])
    with pytest.raises(UserError, match="at least two"):
        folder.case("closed", 0)
    with pytest.raises(UserError, match="no such folder"):
        labeled_folder(images({"dog": 4, "cat": 4}), SOURCE, ["dog", "cat"], pool_classes=["fox"])


def test_a_case_says_what_it_is_and_holds_the_images():
    found = images({"dog": 4, "cat": 4, "sun": 4})
    case = labeled_folder(found, SOURCE, ["dog", "cat"]).case("open", 3)
    assert (case.shift, case.seed) == ("open", 3)
    assert case.pool.images is found and case.test.images is found


def test_plain_takes_every_folder_as_a_class_whatever_was_named():
    folder = labeled_folder(images({"dog": 4, "cat": 4, "sun": 4}), SOURCE, ["dog", "cat"])
    assert folder.names("plain") == ("cat", "dog", "sun")
    assert folder.names("closed") == ("dog", "cat")


def test_a_folder_in_the_other_unicode_form_is_its_class():
    composed, decomposed = "L\u00f6we", "Lo\u0308we"
    folder = labeled_folder(images({decomposed: 4, "sun": 4}), SOURCE, [composed])
    case = folder.case("open", 0)
    truth = {folder.labels[i]: t for i, t in zip(case.test.indices, case.test.truth, strict=True)}
    assert truth == {decomposed: 0, "sun": OOD}


def test_images_in_no_subfolder_are_left_out_and_counted():
    found = Named([*images({"dog": 4, "cat": 4}).names, "top.png", "top2.png"])
    folder = labeled_folder(found, SOURCE, ["dog", "cat"])
    case = folder.case("closed", 0)
    assert len(case.pool) + len(case.test) == 8
    assert labels_of(folder, case.pool) | labels_of(folder, case.test) == {"dog", "cat"}
    assert folder.notes(["closed"]) == [
        "2 images are in no subfolder; they have no label and are left out."
    ]


def test_labels_from_elsewhere_stand_in_place_of_the_folders():
    found = images({"a": 6})
    labels = ["dog", "dog", "cat", "cat", None, "sun"]
    folder = labeled_folder(found, SOURCE, ["dog", "cat"], labels=labels)
    assert folder.labels == tuple(labels) and folder.folders == ["cat", "dog", "sun"]


def test_at_least_one_image_of_each_class_is_tested_on():
    folder = labeled_folder(images({"a": 4, "b": 4}), SOURCE, ["a", "b"], test_share=0.1)
    case = folder.case("closed", 0)
    assert len(case.test) == 2 and len(case.pool) == 6


def test_a_pool_of_two_is_enough():
    folder = labeled_folder(images({"a": 2, "b": 2}), SOURCE, ["a"], pool_classes=["a"])
    with pytest.raises(UserError, match="its pool has 1 images"):
        folder.case("open", 0)
    shared = labeled_folder(images({"a": 2, "b": 2}), SOURCE, ["a"], 0, ["a"])
    case = shared.case("open", 0)
    assert len(case.pool) == 2 and len(case.test) == 4  # pool and test share images


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5])
def test_a_test_share_out_of_range(share):
    with pytest.raises(UserError) as refused:
        labeled_folder(images({"a": 4, "b": 4}), SOURCE, test_share=share)
    expected = f"The test share {share:g} is out of range; choose from 0 to 0.9."
    assert str(refused.value) == expected


def test_what_is_said_of_a_folder():
    counts = {"dog": 4, "lone": 1, **{f"extra{i}": 4 for i in range(8)}}
    classes = ["dog", *(f"absent{i}" for i in range(8))]
    folder = labeled_folder(images(counts), SOURCE, classes)
    assert folder.notes(["plain", "closed", "open"]) == [
        "lone: one image only, which is tested on and in no pool.",
        "absent0, absent1, absent2, absent3, absent4, absent5 and 2 more: a class without a "
        "folder; its recall is not counted.",
    ]
    # Where pool and test share their images, a single one is in both.
    assert "lone" not in labeled_folder(images(counts), SOURCE, classes, 0).notes(["open"])[0]
    six = [f"absent{i}" for i in range(6)]
    (missing,) = labeled_folder(images(counts), SOURCE, ["dog", *six], 0).notes(["open"])
    assert missing.startswith("absent0, absent1, absent2, absent3, absent4, absent5: a class")
    special = ("back_pack", "bike_helmet", "trash_can")
    assert labeled_folder(many(31, special=special), SOURCE).notes(["closed"]) == [
        "Recognized as Office-31: the paper's classes."
    ]
    # Named classes are not the paper's, whatever the folders are.
    named = labeled_folder(many(31, special=special), SOURCE, ["back_pack", "trash_can"])
    assert named.protocol is None and named.notes(["open"]) == []


def test_folders_that_resemble_the_classes_are_named_with_the_way_out():
    counts = {"Dogs": 2, "Cats": 2, "Suns": 2, "Foxes": 2, "other": 2}
    with pytest.raises(UserError) as refused:
        labeled_folder(images(counts), SOURCE, ["dog", "cat", "sun", "foxe"])
    assert str(refused.value) == (
        "Source “art”: none of its folders (Cats, Dogs, Foxes, other, Suns) is among the classes, so "
        "nothing can be measured; 'Cats' looks like 'cat', 'Dogs' looks like 'dog', "
        "'Foxes' looks like 'foxe'; rename them or name other classes."
    )
    with pytest.raises(UserError, match="nothing can be measured; rename them"):
        labeled_folder(images({"x": 2, "y": 2}), SOURCE, ["dog"])


def test_shifts_that_a_folder_cannot_have_are_said():
    folder = labeled_folder(images({"dog": 5, "cat": 5}), SOURCE, ["dog", "cat"])
    assert possible_shifts(folder, "all")[1] == [
        "Left out open and open-partial: no folder is outside the classes, so there are no "
        "unknown images."
    ]
    with pytest.raises(UserError) as refused:
        possible_shifts(folder, "wide")
    assert str(refused.value).endswith("one of closed, partial, open, open-partial, plain.")
    assert possible_shifts(folder, "closed") == (["closed"], [])
    mixed = labeled_folder(images({"dog": 5, "cat": 5, "sun": 5}), SOURCE, ["dog", "cat"])
    assert possible_shifts(mixed, "open") == (["open"], [])


def test_official_lists_may_name_files_with_spaces_and_letters_of_any_kind(tmp_path):
    source = tmp_path / "sketch"
    source.mkdir()
    found = Named(["a/my dög.png", "a/1.png", "b/2.png"])
    for part, line in (("train", "a/my dög.png 0\nsketch/b/2.png 1"), ("test", "a/1.png 0")):
        (tmp_path / f"sketch_{part}.txt").write_text(line, encoding="utf-8")
    train, test = labeled_folder(found, source, ["a", "b"]).lists
    assert [{found.names[i] for i in part} for part in (train, test)] == [
        {"a/my dög.png", "b/2.png"},
        {"a/1.png"},
    ]

"""The texts about the formula, its symbols, the glossary and the exercises. No torch here."""

from dataclasses import dataclass

from ueo_core.learn.scenes import Look

# «key» stands for the symbol of that key; see `latex`.
LOSS = r"\mathcal{L} = \sum_i «w»\, «H» \;-\; «trade»\, H(«pbar»)"
PARTS = (
    r"«p» = \mathrm{softmax}(«s»\cos(«f», «t»))",
    r"w_i = \max_c\,\mathrm{softmax}(\tfrac{«s»}{T_w}\cos)",
    r"«w» = w_i / \textstyle\sum_j w_j",
    r"«q» = \tfrac{1}{w_i} / \textstyle\sum_j \tfrac{1}{w_j}",
    r"«pbar» = \textstyle\sum_i «q»\, «p»",
    r"«H» = -\textstyle\sum_c p_{ic} \log p_{ic}",
)


@dataclass(frozen=True)
class Symbol:
    """A symbol of the formula, and what it is in the triangle."""

    tex: str
    plain: str  # the same as HTML, for a button
    name: str
    means: str
    picture: str  # where the triangle shows it
    look: Look
    scene: str  # key of the scene in SCENES that explains it


SYMBOLS: dict[str, Symbol] = {
    "p": Symbol(
        "p_i",
        "<i>p<sub>i</sub></i>",
        "prediction",
        "The model's probabilities over the classes for image i; they sum to one.",
        "One dot. The closer to a corner, the larger the probability of that class.",
        Look(methods=("ueo",), arrows="none"),
        "term-one",
    ),
    "f": Symbol(
        "f_i",
        "<i>f<sub>i</sub></i>",
        "image feature",
        "The image tower's vector for image i, of length one.",
        "Not drawn itself. Together with the class vectors it determines the position of the dot.",
        Look(methods=("ueo",), arrows="move"),
        "guess",
    ),
    "t": Symbol(
        "t_c",
        "<i>t<sub>c</sub></i>",
        "class vector",
        "The text tower's vector for the sentence of class c, of length one.",
        "One for each corner. A change of the class vectors moves all dots.",
        Look(methods=("ueo",), arrows="move"),
        "guess",
    ),
    "s": Symbol(
        "s",
        "<i>s</i>",
        "logit scale",
        "The factor of the cosines before softmax: 100 in OpenAI's CLIP, 8 in this triangle.",
        "The larger it is, the closer the dots are to the corners.",
        Look(methods=("ueo",), arrows="none", shade=True),
        "guess",
    ),
    "H": Symbol(
        "H(p_i)",
        "<i>H</i>(<i>p<sub>i</sub></i>)",
        "entropy",
        "The uncertainty of a prediction: 0 if one class has probability one, log C if all classes are "
        "equally likely.",
        "The shading: strongest in the middle, none in the corners.",
        Look(methods=("ueo",), arrows="one", shade=True),
        "term-one",
    ),
    "w": Symbol(
        r"\tilde w_i",
        "<i>w̃<sub>i</sub></i>",
        "weight in term one",
        "The zero-shot confidence w of image i, fixed before training, divided by the sum over all images.",
        "The size of a dot. Known images have larger weights, unless the confidence on unknown images is "
        "as high.",
        Look(methods=("ueo",), arrows="one", dots="w"),
        "weights",
    ),
    "q": Symbol(
        "q_i",
        "<i>q<sub>i</sub></i>",
        "weight in term two",
        "The inverse 1/w, divided by the sum over all images: images with low confidence count more in "
        "the mean.",
        "The size of a dot: the lower the confidence, the larger the dot.",
        Look(methods=("ueo",), arrows="two", dots="q", star=True),
        "weights",
    ),
    "pbar": Symbol(
        r"\bar p",
        "<i>p̄</i>",
        "mean prediction",
        "The mean of the predictions, with the weights q.",
        "The star. Term two keeps it in the middle.",
        Look(methods=("ueo",), arrows="two", dots="q", star=True),
        "term-two",
    ),
    "trade": Symbol(
        r"\lambda",
        "<i>λ</i>",
        "trade-off",
        "The weight of term two relative to term one. It is 1 by default.",
        "The length of term two's arrows. At 0 nothing prevents a collapse.",
        Look(methods=("ueo",), arrows="two", star=True),
        "term-two",
    ),
}


def latex(*formulas: str) -> str:
    """Formulas as LaTeX, one per line.

    Every symbol has a box and a color of its own, all nearly black. By the color the page
    finds the symbol that was clicked, and it shows only the box of the selected symbol.
    """
    text = r" \\[0.2em] ".join(f.replace(" = ", " &= ", 1) for f in formulas)
    for number, (key, symbol) in enumerate(SYMBOLS.items(), 1):
        text = text.replace(f"«{key}»", rf"\textcolor{{#{number:06x}}}{{\boxed{{{symbol.tex}}}}}")
    return rf"\begin{{aligned}} {text} \end{{aligned}}"


GLOSSARY: dict[str, str] = {
    "CLIP": "A model with an image tower and a text tower, trained so that an image and its caption "
    "have vectors that point in the same direction.",
    "Zero-shot": "Without training on the task: each class name becomes a sentence, and the closest "
    "sentence is the prediction.",
    "Cosine": "The similarity of the directions of two vectors: 1 for the same direction, 0 at a right angle.",
    "Softmax": "Converts numbers to probabilities; the larger the temperature, the more equal they are.",
    "Temperature": "The number that the inputs of softmax are divided by. CLIP's logit scale s is its inverse.",
    "Entropy": "The uncertainty of a set of probabilities, in nats: 0 if one class is certain, log C if "
    "all classes are equally likely.",
    "In-distribution (known)": "An image of one of the classes that you named.",
    "Out-of-distribution (unknown)": "An image of none of these classes.",
    "OOD score": "One number per image: the higher it is, the more likely the image is known. Here it is "
    "MCM, the largest softmax of the unscaled cosines.",
    "ACC": "Accuracy, the mean over the classes of the share of their images that are predicted "
    "correctly; unknown images do not count.",
    "AUC": "The share of pairs of one known and one unknown image in which the known image has the higher score.",
    "EntMin": "Entropy minimization: lowers the entropy of every prediction and does nothing else.",
    "InfoMax": "Information maximization: EntMin that also raises the entropy of the mean prediction. "
    "It is UEO with equal weights.",
    "UEO": "Universal entropy optimization: InfoMax with the weights w in term one and 1/w in term two.",
    "Collapse": "All images get the same prediction. The entropy is low, but the model is useless.",
    "Context vectors": "The words “a photo of a” as trainable vectors; one set for all classes.",
    "Normalization layer": "Scales and shifts features inside the network. UEO trains the weight and "
    "bias of these layers in the image tower.",
}

PAPER = (
    "Jian Liang, Lijun Sheng, Zhengbo Wang, Ran He, Tieniu Tan: *Realistic Unsupervised CLIP "
    "Fine-tuning with Universal Entropy Optimization*. ICML 2024, arXiv 2308.12919."
)


@dataclass(frozen=True)
class Exercise:
    """A question, its answer, and the view of Learn in which to try it (query parameters)."""

    question: str
    answer: str
    check: str  # the computation that backs the answer: the test is named test_<check>
    link: dict[str, str]


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "A prediction gives three classes the same probability: what is its entropy? What is the entropy "
        "of a certain prediction?",
        "log 3 ≈ 1.10 nats, the maximum with three classes. For a certain prediction it is 0.",
        "entropy_ends",
        {"view": "formula", "symbol": "H"},
    ),
    Exercise(
        "EntMin ends with the lowest term one of all three methods. Why is this not a good result?",
        "All dots are in one corner. Term one is almost 0, but every image gets the same prediction and "
        "the accuracy is one third. A low loss alone does not show a good model.",
        "entmin_lowest_term_one",
        {"view": "triangle", "step": "60"},
    ),
    Exercise(
        "Set λ to 0. Which loss remains of UEO, and what is the result?",
        "EntMin with weights. Nothing keeps the mean prediction in the middle, so UEO collapses as well.",
        "lambda_zero_collapses",
        {"view": "triangle", "preset": "lambda"},
    ),
    Exercise(
        "Raise the temperature of the weights to 8, the logit scale. How much larger is the largest weight "
        "than the smallest now?",
        "At most by about a quarter, because unscaled cosines differ little. At temperature 1 it was more "
        "than twice as large. UEO's weights are now almost equal, and with equal weights UEO is InfoMax.",
        "released_weights_ratio",
        {"view": "triangle", "preset": "released"},
    ),
    Exercise(
        "In a batch of one image and with λ = 1, what is the sum of UEO's two terms?",
        "It is 0, and its gradient is 0: the mean of one prediction is that prediction, so the terms cancel.",
        "one_image_cancels",
        {"view": "formula", "symbol": "pbar"},
    ),
    Exercise(
        "Remove all unknown images. Which method can still fail, and which methods have similar results?",
        "InfoMax and UEO classify the images about equally well. EntMin can still collapse, because a "
        "collapse does not need unknown images.",
        "closed_set",
        {"view": "triangle", "preset": "closed"},
    ),
    Exercise(
        "Find settings with which UEO lowers the AUC.",
        "Leave class C without images: term two needs predictions in its corner, and the unknown images "
        "move there.",
        "empty_class_fills",
        {"view": "triangle", "preset": "absent"},
    ),
)

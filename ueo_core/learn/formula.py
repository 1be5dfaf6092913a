"""The formula symbol by symbol, the glossary, the exercises: the page's words. No torch here."""

from dataclasses import dataclass

from ueo_core.learn.scenes import Look

# «key» stands for the symbol of that key; see `written`.
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
    """A symbol of the formula and what it is in the triangle."""

    tex: str
    plain: str  # the same as HTML, for a button
    name: str
    means: str
    picture: str  # where to see it
    look: Look
    scene: str  # key of SCENES that is about it


SYMBOLS: dict[str, Symbol] = {
    "p": Symbol(
        "p_i",
        "<i>p<sub>i</sub></i>",
        "prediction",
        "The model's probabilities over the classes for image i; they sum to one.",
        "One dot. The nearer to a corner, the larger that class's probability.",
        Look(methods=("ueo",), arrows="none"),
        "term-one",
    ),
    "f": Symbol(
        "f_i",
        "<i>f<sub>i</sub></i>",
        "image feature",
        "The image tower's vector for image i, of length one.",
        "Not drawn itself: it decides, together with the class vectors, where the dot lies.",
        Look(methods=("ueo",), arrows="move"),
        "guess",
    ),
    "t": Symbol(
        "t_c",
        "<i>t<sub>c</sub></i>",
        "class vector",
        "The text tower's vector for the sentence of class c, of length one.",
        "One for each corner. Moving them moves every dot at once.",
        Look(methods=("ueo",), arrows="move"),
        "guess",
    ),
    "s": Symbol(
        "s",
        "<i>s</i>",
        "logit scale",
        "What cosines are multiplied with before softmax: 100 in OpenAI's CLIP, 8 in this triangle.",
        "It stretches the cloud of dots towards the corners.",
        Look(methods=("ueo",), arrows="none", shade=True),
        "guess",
    ),
    "H": Symbol(
        "H(p_i)",
        "<i>H</i>(<i>p<sub>i</sub></i>)",
        "entropy",
        "Uncertainty: 0 when one class has probability 1, log C when all are equal.",
        "The shading: dark in the middle, none in the corners.",
        Look(methods=("ueo",), arrows="one", shade=True),
        "term-one",
    ),
    "w": Symbol(
        r"\tilde w_i",
        "<i>w̃<sub>i</sub></i>",
        "weight in term one",
        "The zero-shot confidence w of image i, fixed before training, over the sum of all.",
        "The size of a dot. Known images weigh more, unless unknown ones have the same confidence.",
        Look(methods=("ueo",), arrows="one", dots="w"),
        "weights",
    ),
    "q": Symbol(
        "q_i",
        "<i>q<sub>i</sub></i>",
        "weight in term two",
        "The inverse 1/w over the sum of all: uncertain images count more in the mean.",
        "The size of a dot, inverted.",
        Look(methods=("ueo",), arrows="two", dots="q", star=True),
        "weights",
    ),
    "pbar": Symbol(
        r"\bar p",
        "<i>p̄</i>",
        "mean prediction",
        "The predictions averaged with the weights q.",
        "The star. Term two keeps it in the middle.",
        Look(methods=("ueo",), arrows="two", dots="q", star=True),
        "term-two",
    ),
    "trade": Symbol(
        r"\lambda",
        "<i>λ</i>",
        "trade-off",
        "How much term two counts against term one. The paper uses 1.",
        "The length of term two's arrows. At 0 nothing keeps the dots apart.",
        Look(methods=("ueo",), arrows="two", star=True),
        "term-two",
    ),
}


def written(*formulas: str) -> str:
    """Formulas as LaTeX, one a line. Every symbol is boxed, in a color of its own that no eye can tell
    from black: by it the page finds what was clicked, and shows the box of the chosen one alone."""
    text = r" \\[0.2em] ".join(f.replace(" = ", " &= ", 1) for f in formulas)
    for number, (key, symbol) in enumerate(SYMBOLS.items(), 1):
        text = text.replace(f"«{key}»", rf"\textcolor{{#{number:06x}}}{{\boxed{{{symbol.tex}}}}}")
    return rf"\begin{{aligned}} {text} \end{{aligned}}"


GLOSSARY: dict[str, str] = {
    "CLIP": "A model with an image tower and a text tower, trained so that an image and its caption "
    "give vectors that point the same way.",
    "Zero-shot": "Used without training on the task: class names become sentences, and the "
    "closest sentence is the prediction.",
    "Cosine": "How much two vectors point the same way: 1 the same, 0 unrelated.",
    "Softmax": "Turns numbers into probabilities; the larger the temperature, the more equal they are.",
    "Temperature": "What numbers are divided by before softmax. CLIP's logit scale s is one over it.",
    "Entropy": "Uncertainty of a set of probabilities, in nats: 0 is certainty, log C is a uniform distribution.",
    "In-distribution (known)": "An image of one of the classes you named.",
    "Out-of-distribution (unknown)": "An image of anything else.",
    "OOD score": "One number per image: the higher, the more likely it is known. Here MCM, the largest "
    "softmax of the plain cosines.",
    "ACC": "Mean over the classes of the share of their images that are predicted correctly; unknown images do not count.",
    "AUC": "The share of pairs, one known and one unknown, in which the known one scores higher.",
    "EntMin": "Lower every image's entropy and nothing else.",
    "InfoMax": "EntMin, and raise the entropy of the mean prediction. UEO with equal weights.",
    "UEO": "Universal entropy optimization: InfoMax with the confidence w in term one and 1/w in term two.",
    "Collapse": "Every image gets the same prediction. Entropy is low, and so is accuracy.",
    "Context vectors": "The words “a photo of a” as vectors that are trained; one set for all classes.",
    "Normalization layer": "Scales and shifts features inside the network; its weight and bias are what "
    "UEO trains in the image tower.",
}

PAPER = (
    "Jian Liang, Lijun Sheng, Zhengbo Wang, Ran He, Tieniu Tan: *Realistic Unsupervised CLIP "
    "Fine-tuning with Universal Entropy Optimization*. ICML 2024, arXiv 2308.12919."
)


@dataclass(frozen=True)
class Exercise:
    """A question, the answer, and the triangle's setting to try it with (query parameters)."""

    question: str
    answer: str
    tie: str  # the computation that backs the answer, a test's name
    link: dict[str, str]


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "Three classes, all equally likely: what is the entropy? And at certainty?",
        "log 3 ≈ 1.10 nats, the largest there is with three classes; at certainty it is 0.",
        "entropy_ends",
        {"view": "formula", "symbol": "H"},
    ),
    Exercise(
        "EntMin ends with the lowest term one of all three methods. Why is that not good?",
        "All dots sit in one corner: term one is almost 0, but every image gets the same prediction, and "
        "accuracy is one third. A low loss alone does not mean a good model.",
        "entmin_lowest_term_one",
        {"view": "triangle", "step": "60"},
    ),
    Exercise(
        "Set λ to 0. What is left of UEO, and how does it end?",
        "EntMin with weights. Nothing keeps the mean prediction in the middle, so it collapses as well.",
        "lambda_zero_collapses",
        {"view": "triangle", "preset": "lambda"},
    ),
    Exercise(
        "Turn the weights' temperature up to 8, the logit scale. How far apart are the largest and the smallest "
        "weight now?",
        "At most about a quarter (before, the largest was more than twice the smallest), because unscaled "
        "cosines differ little. UEO's weights are then almost equal, and equal weights are InfoMax.",
        "released_weights_ratio",
        {"view": "triangle", "preset": "released"},
    ),
    Exercise(
        "A batch of one image: what do UEO's two terms add up to, with λ = 1?",
        "To 0, without any gradient: the mean of one prediction is that prediction, so the terms cancel.",
        "one_image_cancels",
        {"view": "formula", "symbol": "pbar"},
    ),
    Exercise(
        "Remove all unknown images. Which method can still fail, and which hardly differ?",
        "InfoMax and UEO sort the images about equally well; EntMin can still collapse, because collapse "
        "needs no unknown images.",
        "closed_set",
        {"view": "triangle", "preset": "closed"},
    ),
    Exercise(
        "Find a setting under which UEO's AUC ends lower than it began.",
        "Leave class C empty: term two needs images in its corner, and unknown images are pulled there.",
        "empty_class_fills",
        {"view": "triangle", "preset": "absent"},
    ),
)

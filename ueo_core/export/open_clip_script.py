"""The script that uses an adapter in plain open_clip, without this project."""

from pathlib import Path

from ueo_core.inference.adapter_file import ADAPTER_NAME, AdapterFile
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import ASSETS

CHECKPOINTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")

_HEAD = '''\
"""Classifies images with CLIP as UEO Studio adapted it. Needs only open_clip:

    pip install open_clip_torch
    python {name} photo.jpg another.jpg

It looks for its files beside itself; --adapter and --weights name others. `{name} --help` says more.
Made for: {title}
"""
import argparse
{early}import json
{imports}from pathlib import Path

import open_clip
import torch
from PIL import Image, {cms}ImageOps
from safetensors import safe_open
from torchvision.transforms.v2 import functional as F

HERE = Path(__file__).resolve().parent
parser = argparse.ArgumentParser(description="Classify images with an adapted CLIP.")
parser.add_argument("images", nargs="*", help="image files")
parser.add_argument(
    "--adapter", default=str(HERE / {adapter!r}), help="what training changed (default: {adapter_text} beside this file)"
)
parser.add_argument("--weights", default={weights}, help={help!r})
options = parser.parse_args() if __name__ == "__main__" else parser.parse_args([])
for path in [options.adapter{checked}]:
    if not Path(path).is_file():
        parser.error(f"{{path}}: there is no such file; copy it beside this script, or name it with an option")

with safe_open(options.adapter, "pt") as file:
    about = {{key: json.loads(value) for key, value in file.metadata().items()}}
    adapter = {{key: file.get_tensor(key) for key in file.keys()}}
'''

_NAMED = """
model = open_clip.create_model({model!r}, pretrained=options.weights).eval()
tokenize = open_clip.get_tokenizer({model!r})
"""

_CONFIG = """
with tempfile.TemporaryDirectory() as folder:  # the adapter contains the architecture
    Path(folder, "adapted.json").write_text(json.dumps(about["architecture"]), encoding="utf-8")
    open_clip.add_model_config(folder)
model = open_clip.create_model("adapted", pretrained=options.weights).eval()
tokenize = open_clip.get_tokenizer("adapted")
"""

_IMAGES = """
# 1. The image tower: weight and bias of its normalization layers.
context = adapter.pop("context")  # (M, W)
lost = model.load_state_dict(adapter, strict=False).unexpected_keys
assert not lost, f"the adapter is not for this model: {lost}"

"""
_TEXTS = """
# 2. The text tower: the learned vectors replace the words of the prompt.
classes = about["classes"]
tokens = tokenize([f"{about['prompt']} {name.replace('_', ' ')}." for name in classes])  # (C, L)
"""

_LEARNED = """\
start = int((tokens[0] == tokenize([""])[0]).int().cumprod(0).sum())  # what no words come before


def learned(module, args, embedded):  # (C, L, W)
    words = context.to(embedded).expand(len(embedded), -1, -1)
    return torch.cat([embedded[:, :start], words, embedded[:, start + len(context) :]], 1)


tower = getattr(model, "text", model)
own = hasattr(tower, "token_embedding")  # else an encoder of Hugging Face
embedding = tower.token_embedding if own else tower.transformer.get_input_embeddings()
hook = embedding.register_forward_hook(learned)
"""

_ENCODED = """\
with torch.no_grad():
    text = model.encode_text(tokens, normalize=True)  # (C, D)
hook.remove()
"""

# The same where classes have several names or templates, see models/class_texts.
_SEVERAL_TEXTS = """
# 2. The text tower: the learned vectors replace the words of the prompt, in one of the templates.
classes, templates = about["classes"], about["templates"]
names = [[name, *about["synonyms"].get(name, [])] for name in classes]
words = about["prompt"] + " {}"
template = next((t for t in templates if t.startswith(words)), words + ".")


@torch.no_grad()
def mean(template):  # over the names of each class, (C, D)
    texts = [template.replace("{}", n.replace("_", " ")) for own in names for n in own]
    parts = [tokenize(texts[i : i + 256]) for i in range(0, len(texts), 256)]
    features = torch.cat([model.encode_text(part, normalize=True) for part in parts])
    return torch.stack([part.mean(0) for part in features.split([len(own) for own in names])])


tokens = tokenize([template.replace("{}", classes[0])])
"""

_SEVERAL_ENCODED = """\
text = mean(template)
hook.remove()
if set(templates) - {template}:  # what all of them add to that one, before training
    text = text + sum(map(mean, templates)) / len(templates) - mean(template)
text = text / text.norm(dim=1, keepdim=True)  # (C, D)
"""

_READ = """

# 3. An image file: upright RGB; color profiles are ignored, as in training
def read(path):
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")
"""

# The same with colors converted, as in data/color_profile.
_READ_SRGB = """

# 3. An image file: upright RGB, its colors converted to sRGB by its profile, as in training
def read(path):
    file = Image.open(path)
    image = ImageOps.exif_transpose(file).convert("RGB")
    if not (profile := file.info.get("icc_profile")):
        return image
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if own.profile.xcolor_space != "RGB ":
            return image
        how = ImageCms.Intent.RELATIVE_COLORIMETRIC
        change = ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), "RGB", "RGB", how)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a damaged profile
        return image
    levels = torch.linspace(0, 255, 9).round().to(torch.uint8)
    colors = torch.cartesian_prod(levels, levels, levels).T.reshape(3, 27, 27)
    moved = F.pil_to_tensor(change.apply(F.to_pil_image(colors))).int() - colors.int()
    return change.apply(image) if moved.abs().max() > 2 else image  # else it is sRGB itself
"""

_TAIL = """

# 4. An image, fitted to the model's input: (3, H, W) uint8 → (3, rows, columns) uint8
def fit(image):
    size, mode = about["image_size"], about.get("resize_mode", "shortest")
    how = F.InterpolationMode(about.get("interpolation", "bicubic"))
    rows, columns = [size, size] if isinstance(size, int) else size
    if mode == "squash":  # with Pillow, which rounds differently where one side shrinks more
        how = Image.Resampling[how.name]
        return F.pil_to_tensor(F.to_pil_image(image).resize((columns, rows), how))
    height, width = image.shape[1:]
    if mode == "shortest" and rows == columns:
        image = F.resize(image, [rows], how)
    else:
        ratio = (max if mode == "longest" else min)(height / rows, width / columns)
        fitted = [max(1, round(side / ratio)) for side in (height, width)]
        image = F.resize(image, fitted, how)
    down, across = (max(0, n) for n in (rows - image.shape[1], columns - image.shape[2]))
    around = [across // 2, down // 2, (across + 1) // 2, (down + 1) // 2]
    return F.center_crop(F.pad(image, around, fill=about.get("fill_color", 0)), [rows, columns])


# 5. The nearest class, unless the image's score is below the threshold.
@torch.no_grad()
def classify(path, threshold=about["threshold"]):
    image = F.pil_to_tensor(read(path))
    image = F.normalize(fit(image).float() / 255, about["mean"], about["std"])
    cosines = model.encode_image(image[None], normalize=True)[0] @ text.T
    confidence, best = (about["logit_scale"] * cosines).softmax(0).max(0)
    score = cosines.double().softmax(0).max()  # higher: more likely one of the classes
    return classes[best], float(confidence), float(score), bool(score < threshold)


if __name__ == "__main__":
    for path in options.images:
        name, confidence, score, unknown = classify(path)
        print(f"{path}\\t{name}\\t{confidence:.6f}\\t{score:.8f}\\t{int(unknown)}")
"""


def open_clip_script(
    adapter_file: AdapterFile, adapter: str = ADAPTER_NAME, name: str = "use_delta.py"
) -> str:
    """A script that loads an adapter into plain open_clip and classifies images as the studio does.

    adapter: the name of the adapter file; name: the script's own name. The script takes the paths of
    adapter and weights as options and looks for both beside itself, so it runs on any machine.
    Images smaller than the store keeps them give the studio's own numbers to rounding; larger
    ones are reduced in one step instead of two and differ in the third digit. UserError for a model
    whose weights open_clip cannot read.
    """
    about = adapter_file.metadata
    config = about.get("architecture") is not None
    file = weights_file(adapter_file)
    if config and file is None:
        raise UserError(
            f"Script: the weights of {about['backbone']} are in Transformers' layout, which open_clip does not "
            "read; export the model as ONNX, or adapt the same model in open_clip's layout."
        )
    beside = file.name if file else None
    what = f"default: {beside} beside this file" if beside else "default: downloaded once"
    if file and file.parent == ASSETS:
        what += "; it is in the studio's folder assets/"
    title = _one_line(adapter_file.title)
    head = _HEAD.format(
        name=name,
        title=title,
        adapter=adapter,
        adapter_text=_one_line(adapter),
        weights=f"str(HERE / {beside!r})" if beside else repr(about["pretrained"]),
        checked=", options.weights" if beside else "",
        help=f"the stock weights, an open_clip tag or a file ({what})".replace("%", "%%"),
        early="import io\n" if adapter_file.srgb else "",
        cms="ImageCms, " if adapter_file.srgb else "",
        imports="import tempfile\n" if config else "",
    )
    model = _CONFIG if config else _NAMED.format(model=about["backbone"])
    several = about.get("synonyms") or about.get("templates")
    before, after = (_SEVERAL_TEXTS, _SEVERAL_ENCODED) if several else (_TEXTS, _ENCODED)
    read = _READ_SRGB if adapter_file.srgb else _READ
    return head + model + _IMAGES + before + _LEARNED + after + read + _TAIL


def weights_file(adapter_file: AdapterFile) -> Path | None:
    """The checkpoint that the script needs beside itself; None where open_clip downloads it."""
    about = adapter_file.metadata
    if about["pretrained"] == "assets":
        return ASSETS / f"{about['backbone']}.safetensors"
    given = Path(adapter_file.settings.pretrained or about["pretrained"])
    # A file that is no longer there, or was on another machine, is not a tag either.
    return given.resolve() if given.is_file() or given.suffix in CHECKPOINTS else None


def _one_line(text: str) -> str:
    """Text that can end neither the docstring nor a string of the script."""
    return " ".join(text.replace("\\", "/").replace('"', "'").replace("%", "%%").split())

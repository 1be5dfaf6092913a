"""A backbone from an open_clip model that is in memory: the same numbers, and the model untouched."""

import json

import open_clip
import pytest
import torch
from torch import nn
from torchvision import transforms
from torchvision.transforms import v2

from tests.conftest import Arrays
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.user_model import backbone_from
from ueo_core.training.loop import adapt, image_features
from ueo_core.utils.errors import UserError

CLASSES = ["dog", "cat", "house"]
PREPROCESS = {"size": 32, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.25)}


def user_model(files) -> nn.Module:
    """A model as a user would have it: in training mode, some of it frozen, channels last."""
    config, weights = files
    model = open_clip.model.CLIP(**json.loads(config.read_text(encoding="utf-8")))
    open_clip.load_checkpoint(model, str(weights))
    model.visual.to(memory_format=torch.channels_last)
    for i, p in enumerate(model.parameters()):
        p.requires_grad_(i % 3 > 0)
    model.train()
    model.transformer.eval()
    return model


@pytest.fixture(params=["vit", "resnet"])
def files(request, tiny_files):
    return tiny_files[request.param]


@pytest.fixture
def tokenizer():
    return open_clip.SimpleTokenizer(context_length=16)


def state(model: nn.Module) -> dict:
    """Everything that may not change, by name: identities, flags, layouts and values."""
    found = {}
    for name, module in model.named_modules():
        found[name, "module"] = id(module), module.training, type(module)
        found[name, "attributes"] = {
            k: id(v) for k, v in vars(module).items() if not isinstance(v, dict)
        }
        found[name, "hooks"] = {k: len(v) for k, v in vars(module).items() if "hooks" in k}
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        found[name, "tensor"] = (
            id(value),
            value.data_ptr(),
            value.requires_grad,
            value.stride(),
            value.dtype,
            value.grad,
            value.detach().clone().numpy().tobytes(),
        )
    return found


@pytest.mark.parametrize("fast", [False, True])
def test_training_leaves_the_users_model_exactly_as_it_is(files, tokenizer, fast):
    model = user_model(files)
    before = state(model)
    backbone = backbone_from(model, tokenizer, PREPROCESS, name="mine", fast=fast)
    adapted = AdaptedCLIP(backbone, CLASSES)
    views = Views(Arrays(6), backbone)
    settings = Settings(epochs=2, batch_size=3, lr=0.5, device="cpu")
    steps = list(adapt(adapted, views, torch.linspace(0.4, 0.9, 6), settings))
    assert len(steps) == 4 and adapted.change() > 0
    assert state(model) == before
    assert "forward" not in vars(model) and "attention" not in vars(model.transformer.resblocks[0])


def test_only_fast_replaces_parts_and_only_in_the_copy(files, tokenizer):
    model = user_model(files)
    plain = backbone_from(model, tokenizer, PREPROCESS, name="mine")
    fast = backbone_from(model, tokenizer, PREPROCESS, name="mine", fast=True)
    replaced = [
        sum("attention" in vars(m) for m in which.modules())
        for which in (model, plain.model, fast.model)
    ]
    assert replaced[:2] == [0, 0] and replaced[2] >= 2


def test_features_are_the_models_own_and_weights_are_shared(files, tokenizer):
    model = user_model(files)
    backbone = backbone_from(model, tokenizer, PREPROCESS, name="mine")
    shared = {p.data_ptr() for p in model.parameters()}
    assert all(p.data_ptr() in shared for p in backbone.model.parameters())
    assert not any(p.requires_grad for p in backbone.model.parameters())
    adapted = AdaptedCLIP(backbone, CLASSES)
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = adapted.encode_image(images)
        expected = model.eval().encode_image(images, normalize=True)
    assert torch.equal(ours, expected)
    assert adapted.logit_scale == float(model.logit_scale.detach().exp())


def test_it_is_the_backbone_that_load_makes_of_the_same_file(files):
    config, weights = files
    loaded = backbones.load(str(config), str(weights), "cpu")
    stock = backbones.stock(str(config), str(weights))
    made = backbone_from(stock.model, stock.tokenizer, stock.preprocess, name="x", fast=True)
    assert made.fingerprint == loaded.fingerprint
    assert made.preprocessing == loaded.preprocessing
    images = Arrays(3)
    ours, own = (image_features(AdaptedCLIP(b, CLASSES), Views(images, b)) for b in (made, loaded))
    assert torch.equal(ours, own)


def test_quick_mode_is_the_same_cut_with_plain_modules(tiny_files, tokenizer):
    model = user_model(tiny_files["vit"])
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    heads = []
    for fast in (False, True):
        backbone = backbone_from(model, tokenizer, PREPROCESS, name="mine", fast=fast)
        heads.append(AdaptedCLIP(backbone, CLASSES, mode="quick").tail.head(images))
    assert heads[0].shape == (3, 1, 32)
    torch.testing.assert_close(heads[0], heads[1], atol=1e-5, rtol=1e-4)


def test_half_precision_is_converted_in_the_copy(tiny_files, tokenizer):
    model = user_model(tiny_files["vit"]).bfloat16()
    backbone = backbone_from(model, tokenizer, PREPROCESS, name="mine")
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in backbone.model.parameters()} == {torch.float32}
    for ours, own in zip(backbone.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, own.float())


TO_TENSOR = [transforms.ToTensor(), transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.25))]


@pytest.mark.parametrize(
    "preprocess",
    [
        PREPROCESS,
        PREPROCESS | {"size": (32, 32), "interpolation": "bicubic", "resize_mode": "shortest"},
        open_clip.image_transform(32, False, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)),
        open_clip.image_transform(32, True, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)),
        transforms.Compose([transforms.Resize(36), transforms.CenterCrop(32), *TO_TENSOR]),
        transforms.Compose([transforms.Resize([32, 32]), *TO_TENSOR]),
        v2.Compose(
            [
                v2.Resize(32),
                v2.CenterCrop(32),
                v2.Normalize(*(PREPROCESS[k] for k in ("mean", "std"))),
            ]
        ),
    ],
)
def test_preprocessing_is_read_from_a_config_or_a_transform(tiny_files, tokenizer, preprocess):
    backbone = backbone_from(user_model(tiny_files["vit"]), tokenizer, preprocess, name="mine")
    assert backbone.preprocessing.size == (32, 32)
    own = backbone.preprocessing
    assert own.mean == (0.5, 0.4, 0.3) and own.std == (0.2, 0.3, 0.25)


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        (None, "it does not tell size and mean and std"),
        (lambda image: image, "it does not tell size and mean and std"),
        (transforms.Compose([transforms.Resize(32)]), "it does not tell mean and std"),
        (transforms.Compose(TO_TENSOR), "it does not tell size"),
        (PREPROCESS | {"mean": 0.5}, "its mean is 0.5; give three numbers"),
        (
            PREPROCESS | {"size": (32, 48)},
            "32 × 48 pixels are not the 32 × 32 that its image tower",
        ),
        (PREPROCESS | {"size": "32"}, "its size is '32'; give a side in pixels"),
        (PREPROCESS | {"size": (32, 32, 3)}, "give a side in pixels, or height and width"),
        (PREPROCESS | {"resize_mode": "stretch"}, "its resize mode 'stretch' is not known"),
        (PREPROCESS | {"interpolation": "nearest"}, "its interpolation 'nearest' is not supported"),
        (PREPROCESS | {"fill_color": 300}, "its fill color is 300; give a gray value"),
    ],
)
def test_preprocessing_that_cannot_be_read_is_an_error(tiny_files, tokenizer, preprocess, message):
    with pytest.raises(UserError, match=message):
        backbone_from(user_model(tiny_files["vit"]), tokenizer, preprocess, name="mine")


def test_another_model_or_tokenizer_is_an_error(tiny_files, tokenizer):
    with pytest.raises(UserError, match="Linear has no `visual`"):
        backbone_from(nn.Linear(2, 2), tokenizer, PREPROCESS, name="mine")
    with pytest.raises(UserError, match="open_clip.get_tokenizer"):
        backbone_from(user_model(tiny_files["vit"]), open_clip.tokenize, PREPROCESS, name="mine")

"""What a checkpoint file may be, and the true cause for each that is refused."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from ueo_core.models import backbones
from ueo_core.utils.errors import UserError


@pytest.fixture
def weights(tiny_files):
    return load_file(tiny_files["vit"][1])


@pytest.fixture
def load(tiny_files):
    config, _ = tiny_files["vit"]
    return lambda path: backbones.load(str(config), str(path), "cpu")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_training_checkpoint_is_the_same_model(tiny_files, weights, load, tmp_path, prefix):
    named = {f"{prefix}{key}": value for key, value in weights.items()}
    torch.save({"epoch": 3, "name": "run", "state_dict": named}, tmp_path / "epoch_3.pt")
    found, wanted = load(tmp_path / "epoch_3.pt"), load(tiny_files["vit"][1])
    assert found.fingerprint == wanted.fingerprint


def test_names_of_distributed_training_in_safetensors(tiny_files, weights, load, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({f"module.{key}": value for key, value in weights.items()}, path)
    assert load(path).fingerprint == load(tiny_files["vit"][1]).fingerprint


def test_a_torchscript_archive(load, tmp_path):
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(str(path))
    with pytest.raises(UserError, match=r"ViT-B-32.pt”: it is a TorchScript archive.*safetensors"):
        load(path)


def test_a_git_lfs_pointer(load, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 605143316\n")
    with pytest.raises(UserError, match=r"w.safetensors”: it is a git-lfs pointer.*git lfs pull"):
        load(path)


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_an_empty_file(load, tmp_path, suffix):
    (tmp_path / f"w.{suffix}").touch()
    with pytest.raises(UserError, match=r"the file is empty; download it again"):
        load(tmp_path / f"w.{suffix}")


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_file_that_is_cut(weights, load, tmp_path, suffix, share):
    path = tmp_path / f"w.{suffix}"
    torch.save(weights, path) if suffix == "pt" else save_file(weights, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"the file is cut short; download it again"):
        load(path)


@pytest.mark.parametrize("header", [b"[]", b"5", b'{"x": {}}', b"[" * 200_000, b"\xff"])
def test_a_header_that_is_no_header(load, tmp_path, header):
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(UserError, match=r"does not fit"):
        load(path)


def test_weights_of_another_family(load, tmp_path):
    path = tmp_path / "model.safetensors"
    layers = {f"bert.encoder.layer.{i}.output.dense.weight": torch.zeros(2) for i in range(12)}
    save_file(layers, path)
    with pytest.raises(UserError, match=r"weights of another family of models than .*tiny-vit"):
        load(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("key", ["visual.ln_post.weight", "token_embedding.weight"])
def test_weights_that_are_not_finite(weights, load, tmp_path, key, value):
    weights[key].view(-1)[1] = value
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=rf"its weights “{key}” hold NaN or infinite values"):
        load(tmp_path / "w.safetensors")


def test_statistics_that_are_not_finite(tiny_files, tmp_path):
    config, path = tiny_files["resnet"]
    weights = load_file(path)
    weights["visual.bn1.running_var"][0] = float("inf")
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"“visual.bn1.running_var” hold NaN or infinite"):
        backbones.load(str(config), str(tmp_path / "w.safetensors"), "cpu")


def test_weights_that_overflow_float16(weights, load, tmp_path):
    path = tmp_path / "w.safetensors"
    weights["text_projection"].view(-1)[0] = -65504.0
    save_file(weights, path)
    load(path)
    weights["text_projection"].view(-1)[0] = -1e38
    save_file(weights, path)
    with pytest.raises(UserError, match=r"“text_projection” reach 1e\+38.*overflows float16"):
        load(path)

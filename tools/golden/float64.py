"""Runs a transformers model wholly in float64: what its code asks to be done in fp32 (norms, rotary angles, softmax) is
done in float64 too. This is the reference that golden logits are compared with."""

import contextlib
import hashlib
import json
import pathlib

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def wide():
    """Inside, fp32 means float64 for whoever names it through torch."""
    saved = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = saved


def to_float64(model):
    """Weights exactly as stored, rotary frequencies computed anew in float64."""
    model = model.double().eval()
    with wide():
        model.model.rotary_emb = type(model.model.rotary_emb)(model.config)
    assert model.model.rotary_emb.inv_freq.dtype == torch.float64
    return model


@torch.no_grad()
def logits_of(model, ids):
    """(batch, position, vocabulary) in float64."""
    with wide():
        out = model(input_ids=ids, use_cache=False).logits
    assert out.dtype == torch.float64
    return out


@torch.no_grad()
def fp32_logits_of(model, ids):
    """What transformers itself computes in fp32, on the same weights."""
    return model.float().eval()(input_ids=ids, use_cache=False).logits


def error_of(values, exact):
    """The largest error and the rms error: what a computation in fp32 is measured by."""
    error = values.double() - exact.double()
    return torch.stack([error.abs().max(), error.square().mean().sqrt()]).float()


def nll_of(logits, ids):
    """Of ids[1:] under logits (position, vocabulary), in nats."""
    return -torch.log_softmax(logits[:-1].double(), -1).gather(1, ids[1:, None])[:, 0]


def write_manifest(name, script, versions, extra, files):
    """`files`: paths below tests/golden."""
    here = pathlib.Path(script).resolve()
    manifest = {
        "script": str(here.relative_to(ROOT)),
        "script_sha256": hashlib.sha256(here.read_bytes()).hexdigest(),
        "versions": {module.__name__: module.__version__ for module in versions},
        **extra,
        "sha256": {str(p.relative_to(ROOT / "tests/golden")): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)},
    }
    (ROOT / f"tests/golden/MANIFEST.{name}.json").write_text(json.dumps(manifest, indent=1) + "\n")


def files_under(*folders):
    return [p for folder in folders for p in pathlib.Path(folder).rglob("*") if p.is_file()]

"""Makes tests/golden/ggml_types: blocks of every ggml type as ggml itself encodes and decodes them.

vectors.bin holds arrays end to end; vectors.txt says, one per line: name, dtype, offset, count.
  input            fp32 rows of 256; rows.txt names them
  TYPE.encoded     `input` as ggml_quantize_chunk writes it, without an importance matrix
  TYPE.blocks      random bytes with finite scales, and TYPE.decoded, their fp32 values

The encoder is ggml's C code of a llama-cpp-python source distribution, compiled here without contraction of multiply-add.
Its bytes must be those of the installed library. Decoded values must be the same from that code, the installed library
and the gguf package. The manifest counts the blocks of random rows that a build with contraction encodes differently.

Usage: python tools/golden/ggml_types.py GGML   (GGML: vendor/llama.cpp/ggml of the source distribution; needs gcc, gguf,
llama_cpp, numpy, torch)
"""

import ctypes
import importlib.metadata
import pathlib
import subprocess
import sys
import tempfile
import types

import gguf
import llama_cpp
import numpy as np
from float64 import ROOT, files_under, write_manifest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type

OUT = ROOT / "tests/golden/ggml_types"
SEED = 20261125
ENCODED = "F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K IQ4_NL".split()
PLAIN = {"F32": "<f4", "F16": "<f2", "BF16": None, "F64": "<f8", "I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}
# Where a block's fp16 factors lie. IQ1_M (in four nibbles), Q8_K (fp32) and MXFP4 (a power of two) have none.
FACTORS = dict(Q4_0=[0], Q4_1=[0, 2], Q5_0=[0], Q5_1=[0, 2], Q8_0=[0], Q2_K=[80, 82], Q3_K=[108], Q4_K=[0, 2],
               Q5_K=[0, 2], Q6_K=[208], Q8_K=[], IQ1_S=[0], IQ1_M=[], IQ2_XXS=[0], IQ2_XS=[0], IQ2_S=[0], IQ3_XXS=[0],
               IQ3_S=[0], IQ4_NL=[0], IQ4_XS=[0], TQ1_0=[52], TQ2_0=[64], MXFP4=[])
COMMON = "-std=gnu11 -D_GNU_SOURCE -DNDEBUG -fPIC -shared -w".split()
PLAINLY = ["-O2", "-ffp-contract=off"]
CONTRACTED = ["-O3", "-mavx2", "-mfma", "-mf16c", "-ffp-contract=fast"]


def compiled(source, flags, folder):
    """ggml-quants.c and the dispatch in ggml.c; what they need of the rest is not called."""
    (folder / "ggml-version.h").write_text('#define GGML_VERSION ""\n#define GGML_COMMIT ""\n')
    names = "critical_section_start critical_section_end backend_buffer_get_usage backend_tensor_memset backend_tensor_set"
    (folder / "rest.c").write_text("".join(f"void ggml_{n}(void) {{}}\n" for n in names.split()))
    library = folder / ("ggml" + "".join(flags) + ".so")
    includes = [f"-I{p}" for p in (folder, source / "include", source / "src", source / "src/ggml-cpu")]
    code = [source / "src/ggml-quants.c", source / "src/ggml.c", folder / "rest.c"]
    subprocess.run(["gcc", *COMMON, *flags, *includes, *code, "-o", library, "-lm"], check=True)
    return ctypes.CDLL(str(library))


def encode(library, name, rows):
    elements, size = GGML_QUANT_SIZES[Type[name]]
    rows = np.ascontiguousarray(rows, np.float32)
    out = np.zeros(rows.size // elements * size, np.uint8)
    call = library.ggml_quantize_chunk
    call.restype = ctypes.c_size_t
    call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p]
    assert call(Type[name], rows.ctypes.data, out.ctypes.data, 0, *rows.shape, None) == out.size
    return out


def decode(library, name, blocks):
    elements, size = GGML_QUANT_SIZES[Type[name]]
    out = np.zeros(blocks.size // size * elements, np.float32)
    call = getattr(library, "dequantize_row_" + name.lower().replace("_k", "_K"))
    call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    call(blocks.ctypes.data, out.ctypes.data, out.size)
    return out


def same(a, b):
    return np.array_equal(a.view(np.uint8), b.view(np.uint8))


def input_rows(rng):
    n = rng.standard_normal
    f = np.float32
    alternating = np.where(np.arange(256) % 2, -1, 1)
    yield "zeros", np.zeros(256)
    yield "negative-zeros", -np.zeros(256)
    yield "constant", np.full(256, 1 / 3)
    yield "negative-constant", np.full(256, -0.3)
    yield "almost-constant", -1 - 2.0**-23 * rng.integers(0, 3, 256)
    yield "one-element", np.where(np.arange(256) == 100, -0.7, 0)
    yield "extremes", alternating * np.finfo(f).max
    yield "one-extreme", np.where(np.arange(256) == 9, np.finfo(f).max, n(256))
    yield "large", n(256) * 1e18
    yield "beyond-fp16", n(256) * 1e7
    yield "denormal", n(256) * 1e-40
    yield "smallest", rng.integers(-3, 4, 256) * 2.0**-149
    yield "denormal-scale", n(256) * 1e-36
    yield "fp16-denormal-scale", n(256) * 1e-6
    yield "about-negligible", n(256) * 10.0 ** rng.uniform(-16, -13, 256)
    outlier = n(256) * 0.02
    outlier[77] = 1e4
    yield "outlier", outlier
    outlier[[3, 200]] = -1e30, 1e30
    yield "huge-outliers", outlier
    for scale in (1e-4, 0.02, 1.0, 300.0):
        yield f"normal-{scale:g}", n(256) * scale
    yield "heavy", n(256) ** 3 * 0.05
    yield "positive", np.abs(n(256)) + 0.5
    yield "negative", -np.abs(n(256)) - 0.5
    yield "sparse", n(256) * (rng.random(256) < 0.05)
    yield "runs", n(256) * np.repeat(10.0 ** rng.uniform(-6, 3, 16), 16)
    yield "some-zero-runs", n(256) * np.repeat(rng.integers(0, 2, 16), 16)
    yield "integers", rng.integers(-8, 9, 256)
    yield "ties-127", rng.integers(-254, 255, 256) / 2 + np.where(np.arange(256) % 32, 0, 127)
    halves = rng.integers(-20, 20, 256) + 0.5
    halves[1::8] = 0.5
    yield "below-ties", np.where(np.arange(256) % 32, np.nextafter(halves.astype(f), f(0)), 127)
    yield "ties-8", np.where(np.arange(256) % 32, rng.integers(-15, 16, 256) / 2, -8)
    yield "ties-16", np.where(np.arange(256) % 32, rng.integers(-31, 32, 256) / 2, 16)
    yield "ties-15", np.where(np.arange(256) % 32 == 1, 15, np.where(np.arange(256) % 32, rng.integers(0, 31, 256) / 2, 0))
    iq4 = np.array(gguf.quants.IQ4_NL.kvalues)
    yield "ties-iq4", np.where(np.arange(256) % 32, rng.choice(iq4[:-1] + iq4[1:], 256) / 2, -127)
    yield "ramp", np.linspace(-1, 2, 256)
    yield "two-values", rng.choice([-0.125, 0.125], 256)


def random_blocks(rng, name):
    elements, size = GGML_QUANT_SIZES[Type[name]]
    blocks = rng.integers(0, 256, (768 // elements, size), np.uint8)
    for at in FACTORS[name]:
        bits = rng.integers(0, 0x7C00, len(blocks)).astype(np.uint16) | (rng.integers(0, 2, len(blocks)) << 15).astype(np.uint16)
        blocks[:, at : at + 2] = bits.reshape(-1, 1).view(np.uint8)
    if name == "IQ1_M":
        blocks[:, 55] &= 0xBF  # the fp16 exponent is not all ones
    if name == "Q8_K":
        blocks[:, :4] = (rng.standard_normal(len(blocks)) * 0.01).astype(np.float32).reshape(-1, 1).view(np.uint8)
    return blocks


def plain_values(rng, name):
    dtype = PLAIN[name]
    if name == "BF16":
        bits = np.concatenate([rng.integers(0, 0x7F80, 56), [0, 0x8000, 1, 0x8001, 0x7F, 0x7F80, 0xFF80, 0x3F80]])
        return bits.astype(np.uint16), (bits.astype(np.uint32) << 16).view(np.float32)
    if dtype[1] == "i":
        info = np.iinfo(dtype)
        values = np.concatenate([rng.integers(info.min, info.max, 60, dtype), [info.min, info.max, 0, -1]]).astype(dtype)
    else:
        info = np.finfo(dtype)
        some = rng.standard_normal(48) * 10.0 ** rng.uniform(-4, 3, 48)
        edge = [0.0, -0.0, info.max, -info.max, info.smallest_subnormal, info.tiny, -info.tiny / 2, np.inf, -np.inf]
        single = [1 + 2.0**-24, 1 + 3 * 2.0**-24, 1e-42, 3.5e38, -1e-46, 2.0**-150, 0.1]  # where fp32 rounds or ends
        values = np.concatenate([some, edge, single]).astype(dtype)
    with np.errstate(over="ignore"):
        return values, values.astype(np.float32)


def main():
    rng = np.random.default_rng(SEED)
    source = pathlib.Path(sys.argv[1])
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        plainly = compiled(source, PLAINLY, pathlib.Path(folder))
        contracted = compiled(source, CONTRACTED, pathlib.Path(folder))
    installed = ctypes.CDLL(str(pathlib.Path(llama_cpp.__file__).parent / "lib/libggml-base.so"))

    arrays = {}
    with np.errstate(over="ignore"):
        names, rows = zip(*((name, np.asarray(row, np.float32)) for name, row in input_rows(rng)))
    arrays["input"] = np.stack(rows)
    sample = (rng.standard_normal((2000, 256)) * 0.02).astype(np.float32)
    differences = {}
    for name in ENCODED:
        arrays[f"{name}.encoded"] = encode(plainly, name, arrays["input"])
        for some in (arrays["input"], sample):
            assert same(encode(plainly, name, some), encode(installed, name, some)), f"{name}: the installed library differs"
        size = GGML_QUANT_SIZES[Type[name]][1]
        unequal = encode(plainly, name, sample) != encode(contracted, name, sample)
        differences[name] = f"{unequal.reshape(-1, size).any(1).mean():.4f}"
    for name in FACTORS:
        blocks = random_blocks(rng, name)
        values = decode(plainly, name, blocks)
        assert same(values, decode(installed, name, blocks)), f"{name}: the installed library differs"
        if name != "Q8_K":
            package = gguf.quants.dequantize(blocks, Type[name])
            assert same(values, np.ascontiguousarray(package).ravel()), f"{name}: the gguf package differs"
        arrays[f"{name}.blocks"], arrays[f"{name}.decoded"] = blocks, values
    for name in PLAIN:
        arrays[f"{name}.blocks"], arrays[f"{name}.decoded"] = plain_values(rng, name)

    (OUT / "rows.txt").write_text("".join(name + "\n" for name in names))
    offset = 0
    with open(OUT / "vectors.bin", "wb") as data, open(OUT / "vectors.txt", "w") as index:
        for name, array in arrays.items():
            array = np.ascontiguousarray(array)
            if name.endswith(".blocks"):
                array = array.view(np.uint8)
            index.write(f"{name} {array.dtype.name} {offset} {array.size}\n")
            data.write(array.tobytes())
            offset += array.nbytes
    versions = [types.SimpleNamespace(__name__=n, __version__=importlib.metadata.version(n))
                for n in ("gguf", "llama_cpp_python", "numpy")]
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    write_manifest("ggml_types", __file__, versions, {
        "seed": SEED, "gcc": gcc, "flags": PLAINLY, "contracted_flags": CONTRACTED,
        "share_of_blocks_that_contraction_changes": differences, "sampled_rows": "2000 of 256, normal, 0.02",
        "installed_library_differs": 0}, files_under(OUT))


main()

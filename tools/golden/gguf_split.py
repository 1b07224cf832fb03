"""Makes tests/golden/gguf_split: tests/golden/gguf/llama_q8_0.gguf in three files, as the gguf package splits.

Usage: python tools/golden/gguf_split.py   (needs gguf)
"""

import importlib.metadata
import shutil

import gguf
import numpy
from float64 import ROOT, files_under, write_manifest

SOURCE, OUT = ROOT / "tests/golden/gguf/llama_q8_0.gguf", ROOT / "tests/golden/gguf_split"


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    reader = gguf.GGUFReader(SOURCE)
    out = gguf.GGUFWriter(OUT / "llama_q8_0.gguf", "llama", split_max_tensors=5)
    for key, field in reader.fields.items():
        if key.startswith("llama."):
            out.add_key_value(key, field.contents(), field.types[0])
    for tensor in reader.tensors:
        out.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    write_manifest("gguf_split", __file__, [numpy], {"gguf": importlib.metadata.version("gguf")}, files_under(OUT))


if __name__ == "__main__":
    main()

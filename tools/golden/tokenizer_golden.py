"""Makes tests/golden/tokenizers: small tokenizers of every kind and what their references make of tokenizer_strings.py.

Usage: python tools/golden/tokenizer_golden.py VOCABULARIES TEXT
    VOCABULARIES  a folder of full vocabularies: gpt2, smollm2, qwen3, pythia, mistral-v3, stories-json, stories-model
    TEXT          what the others are trained on, public domain (tinyshakespeare.txt)
The first tokens and merges are kept of the published ones whose licence allows it (gpt2 and stories260K MIT; smollm2, qwen3,
pythia, mistral-v3 Apache-2.0); for the pre-tokenizers of Llama 3, DeepSeek and others a vocabulary is trained here.
Needs tokenizers, transformers, sentencepiece, gguf, protobuf, torch (for the manifest's module)."""

import copy
import json
import pathlib
import shutil
import sys
import zlib
from array import array

import gguf
import sentencepiece
import tokenizers
import transformers
from float64 import ROOT, files_under, write_manifest
from sentencepiece import sentencepiece_model_pb2
from tokenizer_kinds import AROUND, KINDS, LETTERS, character_blocks, kinds_base
from tokenizer_oracles import BYTE, CONTROL, NORMAL, UNKNOWN, USER, Reference, open_oracle, pre_tokenizer, text_of
from tokenizer_strings import texts
from tokenizer_vectors import id_lists
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = ROOT / "tests/golden/tokenizers"
TEXTS = texts(60)
KEPT_MERGES = 1200


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def crc(data):
    return zlib.crc32(data)


def crc_of_ids(ids):
    return crc(array("i", ids).tobytes())


def expect(path, oracle, count=40):
    """`path`.expected.json. Ids per text; where decoding gives the text back, nothing is said."""
    bare = [oracle.encode(text, False, True) for text in TEXTS]
    prefix, suffix = around(oracle)
    assert all(oracle.encode(text, True, True) == prefix + ids + suffix for text, ids in zip(TEXTS, bare))
    plain = {i: oracle.encode(text, False, False) for i, text in enumerate(TEXTS)}
    decoded = []
    for i, ids in enumerate(id_lists(oracle, bare, count)):
        whole, skipped = oracle.decode(ids, False), oracle.decode(ids, True)
        row = {} if i < len(TEXTS) else {"ids": ids}
        usual = text_of(TEXTS[i]) if i < len(TEXTS) else None
        for name, value, expected in (("whole", whole, usual), ("skipped", skipped, whole), ("stream", oracle.stream(ids, False), whole),
                                      ("stream_skipped", oracle.stream(ids, True), skipped)):
            if value != expected:
                row[name] = value
        decoded.append(row)
    write_json(path.with_name(path.name + ".expected.json"), {
        "prefix": prefix, "suffix": suffix, "ids": bare, "plain": {i: ids for i, ids in plain.items() if ids != bare[i]}, "decoded": decoded})


def around(oracle):
    """What is put before and after a text."""
    probe, inner = oracle.encode(b"a b", True, True), oracle.encode(b"a b", False, True)
    at = next(i for i in range(len(probe) + 1) if probe[i : i + len(inner)] == inner)
    return probe[:at], probe[at + len(inner) :]


def expect_checksums(path, oracle):
    """Only a checksum of each text's ids and of what they decode to."""
    bare = [oracle.encode(text, False, True) for text in TEXTS]
    prefix, suffix = around(oracle)
    write_json(path.with_name(path.name + ".expected.json"), {
        "prefix": prefix, "suffix": suffix, "checksums": [crc_of_ids(ids) for ids in bare],
        "decoded": [crc(oracle.decode(ids, False).encode()) for ids in bare]})


def numbered(added, vocabulary):
    """Added tokens with the ids that the library gives them, whatever the file says: their own in the vocabulary, else the next."""
    following = len(vocabulary)
    for token in added:
        token["id"] = vocabulary.get(token["content"], following)
        following += token["content"] not in vocabulary
    return added


def trimmed(path):
    """The first merges of a tokenizer.json and the tokens that they need."""
    whole = json.loads(path.read_text())
    merges = [m.split(" ") if isinstance(m, str) else m for m in whole["model"]["merges"][:KEPT_MERGES]]
    added = {token["content"] for token in whole["added_tokens"]}
    kept = added | {part for merge in merges for part in [*merge, "".join(merge)]}
    vocabulary = {t: i for t, i in whole["model"]["vocab"].items() if len(t) == 1 or t in kept or t.startswith("<0x")}
    as_text = isinstance(whole["model"]["merges"][0], str)
    whole["model"] |= {"vocab": vocabulary, "merges": [" ".join(m) if as_text else m for m in merges]}
    numbered(whole["added_tokens"], vocabulary)
    return whole


def trimmed_files(folder, out):
    vocabulary = json.loads((folder / "vocab.json").read_text())
    lines = (folder / "merges.txt").read_text().split("\n")[: KEPT_MERGES + 1]
    kept = {part for line in lines[1:] for part in [*line.split(" "), line.replace(" ", "")]} | {"<|endoftext|>"}
    write_json(out / "vocab.json", {t: i for t, i in vocabulary.items() if len(t) == 1 or t in kept})
    (out / "merges.txt").write_text("\n".join(lines) + "\n")


def trimmed_pieces(path, count):
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(path.read_bytes())
    kept = [p for p in proto.pieces if p.type != NORMAL or len(p.piece) == 1]
    kept += [p for p in proto.pieces if p.type == NORMAL and len(p.piece) > 1][:count]
    order = {id(p): i for i, p in enumerate(proto.pieces)}
    kept = [copy.deepcopy(p) for p in sorted(kept, key=lambda p: order[id(p)]) if p.type != NORMAL or len(p.piece) > 1 or p.piece < "\u0500"]
    del proto.pieces[:]
    proto.pieces.extend(kept)
    proto.trainer_spec.vocab_size = len(kept)
    return proto.SerializeToString()


def trained(text, size, steps, specials, **settings):
    """A byte-level BPE tokenizer with the given pre-tokenizer."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=settings.get("ignore_merges", False)))
    tokenizer.pre_tokenizer, tokenizer.decoder = steps, decoders.ByteLevel()
    if settings.get("normalizer"):
        tokenizer.normalizer = settings["normalizer"]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train([str(text)], trainer)
    return tokenizer


def make_json(full, text):
    for name in ("smollm2", "qwen3", "pythia"):
        write_json(OUT / name / "tokenizer.json", trimmed(full / name / "tokenizer.json"))
    for name, file in (("stories-json", "tokenizer.json"), ("stories-model", "tokenizer.model")):
        (OUT / name).mkdir(parents=True)
        shutil.copy(full / name / file, OUT / name / file)
    trimmed_files(full / "gpt2", OUT / "gpt2")
    specials = {"llama3": ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
                "deepseek": ["<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>"]}
    llama3 = trained(text, 800, pre_tokenizer("llama-bpe"), specials["llama3"], ignore_merges=True)
    bos = specials["llama3"][0]
    llama3.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, llama3.token_to_id(bos))])])
    (OUT / "llama3").mkdir()
    llama3.save(str(OUT / "llama3/tokenizer.json"), pretty=False)
    for name in ("deepseek-llm", "deepseek-coder", "deepseek-v3"):
        (OUT / name).mkdir()
        trained(text, 700, pre_tokenizer(name), specials["deepseek"]).save(str(OUT / name / "tokenizer.json"), pretty=False)
    qwen = trained(text, 700, pre_tokenizer("qwen2"), [], normalizer=normalizers.NFC())
    (OUT / "qwen2-files").mkdir()
    qwen.model.save(str(OUT / "qwen2-files"))
    write_json(OUT / "qwen2-files/tokenizer_config.json", {"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": False, "added_tokens_decoder": {
        str(700 + i): {"content": content, "special": True, "normalized": False} for i, content in enumerate(("<|endoftext|>", "<|im_start|>", "<|im_end|>"))}})
    qwen.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    oracles = {"qwen2-files": Reference(qwen)}
    for folder in sorted(p for p in OUT.iterdir() if p.is_dir()):
        expect(folder, oracles.get(folder.name) or open_oracle(folder))
    expect(OUT / "gutenberg-16m", open_oracle(ROOT / "models/gutenberg-16m"))


def make_pieces(full, text):
    (OUT / "mistral-v3").mkdir()
    (OUT / "mistral-v3/tokenizer.model").write_bytes(trimmed_pieces(full / "mistral-v3/tokenizer.model", 900))
    variants = {"pieces-user": dict(byte_fallback=True, remove_extra_whitespaces=False, user_defined_symbols=["<sep>", "<|im_start|>", "the", "\u2581\u2581", "\n"], control_symbols=["<ctl>"]),
                "pieces-collapse": dict(byte_fallback=True, remove_extra_whitespaces=True),
                "pieces-no-prefix": dict(byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False),
                "pieces-no-bytes": dict(byte_fallback=False, remove_extra_whitespaces=False)}
    for name, settings in variants.items():
        (OUT / name).mkdir()
        sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=str(OUT / name / "tokenizer"), model_type="bpe", num_threads=1, minloglevel=2,
                                                 normalization_rule_name="identity", vocab_size=340 if not settings["byte_fallback"] else 600, **settings)
        (OUT / name / "tokenizer.vocab").unlink()
    for name in ("mistral-v3", *variants):
        expect(OUT / name, open_oracle(OUT / name))


def write_gguf(path, fields):
    writer = gguf.GGUFWriter(str(path), "llama")
    for add, value in fields:
        getattr(writer, "add_" + add)(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def merge_fields(tokenizer, name, **more):
    """tokenizer.ggml.* of a tokenizer.json."""
    vocabulary = {t: i for t, i in tokenizer["model"]["vocab"].items()} | {t["content"]: t["id"] for t in tokenizer["added_tokens"]}
    special = {t["content"]: CONTROL if t["special"] else USER for t in tokenizer["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.get)
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    return [("tokenizer_model", "gpt2"), ("tokenizer_pre", name), ("token_list", tokens), ("token_types", [special.get(t, NORMAL) for t in tokens]), ("token_merges", merges), *more.items()]


def make_gguf(text):
    folder = OUT / "gguf"
    folder.mkdir()
    smollm2 = json.loads((OUT / "smollm2/tokenizer.json").read_text())
    ids = {i: n for n, i in enumerate(sorted({*smollm2["model"]["vocab"].values(), *(t["id"] for t in smollm2["added_tokens"])}))}  # without holes
    smollm2["model"]["vocab"] = {t: ids[i] for t, i in smollm2["model"]["vocab"].items()}
    for token in smollm2["added_tokens"]:
        token["id"] = ids[token["id"]]
    write_gguf(folder / "smollm.gguf", merge_fields(smollm2, "smollm", bos_token_id=1, eos_token_id=2, unk_token_id=0, pad_token_id=2, add_bos_token=False))
    small = json.loads(trained(text, 420, pre_tokenizers.ByteLevel(False), ["<|endoftext|>", "<|im_start|>"]).to_str())
    for name in ("gpt-2", "llama-bpe", "qwen2", "qwen35", "mpt", "falcon", "deepseek-llm", "deepseek-coder", "deepseek-v3", "gpt-4o", "tekken", "default"):
        write_gguf(folder / f"{name}.gguf", merge_fields(small, name, bos_token_id=0, eos_token_id=0, add_bos_token=name == "tekken"))
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((OUT / "stories-model/tokenizer.model").read_bytes())
    pieces = [("tokenizer_model", "llama"), ("token_list", [p.piece for p in proto.pieces]), ("token_scores", [p.score for p in proto.pieces]), ("token_types", [p.type for p in proto.pieces]),
              ("bos_token_id", 1), ("eos_token_id", 2), ("unk_token_id", 0)]
    write_gguf(folder / "stories.gguf", pieces + [("add_bos_token", True)])
    write_gguf(folder / "stories-no-prefix.gguf", pieces + [("add_bos_token", False), ("add_eos_token", True), ("add_space_prefix", False)])
    assert {p.type for p in proto.pieces} <= {NORMAL, UNKNOWN, CONTROL, BYTE}
    for path in sorted(folder.glob("*.gguf")):
        expect_checksums(path.with_suffix(""), open_oracle(path))


def make_kinds(text):
    """Every kind of normalizer, pre-tokenizer and decoder in one small tokenizer: a checksum of the ids of each text, and of
    each block of characters."""
    base = kinds_base(trained(text, 700, pre_tokenizers.ByteLevel(False), ["<s>", "</s>"]))
    write_json(OUT / "kinds/tokenizer.json", base)
    some = [text_of(data) for data in TEXTS[::2]]
    rows = []
    for name, kind in KINDS.items():
        file = copy.deepcopy(base)
        file |= {key: kind[key] for key in ("normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens") if key in kind}
        file["model"] |= kind.get("model", {})
        numbered(kind.get("added_tokens", []), base["model"]["vocab"])
        tokenizer = Tokenizer.from_str(json.dumps(file))
        encoded = [tokenizer.encode(text).ids for text in some]
        row = {"name": name, **kind, "checksums": [crc_of_ids(ids) & 0xFFFF for ids in encoded]}
        if "decoder" in kind:
            row["decoded"] = [crc(tokenizer.decode(ids, skip_special_tokens=False).encode()) & 0xFFFF for ids in encoded]
        if row.pop("characters", True):
            row["characters"] = [crc_of_ids(tokenizer.encode(block, add_special_tokens=False).ids) for block in character_blocks()]
        rows.append(row)
    write_json(OUT / "kinds/expected.json", {"letters": LETTERS, "kinds": rows})


def make_configs():
    """What tokenizer_config.json beside a tokenizer.json changes, as transformers reads it."""
    rows, probes = [], ["Hello <s>world</s>", "", "the <pad>x th"]
    names = {"bos_token": "<s>", "eos_token": "</s>"}
    stripping = {"content": "<s>", "lstrip": True, "rstrip": True, "normalized": False, "single_word": False}
    configs = [{}, names, {"additional_special_tokens": ["th"]}, {"bos_token": {"__type": "AddedToken"} | stripping}, {"pad_token": "th"},
               names | {"added_tokens_decoder": {"0": stripping | {"special": True}, "1": {"content": "</s>", "lstrip": False, "rstrip": False, "special": True, "normalized": False, "single_word": False}}}]
    base = json.loads((OUT / "kinds/tokenizer.json").read_text())
    scratch = OUT / "scratch"
    for config in [*configs, names | {"add_bos_token": False}, names | {"add_eos_token": True}]:
        # flags do not count where tokenizer.json has a template; without a template Nibble honours them, transformers 5 does not
        for post in (None, AROUND) if "add_bos_token" not in config and "add_eos_token" not in config else (AROUND,):
            write_json(scratch / "tokenizer.json", base | {"post_processor": post})
            write_json(scratch / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"} | config)
            tokenizer = transformers.AutoTokenizer.from_pretrained(scratch)
            ids = [tokenizer(probe)["input_ids"] for probe in probes]
            rows.append({"post_processor": post, "config": config, "ids": ids, "skipped": [tokenizer.decode(i, skip_special_tokens=True) for i in ids]})
    shutil.rmtree(scratch)
    write_json(OUT / "kinds/configs.json", {"probes": probes, "cases": rows})


def main(full, text):
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    (OUT / "texts.hex").write_text("".join(data.hex() + "\n" for data in TEXTS))
    make_json(full, text)
    make_pieces(full, text)
    make_gguf(text)
    make_kinds(text)
    make_configs()
    write_manifest("tokenizers", __file__, [tokenizers, transformers], {"sentencepiece": sentencepiece.__version__, "licences": __doc__.split("\n")[5:8]}, files_under(OUT))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))

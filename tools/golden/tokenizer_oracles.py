"""Reference tokenizers: what `tokenizers` and `sentencepiece` make of a tokenizer.json, vocab.json with merges.txt,
tokenizer.model or GGUF file. An oracle answers

    encode(text, special, parse)   special: BOS and EOS are added; parse: special tokens written in the text are found
    decode(ids, skip)              skip: special tokens are left out
    stream(ids, skip)              the text that streaming should have printed at the end: like decode, but a run of byte
                                   tokens that ends malformed keeps the whole characters it began with
    size, specials, bytes          highest id + 1; ids that are interesting to decode

encode and decode may answer None where the reference has no opinion."""

import json

import sentencepiece
from gguf_metadata import read_metadata
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

META = "\u2581"
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
CASED = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+@|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*@"
GPT4O = CASED.replace("@", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?") + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = CASED.replace("@", "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = QWEN2.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]")
DEEPSEEK_CJK = "[一-龥ࠀ-一가-퟿]+"
DEEPSEEK_CASED = (
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ"
    "\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+")
DEEPSEEK_MARKS = "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+"
DEEPSEEK_V3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def text_of(data):
    """What Python, and so the reference, makes of bytes that are not UTF-8."""
    return data.decode("utf-8", errors="replace")


def isolated(*patterns):
    return [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]


def pre_tokenizer(name):
    """The pre-tokenizer of the published tokenizer.json that llama.cpp calls `name`; None: not known here."""
    byte_level, regex = pre_tokenizers.ByteLevel(False, use_regex=False), pre_tokenizers.ByteLevel(False)
    steps = {
        "gpt-2": [regex], "mpt": [regex], "olmo": [regex],
        "smollm": [pre_tokenizers.Digits(True), regex],
        "llama-bpe": isolated(LLAMA3) + [byte_level],
        "qwen2": isolated(QWEN2) + [byte_level],
        "gpt-4o": isolated(GPT4O) + [byte_level],
        "tekken": isolated(TEKKEN) + [byte_level],
        "qwen35": isolated(QWEN35) + [byte_level],
        "deepseek-llm": isolated("[\r\n]", DEEPSEEK_CASED, DEEPSEEK_MARKS, "\\s+$", DEEPSEEK_CJK) + [pre_tokenizers.Digits(True), byte_level],
        "deepseek-coder": isolated("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_CJK) + [pre_tokenizers.Digits(True), byte_level],
        "deepseek-v3": isolated(r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK_V3) + [byte_level],
        "falcon": [pre_tokenizers.Punctuation("contiguous"), regex, pre_tokenizers.Digits(False)] + isolated("[0-9][0-9][0-9]"),
        # llama.cpp's own answer where a file names no pre-tokenizer
        "default": isolated(r"[\p{P}\$\+<=>\^~\|]+", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
                            r"\p{N}+", "[0-9][0-9][0-9]") + [byte_level],
    }
    for alias in ("starcoder", "refact", "command-r"):
        steps[alias] = steps["smollm"]
    steps["deepseek-r1-qwen"] = steps["qwen2"]
    return pre_tokenizers.Sequence(steps[name]) if name in steps else None


NFC = ("qwen2", "deepseek-r1-qwen", "mpt", "olmo")


def byte_of(token):
    return int(token[3:5], 16) if len(token) == 6 and token.startswith("<0x") and token.endswith(">") else None


def salvaged(tokens):
    """Byte tokens become the characters they spell; a byte that belongs to none becomes U+FFFD."""
    out, run = [], b""
    for token in tokens + [""]:
        byte = byte_of(token)
        if byte is not None:
            run += bytes([byte])
            continue
        while run:
            size = next((n for n in (1, 2, 3, 4) if decodes(run[:n])), 0)
            out.append(run[:size].decode() if size else "\ufffd")
            run = run[size or 1 :]
        out.append(token)
    return out


def decodes(data):
    try:
        return bool(data.decode())
    except UnicodeDecodeError:
        return False


class Reference:
    """A `tokenizers.Tokenizer`."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab()
        self.size = max(vocabulary.values()) + 1
        self.specials = sorted(tokenizer.get_added_tokens_decoder())
        self.bytes = [i for t, i in vocabulary.items() if byte_of(t) is not None or len(t) == 1]
        self.falls_back = json.loads(tokenizer.to_str())["model"].get("byte_fallback", False)

    def encode(self, data, special, parse):
        self.tokenizer.encode_special_tokens = not parse
        return self.tokenizer.encode(text_of(data), add_special_tokens=special).ids

    def decode(self, ids, skip):
        return self.tokenizer.decode(ids, skip_special_tokens=skip)

    def stream(self, ids, skip):
        if not self.falls_back:
            return self.decode(ids, skip)
        added = self.tokenizer.get_added_tokens_decoder()
        tokens = [self.tokenizer.id_to_token(i) for i in ids if not (skip and i in added and added[i].special)]
        return self.tokenizer.decoder.decode(salvaged([t for t in tokens if t is not None]))


class Pieces:
    """A SentencePiece model; special tokens cut the text and every part is encoded by itself."""

    def __init__(self, proto, bos, eos, add_bos, add_eos, cutting):
        self.model = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
        self.pieces = [p.piece for p in proto.pieces]
        types = [p.type for p in proto.pieces]
        self.prefix = [bos] if add_bos else []
        self.suffix = [eos] if add_eos else []
        # special: left out by skip; cutting: types that are found in the text although the model itself would not
        self.specials = [i for i, t in enumerate(types) if t in (CONTROL, UNKNOWN)]
        self.cuts = {p: i for i, (p, t) in enumerate(zip(self.pieces, types)) if t in cutting and p}
        self.always = {p: i for p, i in self.cuts.items() if types[i] == USER}
        self.bytes = [i for i, t in enumerate(types) if t == BYTE]
        self.size = len(self.pieces)
        self.letter = next(i for i, t in enumerate(types) if t == NORMAL and META not in self.pieces[i])

    def encode(self, data, special, parse):
        text, cuts, out, begin, at = text_of(data), self.cuts if parse else self.always, [], 0, 0
        while at < len(text):
            match = max((c for c in cuts if text.startswith(c, at)), key=len, default=None)
            if match is None:
                at += 1
                continue
            out += self.model.encode(text[begin:at]) + [cuts[match]]
            begin = at = at + len(match)
        out += self.model.encode(text[begin:])
        return self.prefix + out + self.suffix if special else out

    def decode(self, ids, skip):
        ids = [i for i in ids if 0 <= i < self.size]
        if skip:
            return self.model.decode([i for i in ids if i not in self.specials])
        out, run = "", []
        for i in ids + [self.specials[0]]:
            if i not in self.specials:
                run.append(i)
                continue
            # what follows text keeps its space: decode it after a letter
            out += self.model.decode([self.letter] + run)[len(self.pieces[self.letter]) :] if out else self.model.decode(run)
            out, run = out + self.pieces[i], []
        return out[: -len(self.pieces[self.specials[0]])]

    stream = decode


def gpt2_files(folder):
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(False), decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return Reference(tokenizer)


def piece_model(path):
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(path.read_bytes())
    spec = proto.trainer_spec
    return Pieces(proto, spec.bos_id, spec.eos_id, True, False, (CONTROL, UNKNOWN))


def gguf_merges(m):
    name = m.get("tokenizer.ggml.pre", "default")
    steps = pre_tokenizer(name)
    if steps is None:
        return None
    tokens, types = m["tokenizer.ggml.tokens"], m.get("tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in m["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, ignore_merges=name in ("llama-bpe", "tekken")))
    tokenizer.pre_tokenizer, tokenizer.decoder = steps, decoders.ByteLevel()
    if name in NFC:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens([AddedToken(t, special=k != USER, normalized=False) for t, k in zip(tokens, types) if k in (CONTROL, UNKNOWN, USER)])
    reference = Reference(tokenizer)
    bos = [m["tokenizer.ggml.bos_token_id"]] if m.get("tokenizer.ggml.add_bos_token", name == "llama-bpe") else []
    plain = reference.encode
    reference.encode = lambda data, special, parse: (bos if special else []) + plain(data, False, parse)
    return reference


def gguf_pieces(m):
    proto = sentencepiece_model_pb2.ModelProto()
    for text, score, kind in zip(m["tokenizer.ggml.tokens"], m["tokenizer.ggml.scores"], m["tokenizer.ggml.token_type"]):
        proto.pieces.add(piece=text, score=score, type=kind)
    proto.trainer_spec.model_type, proto.trainer_spec.byte_fallback = 2, True
    proto.trainer_spec.unk_id = m["tokenizer.ggml.token_type"].index(UNKNOWN)
    for extra, piece in enumerate(p for p in proto.pieces if p.type == UNKNOWN):
        if extra:  # sentencepiece allows one
            piece.type = CONTROL
    spec = proto.normalizer_spec
    spec.name, spec.escape_whitespaces = "identity", True
    spec.add_dummy_prefix = m.get("tokenizer.ggml.add_space_prefix", True)
    spec.remove_extra_whitespaces = m.get("tokenizer.ggml.remove_extra_whitespaces", False)
    return Pieces(proto, m["tokenizer.ggml.bos_token_id"], m["tokenizer.ggml.eos_token_id"], m.get("tokenizer.ggml.add_bos_token", True),
                  m.get("tokenizer.ggml.add_eos_token", False), (CONTROL, UNKNOWN, USER))


def open_oracle(path):
    """Of a folder or a .gguf file; None where no reference is known."""
    if path.is_dir():
        if (path / "tokenizer.json").exists():
            return Reference(Tokenizer.from_file(str(path / "tokenizer.json")))
        return piece_model(path / "tokenizer.model") if (path / "tokenizer.model").exists() else gpt2_files(path)
    metadata = read_metadata(path)
    kinds = {"gpt2": gguf_merges, "llama": gguf_pieces}
    kind = metadata.get("tokenizer.ggml.model")
    return kinds[kind](metadata) if kind in kinds else None

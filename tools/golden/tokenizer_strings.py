"""The texts that tokenizers are compared on: what people write, what machines write, and what breaks tokenizers."""

import random

CONTRACTIONS = ["I'm", "you're", "he'S", "THEY'LL", "we'd've", "don't", "'tis", "'Twas", "rock'n'roll", "it\u2019s", "'\u017ft", "a'\u017f",
                "'s't're've'm'll'd", "'S'T'RE'VE'M'LL'D", "'", "''", "'x", "o''clock", "John's' 's", "'lL 'Ll 'vE"]

WORDS = ["Hello world", " Hello world", "Hello  world", "Hello   world ", "hello WORLD HeLLo", "The quick brown fox jumps over the lazy dog.",
         "Once upon a time, there was a little girl named Lily.", "antidisestablishmentarianism", "internationalisation", "Nibble", "  ", " ", "a", "A",
         "abc123def456", "x=y+z;", "snake_case_name camelCaseName PascalCaseName SCREAMING_CASE kebab-case-name", "e.g. i.e. etc. U.S.A. Ph.D.",
         "user@example.com", "https://example.com/a/b?c=d&e=%20f#g", "C:\\Users\\x\\y.txt", "/usr/lib/x86_64-linux-gnu/libm.so.6", "don't stop-believing!",
         "\"quoted\" 'single' `back` \u201ccurly\u201d \u00abguillemets\u00bb", "1st 2nd 3rd 4th", "hello,world;foo:bar", "(nested (parens [and {braces}]))",
         "!!!!!!", "?!?!", "...", "\u2026", "-- \u2013 \u2014 \u2015", "#hashtag @mention $100 50% ^caret &amp; *star*", "<html><body class=\"x\">&nbsp;</body></html>",
         "word\u00a0nbsp", "thin\u2009space em\u2003space ideographic\u3000space", "zero\u200bwidth\u200cnon\u200djoiner\ufeffbom", "soft\u00adhyphen"]

NUMBERS = ["0", "1", "12", "123", "1234", "12345", "123456", "1234567890", "3.14159", "-1", "+1", "1e10", "1,234,567.89", "0x1F", "0b1010", "1/2", "\u00bd \u00be \u2153",
           "\u00b2\u00b3\u00b9", "\u2160\u2161\u2162 \u2177", "\u2460\u2461\u2462", "\u0661\u0662\u0663", "\u0967\u0968\u0969", "\uff11\uff12\uff13", "\u4e00\u4e8c\u4e09", "\u3007", "12:34:56", "2026-11-25T15:30:00Z",
           "192.168.0.1", "a1b2c3", "1a 2b", "007", "1 2 3 4", "1  2   3", "100000000000000000000000000000", "\U0001d7d8\U0001d7d9", "5\u20e3", "x\u2082"]

SPACES = ["\t", "\n", "\r", "\r\n", "\n\n", "\n\n\n", "\r\n\r\n", " \n", "\n ", " \n ", "\n\n  \n\n", "\t\t\t", " \t \t ", "a\n", "a \n", "a\n b", "a\n\nb", "a \n \n b", "a\t\tb", "a    b",
          "a     ", "     a", "a" + " " * 40 + "b", " " * 100, "\n" * 50, "\t" * 33, "\r" * 7, "\v\f", "a\vb\fc", "\x1c\x1d\x1e\x1f", "\x85", "a\x85b", "\u2028", "\u2029 x", "\u1680x", "\u180ex",
          "\u00a0\u00a0 \u00a0", "\u3000\u3000x", " \u00a0x", "\u2003 x", "if x:\n    return 1\n\n\n", "  leading", "trailing  ", "\n \n \n", " \r\n \r\n", "x \u2028 y"]

CODE = ["def f(x):\n    return x ** 2  # square\n", "int main(void) { printf(\"%d\\n\", 42); return 0; }", "for (let i = 0; i < n; i++) {\n\ta[i] += b[i] << 2;\n}",
        "SELECT * FROM t WHERE a <> 'b' AND c >= 10;", "#!/bin/sh\nset -eu\necho \"$HOME\" | sed 's/a/b/g' >/dev/null 2>&1\n", "{\"key\": [1, 2.5, null, true], \"nested\": {\"a\": \"\\u00e9\"}}",
        "```python\nprint('hi')\n```", "\\frac{a}{b} \\sum_{i=0}^{n} x_i^2", "template <class T> auto f(T&& t) -> decltype(auto) { return std::forward<T>(t); }",
        "    \tmixed\n\t    indent\n", "a->b::c.d[e](f);", "x = lambda *a, **k: (a, k)", "<!-- comment --><br/>", "\\x00\\xff\\n\\t", "==== ---- //// **** ~~~~ ____ ++++", "a.b.c.d.e.f", "i++; --j; !k; ~l; m&&n||o"]

SCRIPTS = ["F\u00fchrer Gr\u00f6\u00dfe \u00fcber", "\u00e9l\u00e8ve na\u00efve fa\u00e7ade c\u0153ur", "ni\u00f1o coraz\u00f3n \u00bfqu\u00e9? \u00a1s\u00ed!", "za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144", "\u0130stanbul \u0131\u015f\u0131k \u011f",
           "C\u1eeda Vi\u1ec7t", "\u043d\u0435\u0449\u043e \u043d\u0430 \u0411\u044a\u043b\u0433\u0430\u0440\u0441\u043a\u0438", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u0436 \u0438 \u0449\u0443\u043a\u0430.", "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac \u03ba\u03b5\u03af\u03bc\u03b5\u03bd\u03bf\u03c2 \u03a3\u03a3\u03c2",
           "\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u6211\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e", "\u7e41\u9ad4\u4e2d\u6587\u6e2c\u8a66\uff0c\u300c\u5f15\u865f\u300d\u3002", "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c\u3001\u30ab\u30bf\u30ab\u30ca\u3068\u3072\u3089\u304c\u306a\u3002", "\uff76\uff80\uff76\uff85 \uff21\uff22\uff23",
           "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "\u0627\u0644\u0639\u064e\u0631\u064e\u0628\u0650\u064a\u064e\u0651\u0629\u060c \u061f", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
           "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01", "\u0e01\u0e33\u0e25\u0e31\u0e07 \u0e19\u0e49\u0e33", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "\u0995\u09cd\u09b7 \u09ac\u09be\u0982\u09b2\u09be", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd", "\u0c24\u0c46\u0c32\u0c41\u0c17\u0c41", "\u1780\u17b6\u1793\u17cb\u178f\u17c2\u1796\u17b7\u179f\u17c1\u179f\u17a2\u17b6\u1785",
           "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8", "\u1094\u1095\u0531\u0562\u0563", "\u12a0\u121b\u122d\u129b", "\u0f56\u0f7c\u0f51\u0f0b", "\u1019\u103c\u1014\u103a\u1019\u102c", "\ufdfa", "\ufb01 \ufb02 \ufb03", "\u2126 \u212b \u212a", "\u01c4 \u01c5 \u01c6", "\u1e9e \u00df SS",
           "\U00010400\U00010428", "\U00020000\U0002a6d6", "\U0001d504\U0001d505\U0001d4d0", "\u2e80\u2f00", "\u3105\u3106", "\u31f0 \u3400 \u4dbf \u9fff \ua000", "\u0800\u0801 \u0840", "\u2c00\u2d00\u2d30", "\u13a0 \uab70"]

MARKS = ["e\u0301", "\u00e9 e\u0301", "a\u0323\u0308 a\u0308\u0323 \u1ea1\u0308", "\u0301", " \u0301", "a\u0301\u0302\u0303\u0304\u0305", "Z" + "\u0301\u0316\u0335\u0489" * 8 + "algo", "o\u0328\u0301 \u01ed", "\u212b A\u030a \u00c5",
         "q\u0307\u0323 q\u0323\u0307", "\u0f71\u0f72 \u0f73", "\u0344 \u0308\u0301", "\u0958 \u0915\u093c", "\uac00 \u1100\u1161 \u1100\u1161\u11a8", "\u2adc \u2add\u0338", "\u0340\u0341\u0343", "x\u20dd y\u20e0", "\u3099\u304b\u3099 \u304c", "1\u0301 !\u0301 \n\u0301",
         "\ufe0e \ufe0f", "n\u0303o n\u0303 \u00d1", "\u0e33 \u0e4d\u0e32", "s\u0323\u0307 \u1e69 \u1e61\u0323", "\u1e9b\u0323"]

EMOJI = ["\U0001f600", "\U0001f600\U0001f600\U0001f600", "hi \U0001f44b\U0001f3fd!", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\u2764\ufe0f \u2764", "1\ufe0f\u20e3 #\ufe0f\u20e3",
         "\U0001f636\u200d\U0001f32b\ufe0f", "\U0001f469\U0001f3fb\u200d\U0001f4bb", "\U0001f999.cpp \U0001f680 (normal) \u2705", "\U0001fae0\U0001fae8\U0001f6dc", "\u231a\u23f0\u2600", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\u00a9\u00ae\u2122", "a\U0001f600b \U0001f600 c"]

CONTROLS = ["\x00", "a\x00b", "\x01\x02\x03", "\x07bell", "\x1b[31mred\x1b[0m", "\x7f", "\x80\x81", "\u0090\u009f", "\ufeff", "\ufeffBOM", "\ufffd", "\ufffe\uffff", "\U0010ffff", "\ue000 \uf8ff", "\u200e\u200f\u202a\u202e x", "\u2060\u2061", "\U000e0001",
            "\u0378\u0379", "\u2065", "\U0001ffff", "\ud7ff\ue000"]

LONG = ["a" * 300, "ab" * 200, "abcdefghijklmnopqrstuvwxyz" * 8, "ha" * 60 + "!", "1" * 120, "!" * 130, "=" * 80, "-" * 77 + ">", "\u00e9" * 100, "\u4f60\u597d" * 60, "\U0001f600" * 40, "the" * 50, "x" * 31, "x" * 30, "y" * 29 + " ",
        "antidis" * 3 + "establishment" * 4, "_" * 48, "a" * 47, "a" * 48, "a" * 49, "\u0301" * 60, "Aa" * 40, " a" * 60, "a " * 60, "a,b;" * 20, "\u2581" * 5, "\u2581a\u2581\u2581b", "a\u2581b c", " \u2581 ", "\u2581", "\u0120the \u0120\u010a", "\u0120"]

INVALID = [b"\xff", b"a\xffb", b"\xc3", b"\xc3(", b"caf\xc3\xa9 \xc3", b"\xe2\x82", b"\xe2\x82\xac\xe2\x82", b"\xe2(\xa1", b"\xf0\x9f\x98", b"\xf0\x9f\x98\x80\xf0\x9f", b"\xf0\x28\x8c\xbc", b"\xc0\xaf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xed\xb0\x80x", b"\xf4\x90\x80\x80",
           b"\xf8\x88\x80\x80\x80", b"\x80", b"\x80\x80\x80", b"\xbf \xbf", b"\xfe\xff", b"ok\xe9t\xe9", b"\xe4\xbd\xa0\xe5\xa5", b"\xc2", b"\xf0\x80\x80\x80", b"\xf1\x80\x80", b"\xf1\x80\x80 \xe1\x80\xe2\xf0\x91\x92\xf1\xbf", b"\xff" * 9 + b"end"]

SPECIALS = ["<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n", "<s>", "</s>", "<s>Hello</s>", "<s> Hello </s> world", "[INST] Hi [/INST]", "[INST]Hi[/INST] there</s>", "<unk>", "a <unk> b",
            "<|im_start", "<|im_start|", "<|im_start|><", "<|IM_START|>", "<<|im_end|>>", "<|begin_of_text|>Hi<|eot_id|>", "<|start_header_id|>user<|end_header_id|>\n\nHi", "<think>\nhmm\n</think>\n\nYes.", "<think></think>", "<tool_call>\n{\"name\": \"f\"}\n</tool_call>", "<0x0A>", "a<0x41>b",
            "<0xZZ>", "<|fim_prefix|>def f(<|fim_suffix|>):<|fim_middle|>", "<\uff5cbegin\u2581of\u2581sentence\uff5c>Hi<\uff5cUser\uff5c>x<\uff5cAssistant\uff5c>", "<pad>", "[PAD]", "<|padding|>", "  <|im_end|>  \n", "\n<s>\n", "</s></s>", "s> <s <s >", "<|repo_name|>a/b<|file_sep|>c"]


def random_texts(count, seed):
    """Letters of many alphabets, digits, marks, symbols and spaces thrown together: nobody thought of these."""
    draw = random.Random(seed)
    pools = ["abcdefgh ", "ABC'stdmrelv ", "0123456789", " \n\t\r", ".,;:!?-_()[]{}<>|/\\\"'`~@#$%^&*+=", "\u00e0\u00e9\u00ee\u00f5\u00fc\u00df\u00f8\u0153", "\u0430\u0431\u0432\u0413\u0414", "\u4e00\u4e8c\u4e09\u6c49\u5b57", "\u3042\u3044\u30ab\u30ad", "\u0627\u0628\u062a", "\u0301\u0308\u0323\u20d7",
             "\U0001f600\U0001f680\u200d\ufe0f", "\u2028\u00a0\u3000\x85", "\u00bd\u2162\u0664", "\u2581", "\u0e01\u0e33\u0e49"]
    out = []
    for _ in range(count):
        text = ""
        for _ in range(draw.randint(1, 12)):
            pool = draw.choice(pools)
            text += "".join(draw.choice(pool) for _ in range(draw.randint(1, 6)))
        out.append(text)
    return out


def read_ggml_texts(path):
    """The strings of a ggml-vocab.inp."""
    return path.read_bytes().split(b"\n__ggml_vocab_test__\n")


def texts(random_count=60):
    """As bytes, each once, the empty one first."""
    parts = CONTRACTIONS + WORDS + NUMBERS + SPACES + CODE + SCRIPTS + MARKS + EMOJI + CONTROLS + LONG + SPECIALS + random_texts(random_count, 20261125)
    return list(dict.fromkeys([b""] + [text.encode() for text in parts] + INVALID))

"""Makes tests/golden/templates: what jinja2 renders, in the environment that transformers compiles chat templates in.

NAME.jinja are inputs: templates of models whose licence permits shipping them, and *_like ones of our own with the same
constructs as models whose licence does not. Beside each, NAME.expected.json has the text (or the error) of every case of
conversations.json. snippets.json has one rule of the language per line.

Usage: python tools/golden/templates.py   (needs jinja2, transformers)
"""

import datetime
import json

import jinja2
import transformers
from float64 import ROOT, write_manifest
from template_conversations import CONVERSATIONS, variables
from template_snippets import SNIPPETS, VARIABLES
from transformers.utils import chat_template_utils

OUT = ROOT / "tests/golden/templates"
NOW = datetime.datetime(2026, 11, 25, 14, 5, 9)  # local time, what strftime_now formats
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
ORIGINS = {
    "qwen2_5": "Qwen/Qwen2.5-7B-Instruct, Apache-2.0",
    "qwen3": "Qwen/Qwen3, Apache-2.0",
    "smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct, Apache-2.0",
    "mistral_nemo": "mistralai/Mistral-Nemo-Instruct-2407, Apache-2.0",
    "mistral_small_3_2": "mistralai/Mistral-Small-3.2-24B-Instruct-2506, Apache-2.0",
    "phi3_5_mini": "microsoft/Phi-3.5-mini-instruct, MIT",
    "deepseek_r1_distill": "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B, MIT",
    "deepseek_v3_1": "deepseek-ai/DeepSeek-V3.1, MIT",
    "minimind": "jingyaogong/minimind, Apache-2.0",
    "llama2_like": "our own, constructs of Llama 2", "llama3_like": "our own, constructs of Llama 3.1",
    "gemma_like": "our own, constructs of Gemma", "mistral_v1_like": "our own, constructs of Mistral 7B",
}


def outcome(template, values):
    """{"text"} or {"error"}; {"raised"} too where the template itself refuses."""
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
        compiled.environment.globals["strftime_now"] = NOW.strftime
        return {"text": compiled.render(**values)}
    except Exception as problem:  # Python's message is not ours, but that it fails is
        raised = type(problem) is jinja2.exceptions.TemplateError
        return {"error": f"{type(problem).__name__}: {problem}", **({"raised": str(problem)} if raised else {})}


def write(name, content):
    (OUT / name).write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n")


def main():
    cases = [(name, prompt) for name in CONVERSATIONS for prompt in (True, False)]
    write("conversations.json", [{"case": name, "variables": variables(name, prompt, TOKENS)} for name, prompt in cases])
    for path in sorted(OUT.glob("*.jinja")):
        source = path.read_bytes().decode()
        assert path.stem in ORIGINS, f"{path}: say where it is from and under which licence"
        write(f"{path.stem}.expected.json", [outcome(source, variables(name, prompt, TOKENS)) for name, prompt in cases])
    write("snippets.json", {"variables": VARIABLES, "snippets": [{"source": s, **outcome(s, VARIABLES)} for s in SNIPPETS]})
    write_manifest("templates", __file__, [jinja2, transformers], {"now": NOW.isoformat(), "origins": ORIGINS},
                   [p for p in OUT.iterdir() if p.is_file()])


if __name__ == "__main__":
    main()

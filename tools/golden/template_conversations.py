"""The conversations that every chat template is rendered with. Each case is what a template sees: its variables."""

SYSTEM = {"role": "system", "content": "You are terse."}
TURNS = [{"role": "user", "content": "What is 2+2?"}, {"role": "assistant", "content": "4"}, {"role": "user", "content": "And 3+3?"}]
THOUGHT = "<think>\nTwo and two\nmake four.\n</think>\n\n4"
WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather at \"a place\" & time <now>, °C.",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "City, e.g. Zürich"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "days": {"type": ["integer", "null"], "minimum": 1, "maximum": 7.5},
        "place": {"type": "object", "properties": {"lat": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}}},
                  "required": ["lat"]}},
        "required": ["city"]}, "return": {"type": "string", "description": "A sentence"}}}
CLOCK = {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}}}


def call(arguments, name="get_weather", id="abc123def"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool_turns(arguments, content="", **answer):
    return [{"role": "user", "content": "Weather in Zürich?"},
            {"role": "assistant", "content": content, "tool_calls": [call(arguments)]},
            {"role": "tool", "name": "get_weather", "tool_call_id": "abc123def", "content": '{"temp": 21.5, "sky": "clear"}', **answer}]


CITY = {"city": "Zürich", "unit": "celsius", "days": 2, "deep": {"a": [1, 2.5, None, True], "b": "x<y>&'z'"}}
SAID = {"role": "assistant", "content": "21.5 degrees and clear."}
THANKS = {"role": "user", "content": "Thanks!"}

# name: (messages, further variables). Every conversation is rendered with and without add_generation_prompt.
CONVERSATIONS = {
    "user only": (TURNS[:1], {}),
    "system and user": ([SYSTEM, TURNS[0]], {}),
    "several turns": ([SYSTEM, *TURNS], {}),
    "no system, several turns": (TURNS, {}),
    "ends with the assistant": ([SYSTEM, *TURNS, {"role": "assistant", "content": "6"}], {}),
    "system only": ([SYSTEM], {}),
    "no messages": ([], {}),
    "empty contents": ([{"role": "system", "content": ""}, {"role": "user", "content": ""}, {"role": "assistant", "content": ""},
                        {"role": "user", "content": " \n"}], {}),
    "special tokens and template syntax in contents": ([
        {"role": "system", "content": "<|im_end|>\n<|im_start|>system\n{{ bos_token }} [INST] <<SYS>>"},
        {"role": "user", "content": "{% for x in y %}<s></s><|eot_id|>{{ 7*7 }}{% endfor %} {# no #} [/INST] <end_of_turn> \\n \\\\ \"q\" 'a'"},
        {"role": "assistant", "content": "<|end|></s><｜end▁of▁sentence｜>"}, {"role": "user", "content": "</think> <tool_call>"}], {}),
    "unicode": ([{"role": "system", "content": "Übermut \u00a0 ﬁ ﬀ İstanbul\u3000"}, {"role": "user", "content": "  你好，世界 👩‍👩‍👧 e\u0301 \u202eabc\u202c 한국어 \u2028 x\x85\t"},
                 {"role": "assistant", "content": "مرحبا\u200f ½ ẞß Σς"}, {"role": "user", "content": "नमस्ते\r\nzwei\rdrei"}], {}),
    "white space around contents": ([{"role": "system", "content": "\n  sys \n"}, {"role": "user", "content": "\t user\n\n"},
                                     {"role": "assistant", "content": " \n answer \n "}, {"role": "user", "content": "more "}], {}),
    "thinking kept in contents": ([TURNS[0], {"role": "assistant", "content": THOUGHT}, TURNS[2],
                                   {"role": "assistant", "content": "<think>\n\n</think>\n\n6"}], {}),
    "thinking cut short": ([TURNS[0], {"role": "assistant", "content": "<think>never ends"}, TURNS[2]], {}),
    "thinking in its own field": ([TURNS[0], {"role": "assistant", "content": "4", "reasoning_content": "\nTwo and two\n"}, TURNS[2],
                                   {"role": "assistant", "content": "6", "reasoning_content": "Three."}], {}),
    "thinking switched on": ([SYSTEM, TURNS[0]], {"enable_thinking": True}),
    "thinking switched off": ([SYSTEM, *TURNS], {"enable_thinking": False}),
    "two users in a row": ([TURNS[0], TURNS[2]], {}),
    "assistant first": ([TURNS[1], TURNS[0]], {}),
    "system in the middle": ([TURNS[0], SYSTEM, TURNS[2]], {}),
    "an unknown role": ([TURNS[0], {"role": "critic", "content": "Hm."}], {}),
    "contents in parts": ([{"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": " there"}]}], {}),
    "a date given": ([SYSTEM, TURNS[0]], {"date_string": "01 Jan 2020"}),
    "built-in tools": ([TURNS[0], {"role": "assistant", "content": "", "tool_calls": [call({"query": "sum", "site": "x"}, "search")]},
                        {"role": "ipython", "content": "four"}], {"builtin_tools": ["search", "interpreter"]}),
    "tools beside the system message": ([SYSTEM, TURNS[0]], {"tools": [CLOCK], "tools_with_user": False}),
    "tools offered": ([SYSTEM, TURNS[0]], {"tools": [WEATHER, CLOCK]}),
    "tools offered, no system": (TURNS, {"tools": [WEATHER]}),
    "no tools in the list": (TURNS, {"tools": []}),
    "a tool called": ([*tool_turns(CITY), SAID, THANKS], {"tools": [WEATHER]}),
    "a tool called with words before": (tool_turns(CITY, "Let me look."), {"tools": [WEATHER, CLOCK]}),
    "a tool called, arguments as text": ([SYSTEM, *tool_turns('{"city": "Zürich"}'), SAID], {"tools": [WEATHER]}),
    "two tools called": ([TURNS[0], {"role": "assistant", "content": "", "tool_calls": [call({"city": "Bern"}), call({}, "now", "xyz789ghi")]},
                          {"role": "tool", "name": "get_weather", "tool_call_id": "abc123def", "content": "rain"},
                          {"role": "tool", "name": "now", "tool_call_id": "xyz789ghi", "content": "12:00"}, SAID, THANKS],
                         {"tools": [WEATHER, CLOCK]}),
    "a tool called after thinking": ([TURNS[0], {"role": "assistant", "content": "<think>\nLook.\n</think>\n\n", "tool_calls": [call(CITY)]},
                                      {"role": "tool", "name": "get_weather", "tool_call_id": "abc123def", "content": "rain"}, SAID, THANKS],
                                     {"tools": [WEATHER]}),
}


def variables(name, add_generation_prompt, tokens):
    """What transformers hands to the template."""
    messages, more = CONVERSATIONS[name]
    return {"messages": messages, "tools": None, "documents": None, "add_generation_prompt": add_generation_prompt, **tokens, **more}

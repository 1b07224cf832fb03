"""Small templates, one rule of the language each: what jinja2 makes of them is the law. VARIABLES is what all see."""

VARIABLES = {
    "name": "World", "empty": "", "text": "  a b\tc\n", "uni": "Äß €ñ 你好 👍", "n": 7, "big": 2**53 + 1, "neg": -3, "real": 2.5, "tiny": 1e-7, "huge": 1e22,
    "yes": True, "no": False, "nothing": None, "items": [3, 1, 2], "words": ["b", "A", "c", "a"], "none": [], "nested": [[1, [2]], {"k": [None, True]}],
    "d": {"b": 1, "a": {"x": "y"}, "items": "mine", "C": 3}, "quote": "it's", "both": "'\"", "html": "<b>&'\"</b>",
    "people": [{"n": "Ann", "age": 30, "tags": ["x"]}, {"n": "bob", "age": 25, "tags": []}, {"n": "Cid", "age": 30}],
}

ONE_LINE_EACH = r"""
{{ name }} {{ n }} {{ real }} {{ yes }} {{ no }} {{ nothing }} {{ missing }}|
{{ big }} {{ tiny }} {{ huge }} {{ 1e16 }} {{ 123456789012345680.0 }} {{ 1e15 }} {{ 0.1 + 0.2 }} {{ 1.0 }} {{ -0.0 }} {{ 1_000 }} {{ 1.5e3 }} {{ 2E-3 }}
{{ items }} {{ nested }} {{ d }} {{ (1,) }} {{ () }} {{ (1, 'a') }} {{ [quote, both, uni, text] }} {{ {} }} {{ {1: 2, 'a': none, true: 1.5} }}
{{ ['\x00\x1f\x7f\xa0\xad', '\u200b\u2028', '\U0001f600', '\\'] }}
{{ 'a' "b" 'c' }}{{ "\t\n\"\'\\\x41\u00e9\101\q" }}{{ 1 + 2 * 3 - 4 }} {{ 7 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}
{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 6.0 / 3 }} {{ 4 / 2 }} {{ 0.0 // 3 }} {{ -1.5 ** 2 }} {{ 9 ** 0.5 }} {{ 1 // 3.0 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1.5 // 0 }}
{{ true + true }} {{ true * 3 }} {{ -true }} {{ +true }} {{ +n }} {{ - -n }} {{ -real }} {{ not n }} {{ not not '' }}
{{ 'a' + 'b' }} {{ 'ab' * 3 }} {{ 3 * 'ab' }} {{ 'a' * -1 }}| {{ [1] + [2, 3] }} {{ [1, 2] * 2 }} {{ (1,) + (2,) }} {{ (0,) * 2 }} {{ true * 'x' }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [1] + (2,) }}
{{ nothing + 1 }}
{{ missing + 1 }}
{{ 'a' ~ 1 ~ 2.0 ~ none ~ true ~ missing ~ [1] }} {{ 1 ~ 2 + 3 }}
{{ 1 ~ 2 * 3 }} {{ 'a' ~ 'b' == 'ab' }} {{ -1 ~ 2 }}
{{ 1 == 1.0 }} {{ 1 == true }} {{ '1' == 1 }} {{ none == false }} {{ [1, 2] == [1, 2] }} {{ [1] == (1,) }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ missing == missing2 }} {{ missing == none }} {{ missing != '' }}
{{ 1 < 2 }} {{ 2 <= 2.0 }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ 'é' > 'z' }} {{ [1, 2] < [1, 3] }} {{ [1] < [1, 0] }} {{ (1, 'a') <= (1, 'a') }} {{ 9007199254740993 == 9007199254740992.0 }} {{ true < 2 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 < 2 == true }} {{ 3 > 2 > 1 >= 1 != 2 }} {{ 1 in [1] == true }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ missing < 1 }}
{{ {} < {} }}
{{ 2 in items }} {{ 9 in items }} {{ 'a' in d }} {{ 'z' not in d }} {{ 'orl' in name }} {{ '' in '' }} {{ 1 in (1, 2) }} {{ 'x' in missing }} {{ missing in items }} {{ none in nested }} {{ 'k' in nested[1] }} {{ 1.0 in items }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ 'a' in none }}
{{ [] in d }}
{{ yes and n }} {{ no and n }} {{ '' or 'x' }} {{ n or boom() }} {{ no or none or 0 }} {{ not yes or yes }} {{ not 1 in items }} {{ not 9 in items and yes }}
{{ 'y' if yes else 'n' }} {{ 'y' if no }}| {{ 1 if no else 2 if no else 3 }} {{ ('a' if yes) ~ 'b' }} {{ 'a' if yes if no else 'c' }}
{{ ('a' if no).x }}
{{ 'a' if yes else missing.x }} {{ (missing.x) if no else 1 }}
{{ name[0] }} {{ name[-1] }} {{ uni[1] }} {{ uni[-1] }} {{ name[99] }}| {{ items[0] }} {{ items[-1] }} {{ items[9] }}| {{ d['b'] }} {{ d.b }} {{ d.a.x }} {{ d['zz'] }}| {{ d.zz }}| {{ items.0 }} {{ items['x'] }}| {{ n[0] }}| {{ nothing.x }}| {{ nothing['x'] }}|
{{ missing.x }}
{{ missing[0] }}
{{ d.zz.y }}
{{ items[9].x }}
{{ d['items'] }} {{ d.items() | list | length }} {{ d.items is callable }} {{ d['get']('b') }} {{ d['keys']() | list }}
{{ name[1:3] }} {{ name[:-1] }} {{ name[::-1] }} {{ name[::2] }} {{ name[5:1] }}| {{ name[-2:] }} {{ name[10:] }}| {{ uni[1:4] }} {{ uni[::-1] }} {{ items[1:] }} {{ items[::-1] }} {{ items[:1] }} {{ items[5:1:-2] }} {{ items[-99:99] }} {{ items[none:none:none] }} {{ (1,2,3)[:2] }} {{ range(5)[1:3] | list }} {{ items[0:3:2] }} {{ name[3:0:-1] }} {{ items[:] == items }}
{{ d[1:] }}
{{ n[:1] }}
{{ nothing[1:] }}
{{ items['a':] }}
{{ items[:missing] }}
{{ (items | map('string'))[1:] }}
{{ d.keys()[1:] }}
{{ items[::0] }}
{{ missing[1:] }}
{{ name | upper }} {{ name | lower }} {{ uni | upper }} {{ uni | lower }} {{ 'hELLO wORLD' | capitalize }} {{ "hello wo-rld (foo) [x {y <z it's" | title }} {{ 'éa ÑB' | title }} {{ 'ǆ' | capitalize }} {{ '' | title }}| {{ none | upper }} {{ 1 | lower }} {{ missing | upper }}|
{{ text | trim }}| {{ 'xxaxx' | trim('x') }} {{ 'abcba' | trim('ab') }} {{ '\u3000\xa0a\u2003\x85' | trim }}| {{ 12 | trim }} {{ missing | trim }}|
{{ name | length }} {{ uni | length }} {{ items | count }} {{ d | length }} {{ missing | length }} {{ (1,2) | length }} {{ range(4) | length }} {{ d.items() | length }} {{ d.keys() | length }}
{{ 5 | length }}
{{ none | length }}
{{ (items | map('string')) | length }}
{{ missing | default('x') }} {{ none | default('x') }} {{ '' | default('x', true) }} {{ '' | default('x', boolean=true) }} {{ missing | d }}| {{ 0 | d('y', true) }} {{ d.zz | default(d.b) }} {{ missing | default(missing) is defined }}
{{ items | join }} {{ items | join(', ') }} {{ words | join('-') }} {{ 'abc' | join('.') }} {{ people | join(',', attribute='n') }} {{ [1, none, true, 2.0] | join(' ') }} {{ missing | join(',') }}| {{ d | join('+') }} {{ items | join(1) }}
{{ 5 | join }}
{{ items | first }} {{ items | last }} {{ none | first }}| {{ none | last }}| {{ name | first }} {{ name | last }} {{ uni | first }} {{ d | first }} {{ d | last }} {{ range(3) | last }} {{ (items | map('string')) | first }} {{ '' | first is defined }}
{{ items | map('string') | last }}
{{ items | list }} {{ name | list }} {{ uni | list }} {{ d | list }} {{ missing | list }} {{ range(3) | list }} {{ d.values() | list }} {{ d.items() | list }}
{{ none is none }} {{ nothing | list }}
{{ items | sort }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ items | sort(reverse=true) }} {{ people | sort(attribute='age') | map(attribute='n') | join }} {{ people | sort(attribute='age', reverse=true) | map(attribute='n') | join }} {{ people | sort(attribute='n') | map(attribute='n') | join }} {{ 'bca' | sort }} {{ [[2], [1, 5], [1]] | sort }} {{ [true, 0, 2.5, -1] | sort }} {{ [] | sort }}
{{ [1, 'a'] | sort }}
{{ [none, 1] | sort }}
{{ items | reverse | list }} {{ name | reverse }} {{ uni | reverse }} {{ (1,2) | reverse | list }} {{ d | reverse | list }} {{ items | map('string') | reverse }} {{ range(3) | reverse | list }}
{{ items | max }} {{ items | min }} {{ words | max }} {{ words | min }} {{ words | min(case_sensitive=true) }} {{ people | max(attribute='age') }} {{ [] | max }}| {{ [] | min is defined }} {{ 'hello' | max }}
{{ items | sum }} {{ people | sum(attribute='age') }} {{ items | sum(start=10) }} {{ [1.5, 2] | sum }} {{ [] | sum }} {{ [[1], [2]] | sum(start=[]) }}
{{ ['a'] | sum }}
{{ ['a', 'A', 'b', 1, 1.0, true, none] | unique | list }} {{ ['a', 'A'] | unique(case_sensitive=true) | list }} {{ people | unique(attribute='age') | map(attribute='n') | list }} {{ 'abAB' | unique | join }}
{{ [[1]] | unique | list }}
{{ items | select | list }} {{ [0, 1, '', 'a', none, []] | select | list }} {{ items | select('odd') | list }} {{ items | select('divisibleby', 3) | list }} {{ items | reject('even') | list }} {{ words | select('in', ['a', 'b']) | list }} {{ items | select('>', 1) | list }} {{ words | reject('equalto', 'a') | join }} {{ missing | select | list }} {{ none | reject | list }}
{{ people | selectattr('tags') | map(attribute='n') | list }} {{ people | selectattr('age', 'equalto', 30) | map(attribute='n') | list }} {{ people | selectattr('tags', 'defined') | list | length }} {{ people | rejectattr('tags', 'undefined') | list | length }} {{ people | rejectattr('tags') | map(attribute='n') | list }} {{ people | selectattr('age', 'lt', 30) | list }} {{ people | selectattr('tags.0', 'eq', 'x') | list | length }}
{{ items | map('string') | list }} {{ words | map('upper') | join }} {{ people | map(attribute='age') | list }} {{ people | map(attribute='tags.0') | list }} {{ people | map(attribute='tags', default='-') | list }} {{ [[1,2],[3]] | map('first') | list }} {{ [[1,2],[3]] | map('join', '+') | list }} {{ words | map('replace', 'a', 'x') | list }} {{ ['x'] | map('default', 'y') | list }} {{ [[1, 2]] | map(attribute=1) | list }} {{ missing | map('upper') | list }}
{{ items | map | list }}
{{ items | map('nosuch') | list }}
{{ items | map(attribute='x', foo=1) | list }}
{{ 'a.b.c' | replace('.', '-') }} {{ 'aaa' | replace('a', 'b', 2) }} {{ 'abc' | replace('', '-') }} {{ 123 | replace(2, 'x') }} {{ 'x' | replace('x', none) }} {{ missing | replace('a', 'b') }}|
{{ d | dictsort }} {{ d | dictsort(true) }} {{ {'b': 1, 'a': 2} | dictsort(by='value') }} {{ {'b': 1, 'a': 2} | dictsort(reverse=true) }}
{{ items | dictsort }}
{{ d | items | list }} {{ missing | items | list }} {{ {} | items | list }}
{% for k, v in d | items %}{{ k }}={{ v }};{% endfor %}
{% for k in items | items %}{{ k }}{% endfor %}
{{ '3' | int }} {{ ' 42 ' | int }} {{ '4.7' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 3.99 | int }} {{ -3.99 | int }} {{ true | int }} {{ none | int }} {{ '-5' | int }} {{ '+5' | int }} {{ '1_000' | int }} {{ '' | int }} {{ [] | int }} {{ '1e3' | int }} {{ '0x1f' | int }} {{ '--1' | int }} {{ '+-1' | int }}
{{ '3.5' | float }} {{ 'x' | float }} {{ 'x' | float(1.5) }} {{ 3 | float }} {{ '1e3' | float }} {{ none | float }} {{ ' -2.5 ' | float }} {{ 'inf' | float }} {{ 'nan' | float }} {{ true | float }}
{{ missing | int }}
{{ missing | float }}
{{ -5 | abs }} {{ (-5) | abs }} {{ (-2.5) | abs }} {{ true | abs }} {{ -5.5 | abs }}
{{ 'a' | abs }}
{{ 42.55 | round }} {{ 42.55 | round(1) }} {{ 42.55 | round(1, 'floor') }} {{ 42.45 | round(1, 'ceil') }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 7 | round }} {{ -2.5 | round }} {{ 1.005 | round(2) }} {{ 42.1 | round(method='ceil') }} {{ 42 | round(1, 'ceil') }}
{{ 'a' | round }}
{{ 1.5 | round(1, 'up') }}
{{ 'a\nb\n\nc' | indent }}| {{ 'a\nb\n\nc\n' | indent(2, true) }}| {{ 'a\n\nb' | indent(2, blank=true) }}| {{ 'a\nb' | indent('> ') }}| {{ '' | indent }}| {{ 'a\r\nb\u2028c' | indent(1) }}| {{ 'a\n' | indent(first=true) }}|
{{ 5 | indent }}
{{ n | string }}{{ none | string }}{{ [1] | string }}{{ missing | string }}| {{ 5 | string | length }}
{{ html | e }} {{ html | escape }} {{ html | safe }} {{ html | e | e }} {{ (html | safe) ~ '<' }} {{ (html | safe) + '<' }} {{ '<' + (html | safe) }} {{ ('<' | safe) + ('>' | safe) }} {{ (html | safe) | upper }} {{ '<i>' | safe | string + '&' }} {{ 5 | safe }} {{ [(html | safe)] | join('<') }} {{ ('<' | e) is escaped }} {{ '<' is escaped }} {{ ('<' | safe | trim) + '<' }} {{ ('<' | safe) == '<' }} {{ ('a' | safe) * 2 + '<' }} {{ ('abc' | safe)[1:] + '<' }}
{{ d | tojson }} {{ items | tojson }} {{ uni | tojson }} {{ html | tojson }} {{ both | tojson }} {{ none | tojson }} {{ true | tojson }} {{ 1.0 | tojson }} {{ 1e22 | tojson }} {{ (1, 2) | tojson }} {{ '\x00\x1f\x7f\b\f\u2028\\' | tojson }} {{ {} | tojson }} {{ [] | tojson }} {{ [[], {}] | tojson }} {{ ('<' | safe) | tojson }} {{ {1: 2, 2.5: 3, none: 4, true: 5} | tojson }} {{ ('inf' | float, 'nan' | float, '-inf' | float) | tojson }}
{{ nested | tojson(indent=2) }}
{{ d | tojson(indent=0) }}
{{ [1, []] | tojson(indent='\t') }}
{{ {'é': '€👍\x7f'} | tojson(ensure_ascii=true) }} {{ d | tojson(sort_keys=true) }} {{ d | tojson(separators=(',', ':')) }} {{ [1, 2] | tojson(separators=('; ', ': '), indent=1) }} {{ {'a': 1} | tojson(false, none) }} {{ d | tojson(ensure_ascii=False) }}
{{ missing | tojson }}
{{ [missing] | tojson }}
{{ d.items() | tojson }}
{{ (items | map('string')) | tojson }}
{{ range(3) | tojson }}
{{ {(1, 2): 3} | tojson }}
{{ items | nosuchfilter }}
{{ n is odd }} {{ n is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ missing is defined }} {{ n is defined }} {{ missing is undefined }} {{ none is none }} {{ nothing is none }} {{ missing is none }} {{ d.zz is defined }} {{ d.b is defined }}
{{ n is string }} {{ name is string }} {{ n is number }} {{ real is number }} {{ yes is number }} {{ yes is integer }} {{ n is integer }} {{ real is float }} {{ n is float }} {{ yes is boolean }} {{ 1 is boolean }} {{ yes is true }} {{ 1 is true }} {{ no is false }} {{ 0 is false }}
{{ d is mapping }} {{ items is mapping }} {{ items is sequence }} {{ name is sequence }} {{ d is sequence }} {{ n is sequence }} {{ (1,) is sequence }} {{ range(2) is sequence }} {{ d.items() is sequence }} {{ missing is sequence }} {{ d is iterable }} {{ name is iterable }} {{ n is iterable }} {{ missing is iterable }} {{ none is iterable }} {{ (items | map('string')) is iterable }} {{ (items | map('string')) is sequence }} {{ range is callable }} {{ n is callable }} {{ name.upper is callable }} {{ missing is callable }}
{{ 'abc' is lower }} {{ 'aBc' is lower }} {{ 'ABC' is upper }} {{ '123' is upper }} {{ 'A1' is upper }} {{ '' is lower }} {{ 'é' is lower }} {{ 'ÀÉ' is upper }} {{ 1 is lower }}
{{ n is eq 7 }} {{ n is equalto(7) }} {{ n is ne 7 }} {{ n is gt 3 }} {{ n is ge 7 }} {{ n is lt 3 }} {{ n is le 7 }} {{ n is greaterthan 8 }} {{ n is lessthan 8 }} {{ n is in [7] }} {{ 'a' is in 'abc' }} {{ yes is sameas true }} {{ none is sameas none }} {{ items is sameas items }} {{ items is sameas [3, 1, 2] }} {{ 1 is not eq 2 }}
{{ n is not defined }} {{ not n is defined }} {{ n is not string }} {{ n is odd and n is defined }} {{ n is odd or boom.x }} {{ 'x' if n is odd else 'y' }} {{ (n is odd) ~ '!' }} {{ n is odd == true }} {{ -n is odd }} {{ n + 1 is even }} {{ [1] is eq [1] }} {{ items | length is eq 3 }} {{ name is eq 'World' }} {{ n is eq(7) or no }}
{{ n is odd is defined }}
{{ n is nosuchtest }}
{{ 'a' is odd }}
{{ missing is odd }}
{{ name.upper() }} {{ name.lower() }} {{ 'hello world'.title() }} {{ "they're bill's".title() }} {{ 'hELLO'.capitalize() }} {{ text.strip() }}| {{ text.lstrip() }}| {{ text.rstrip() }}| {{ 'xxaxx'.strip('x') }} {{ 'xxaxx'.lstrip('x') }} {{ 'xxaxx'.rstrip('x') }} {{ 'mississippi'.strip('ipsm') }}| {{ 'éaé'.strip('é') }} {{ ' a '.strip(none) }}|
{{ 'a,b,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ ' a  b c '.split() }} {{ ' a  b c '.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'abc'.split('x') }} {{ 'a,,b'.split(',') }} {{ 'aXXbXXc'.split('XX') }} {{ 'a\u3000b\xa0c'.split() }} {{ 'a,b'.split(sep=',') }} {{ 'a b c'.split(maxsplit=1) }} {{ 'a,b'.split(',', 0) }} {{ 'a</think>b</think>c'.split('</think>')[-1] }}
{{ 'a,b,c'.rsplit(',') }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ' a  b c '.rsplit() }} {{ ' a  b c '.rsplit(none, 1) }} {{ 'a\u3000b c'.rsplit(none, 1) }} {{ ' '.rsplit() }}
{{ 'a'.split('') }}
{{ 'a\nb\r\nc\rd\x0be\x1cf\u2028g'.splitlines() }} {{ 'a\n'.splitlines() }} {{ 'a\n\nb'.splitlines(true) }} {{ ''.splitlines() }}
{{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('=') }} {{ 'abc'.rpartition('=') }}
{{ 'abc'.startswith('ab') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('bc') }} {{ 'abc'.endswith('x') }} {{ 'abc'.startswith('b', 1) }} {{ 'abc'.startswith('') }} {{ 'abc'.endswith('b', 0, 2) }} {{ 'abc'.startswith('', 4) }} {{ 'éa'.startswith('a', 1) }}
{{ 'abc'.startswith(1) }}
{{ 'abcb'.find('b') }} {{ 'abcb'.rfind('b') }} {{ 'abc'.find('x') }} {{ 'éab'.find('b') }} {{ 'abcb'.find('b', 2) }} {{ 'abc'.index('c') }} {{ 'abcb'.count('b') }} {{ 'aaa'.count('aa') }} {{ 'abc'.count('') }} {{ 'abc'.find('c', 0, 2) }} {{ 'abc'.find('', 3) }} {{ 'abc'.find('', 4) }} {{ 'abcabc'.find('a', -3) }}
{{ 'abc'.index('x') }}
{{ 'a-b-c'.replace('-', '+') }} {{ 'a-b-c'.replace('-', '+', 1) }} {{ 'ab'.replace('', '.') }} {{ 'ab'.replace('b', '') }} {{ 'éé'.replace('', '.', 2) }}
{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'abc'.removeprefix('x') }}
{{ 'abc'.isalpha() }} {{ 'ab1'.isalpha() }} {{ '12'.isdigit() }} {{ ''.isdigit() }} {{ ' \t'.isspace() }} {{ 'abc'.islower() }} {{ 'ABC'.isupper() }} {{ 'é你'.isalpha() }}
{{ ','.join(['a', 'b']) }} {{ ''.join(words) }} {{ '-'.join('abc') }} {{ ','.join([]) }}|
{{ ','.join([1]) }}
{{ '{}-{}'.format(1, 'a') }} {{ '{1}{0}{1}'.format('a', 'b') }} {{ '{x} {{}}'.format(x=none) }} {{ '{}'.format([1, 'a']) }} {{ '{}'.format(2.0) }} {{ 'plain'.format() }}
{{ '{}'.format() }}
{{ '{'.format(1) }}
{{ '}'.format(1) }}
{{ d.get('b') }} {{ d.get('zz') }} {{ d.get('zz', 5) }} {{ d.keys() | list }} {{ d.values() | list }} {{ d.items() | list }} {{ d.get('a', {}).get('x') }} {{ d.get('a').x }} {{ d.copy() == d }}
{{ items.index(1) }} {{ items.count(3) }} {{ (1, 2, 1).count(1) }} {{ items.copy() }}
{{ items.index(99) }}
{{ items.append(4) }}
{{ items.append is defined }} {{ d.update is defined }} {{ d.pop }}| {{ items.sort is undefined }}
{{ d.pop('b') }}
{{ name.nosuch }}| {{ name.nosuch is defined }} {{ name.__class__ }}| {{ d.__class__ is defined }} {{ n.nosuch }}|
{{ name.nosuch() }}
{{ name() }}
{{ missing() }}
{{ range(5) | list }} {{ range(1, 4) | list }} {{ range(10, 0, -3) | list }} {{ range(0) | list }} {{ range(5, 1) | list }} {{ range(3)[1] }} {{ range(3)[-1] }} {{ 2 in range(3) }} {{ range(3) == range(3) }} {{ range(true) | list }}
{{ range(1000000) | list }}
{{ range('a') }}
{{ range() }}
{{ range(1, 2, 0) }}
{{ dict(a=1, b='x') }} {{ dict(d, b=5) }} {{ dict() }} {{ dict({'a': 1}) }}
{{ {'a': 1, 'b': 2}['b'] }} {{ {'a': 1}.a }} {{ {'x': {'y': [1, {'z': 2}]}}.x.y[1].z }} {{ {'a': 1, 'a': 2} }} {{ {1: 'i', 1.0: 'f'} }} {{ {name: n} }} {{ {}}}
{{ {[]: 1} }}
{% set x = 1 %}{{ x }}{% set x, y = 2, 3 %}{{ x }}{{ y }}{% set (a, b) = 'pq' %}{{ a }}{{ b }}{% set t = 1, %}{{ t }}{% set e = () %}{{ e }}
{% set x, y = [1] %}
{% set x, y = [1, 2, 3] %}
{% set x, y = 5 %}
{% set true = 1 %}
{% set x = 1 if no %}{{ x is defined }}
{% set x %}block {{ n }}{% endset %}{{ x }}{% set y | upper | trim %} up {{ x }} {% endset %}{{ y }}|{% set z | replace('a', 'b') %}banana{% endset %}{{ z }}
{% set x = 1 %}{% set y %}{% set x = 2 %}{{ x }}{% endset %}{{ x }}{{ y }}
{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{{ x }}{% for i in items %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}
{% for i in items %}{% if loop.first %}{% set seen = i %}{% endif %}{{ seen }},{% endfor %}{{ seen }}|
{% set ns = namespace(a=1, b=[]) %}{% set ns.a = 2 %}{% set ns.c = ns.a + 1 %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns.zz }}|{{ ns['a'] }}{{ ns is mapping }}{{ ns is defined }}{% for i in items %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ 1 if ns else 2 }}
{% set ns = namespace({'a': 1}) %}{{ ns.a }}{% set ns.a, x = 5, 6 %}{{ ns.a }}{{ x }}{% set ns.t %}in {{ ns.a }}{% endset %}{{ ns.t }}
{% set d.b = 2 %}
{% set ns = namespace() %}{% set ns._x = 2 %}
{{ namespace(_x=1) }}
{% set nope.b = 2 %}
{% for i in items %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}
{% for i in items %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.cycle('a', 'b') }}{{ loop.changed(i > 1) }}{{ loop.nosuch }};{% endfor %}
{% for i in [] %}x{% else %}empty{% endfor %}{% for i in missing %}x{% else %}undefined{% endfor %}{% for i in '' %}x{% else %}none{% endfor %}{% for i in items if i > 9 %}x{% else %}filtered{% endfor %}
{% for i in none %}x{% endfor %}
{% for i in 5 %}x{% endfor %}
{% for k, v in d.items() %}{{ k }}:{{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for c in uni %}{{ c }}.{% endfor %}{% for a, b in [[1, 2], (3, 4), 'xy'] %}{{ a }}{{ b }}{% endfor %}{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [[1]] %}{{ a }}{% endfor %}
{% for i in items if i > 1 %}{{ i }}{{ loop.index }}{{ loop.length }}{{ loop.last }}{{ loop.revindex }};{% endfor %}{% for i in range(6) if i is even %}{{ i }}{{ loop.nextitem }}{{ loop.previtem }}|{% endfor %}
{% set ns = namespace(stop=false) %}{% for i in range(5) if not ns.stop %}{{ i }}{% if i == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}
{% set ns = namespace(stop=false) %}{% for i in range(5) if not ns.stop %}{{ i }}{{ loop.last }}{% if i == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}
{% set ns = namespace(stop=false) %}{% for i in range(5) if not ns.stop %}{{ i }}{{ loop.length }}{% if i == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}
{% for i in items %}{% for j in [1, 2] %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{{ loop.index }};{% endfor %}{{ loop }}|
{% for i in items %}{% set outer = loop %}{% for j in [1, 2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% else %}none{% endfor %}{% for i in items %}{% break %}{% else %}no else{% endfor %}
{% for i in items %}{% continue %}{% else %}all skipped{% endfor %}{% for i in items %}{% if i == 1 %}{% continue %}{% endif %}{% else %}some done{% endfor %}
{% for i in items %}{% for j in items %}{% if j == 1 %}{% break %}{% endif %}{{ j }}{% endfor %}{{ i }}{% endfor %}
{% break %}
{% for x in items %}{{ x }}{% endfor %}{{ x }}|{% for n in items %}{{ n }}{% endfor %}{{ n }}
{% set m = items | map('string') %}{% for i in m %}{{ i }}{% endfor %}{% for i in m %}again{% else %}spent{% endfor %}{{ 1 if m else 2 }}{{ m | list }}
{% set v = d.keys() %}{{ v | list }}{{ v | list }}{{ 'b' in v }}{{ v[0] }}|
{% if yes %}a{% elif boom() %}b{% else %}c{% endif %}{% if no %}a{% elif n > 3 %}b{% else %}c{% endif %}{% if no %}a{% elif no %}b{% else %}c{% endif %}{% if none %}{% endif %}{% if missing %}x{% endif %}{% if [] %}x{% elif {} %}y{% elif '' %}z{% elif 0.0 %}w{% else %}falsy{% endif %}{% if 1, %}tuple{% endif %}
{% macro f(a, b=2, c='x' ~ a) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(b=5, a=4) }}{{ f(1, c=9) }}{{ f() }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}
{% macro f(a) %}{{ a.x }}{% endmacro %}{{ f() }}
{{ f(1) }}{% macro f(a) %}{{ a }}{% endmacro %}
{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(5) }}{{ f(3) | length }}{{ f(2) is string }}{{ f is callable }}
{% macro f() %}{{ y }}{% endmacro %}{% set y = 1 %}{{ f() }}{% set y = 2 %}{{ f() }}{% for y in items %}{{ f() }}{% endfor %}
{% macro f(name) %}{{ name }}{% set z = 5 %}{% endmacro %}{{ f('q') }}{{ name }}{{ z }}|
{% for i in items %}{% macro g(x) %}{{ i }}{{ x }}{% endmacro %}{{ g('!') }}{% endfor %}
{% macro f(a, l=[]) %}{{ l + [a] }}{% endmacro %}{{ f(1) }}{{ f(2) }}
{% macro wrap(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call wrap('b') %}in {{ name }}{% endcall %}
{% macro each(xs) %}{% for x in xs %}{{ caller(x, loop.index) }};{% endfor %}{% endmacro %}{% call(x, i) each(items) %}{{ i }}={{ x }}{% endcall %}
{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}
{% macro f() %}x{% endmacro %}{% call f() %}y{% endcall %}
{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}|{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}|{% with n = 8 %}{{ n }}{% endwith %}{{ n }}
{% generation %}a{% set g = 1 %}{{ g }}{% endgeneration %}{{ g }}|
{% raw %}{{ not }} {% if %} {# x #}{% endraw %}|{%- raw -%} a {%- endraw -%} b
{{ '{{' }}{{ '}}' }}{{ "%}" }}{% if '%}' %}x{% endif %}{{ {'a': {'b': 1}} }}{{ {'a':{}}}}
{{ [1, 2, 3,] }}{{ (1, 2,) }}{{ {'a': 1,} }}{{ f is defined and f(1,) }}
{% if yes %}{% endif %}
{{ strftime_now('%Y-%m-%d %H:%M:%S %d %b %B %A %a %j %y %I %p %%') }}{{ strftime_now('') }}|
{{ raise_exception('no ' ~ name) }}
{{ raise_exception(5) }}
{% if %}{% endif %}
{% for %}{% endfor %}
{% if yes %}
{% for i in items %}{% endif %}{% endfor %}
{% endif %}
{% nosuchtag %}
{{ }}
{{ 1 + }}
{{ 1 2 }}
{{ (1 }}
{{ 1) }}
{{ [1 }}
{{ 'abc }}
{{ "a' }}
{{ n
{% set x = 1
{# open
{% raw %} open
{{ a..b }}
{{ .5 }}
{{ $ }}
{{ n ! }}
{{ n = 1 }}
{{ {1, 2} }}
{{ {'a' 1} }}
{{ f(a=1, 2) }}
{% macro f(a=1, b) %}{% endmacro %}
{% macro %}{% endmacro %}
{% set = 1 %}
{% set 1 = 1 %}
{% set x %}
{{ '\xZZ' }}
{{ '\u12' }}
{{ n | }}
{{ | upper }}
{{ n is }}
{{ not }}
{{ items[ }}
{{ 007 }}
{{ 0 }}{{ 00 }}{{ 0.5 }}{{ 10.25 }}{{ 1.e5 }}
{{ n if }}
{{ true }}{{ True }}{{ false }}{{ False }}{{ None }}{{ null }}|
{{ loop }}|{{ loop.index }}
{{ caller }}|
{% set loop = 5 %}{{ loop }}{% for i in [1] %}{{ loop.index }}{% endfor %}{{ loop }}
{{ n|string|length + 1 }} {{ -n|abs }} {{ (-n)|abs }} {{ n.__add__ is defined }} {{ 'a'|upper ~ 'b'|upper }} {{ 'a' + 'b'|upper }} {{ not n|length is defined if no else 1 }}
{{ [] or {} or 'x' }} {{ 0 == false }} {{ '' == none }} {{ 'a' 'b' == 'ab' }} {{ [1,2][0] }} {{ 'abc'[1] }} {{ 'abc'.upper()[0] }} {{ (1,2)[1] }} {{ "x".join(['1','2']).upper() }}
{{ items|map('string')|join(',')|upper }} {{ people|map(attribute='n')|map('lower')|join(' ') }} {{ (people|first).n }} {{ people[0].tags[0] }} {{ people[-1]['n'] }} {{ people|length > 2 and people[1].age == 25 }}
""".strip("\n")

WITH_LINE_ENDS = [
    "{{ 'line\\\nbreak' }}\n",
    '{% macro f(a) -%}\n   {{ a }}\n{%- endmacro %}|{{ f(1) }}|\n',
    "{% filter upper %}abc {{ name }}{% endfilter %}{% filter replace('a', 'b') | trim %} banana {% endfilter %}|{% filter indent(2) %}a\nb{% endfilter %}\n",
    'a{% raw %}\n\n b {% endraw %}\nc{% raw -%} d {% endraw -%}  e\n',
    'a {# comment #} b{#- strip -#} c {# multi\nline #}\nd\n  {# alone #}\ne {#+ keep +#} f\n',
    '  {% if yes %}\n    a\n  {% endif %}\nb\n{% if yes -%}\n    c\n{%- endif %}\n  d  {%- if yes %} e {% endif -%}  f\n  {%+ if yes %}g{% endif +%}\nh\n\t{% if yes %}tab{% endif %}\n  x {% if yes %}not alone{% endif %}  \n',
    '{% for i in items %}\n  - {{ i }}\n{% endfor %}\n\nend\n\n',
    '  {{ n }}\n  {{- n -}}  \n  z\n{%- set x = 1 -%}\n   {{+ n }}\n',
    '{% if yes %}   {% endif %}\n   {% if yes %}y{% endif %}\n\na\n\t {#- c -#}\n b\né {%- if yes %} ü{% endif %}\n',
    '{{ name }}\n{{ n }}\n\n',
    '{% if yes %}\n  {% raw %}\n  kept {{ x }}\n  {% endraw %}\n{% endif %}\n   {% raw -%}\n stripped {%- endraw %}\ntail',
    '{% if yes %}\r\n  a\r\n{% endif %}\rb\r\n\r\n',
    '{% set x =\n  1 %}{{ x\n}}{{-\n x }}\n',
]

SNIPPETS = ONE_LINE_EACH.split("\n") + WITH_LINE_ENDS

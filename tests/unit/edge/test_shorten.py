"""Shortened scripts and style sheets do the same."""

from pathlib import Path

import pytest

from service.edge.http.pages import WEB
from service.edge.http.shorten import short_script, short_style

SHEETS = sorted(WEB.rglob("*.css"))


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("// A file.\n\nlet a = 1;\n", "let a=1;\n"),
        ("/** What.\n * @type {A}\n */\nlet a;\nlet b;\n", "let a;let b;\n"),
        ("f(/** @type {A} */ (b));\n", "f((b));\n"),
        ('open("https://a.b/ c");\n', 'open("https://a.b/ c");\n'),
        ("class A {\n  #long = 1;\n  #x() {\n    return this.#long;\n  }\n}\n",
         "class A{#a=1;#b(){return this.#a;}}\n"),
        ('byId("#long").#long = "#long";\n', 'byId("#long").#a="#long";\n'),
        ("a = b + +c - -d;\n", "a=b+ +c- -d;\n"),
        ("a = b / c / d;\n", "a=b/c/d;\n"),
        ('if (/[/"] {2}/.test(a)) b();\n', 'if(/[/"] {2}/.test(a))b();\n'),
        ("return /a b/u;\n", "return/a b/u;\n"),
        ("a = `x  ${b + `${c . d} e `}  // ${{ f }}`;\n", "a=`x  ${b+`${c.d} e `}  // ${{f}}`;\n"),
        ("if (a) b();\nelse c();\n", "if(a)b();else c();\n"),
        ("function a() {}\nlet b\nlet c\n", "function a(){}\nlet b\nlet c\n"),
        ("const { a, ...b } = c;\n", "const{a,...b}=c;\n"),
        ('import { a } from "./b.js";\n', 'import{a}from"./b.js";\n'),
        ("a = b ? .5 : c?.d;\n", "a=b?.5:c?.d;\n"),
        ("for (const a of [1]) if (#x in a) b();\n", "for(const a of[1])if(#a in a)b();\n"),
    ],
)  # fmt: skip
def test_a_script_loses_what_it_does_not_need(text: str, short: str) -> None:
    assert short_script(text) == short


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("/* Bar */\n.bar > a,\n.b {\n  gap: 1px; /* small */\n}\n", ".bar>a,.b{gap:1px}\n"),
        ("a { width: calc(1rem + 2px); }\n", "a{width:calc(1rem + 2px)}\n"),
        ('a::before { content: "a:  b; {"; }\n', 'a::before{content:"a:  b; {"}\n'),
        ("a :hover { b: c }\n", "a :hover{b:c}\n"),
        ("@media (width >= 40rem) and (b: c) {\n  a {\n    d: e;\n  }\n}\n",
         "@media (width>= 40rem) and (b:c){a{d:e}}\n"),
    ],
)  # fmt: skip
def test_a_style_sheet_loses_what_it_does_not_need(text: str, short: str) -> None:
    assert short_style(text) == short


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: str(path.relative_to(WEB)))
def test_shortening_a_short_style_sheet_changes_nothing(path: Path) -> None:
    once = short_style(path.read_text())
    assert short_style(once) == once

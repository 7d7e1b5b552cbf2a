"""Variables get short names; what others see keeps its own."""

import pytest

from service.edge.http.shorten import short_script


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("const long = 1;\nuse(long, long);\n", "const a=1;use(a,a);\n"),
        ("function helper(long) {\n  return long;\n}\n", "function b(a){return a;}\n"),
        ("const f1 = (first, ...rest) => rest;\n", "const c=(b,...a)=>a;\n"),
        ("for (const [first, second] of all) use(first);\n", "for(const[a,b]of all)use(a);\n"),
        ("try {\n} catch (error) {\n  use(error);\n}\n", "try{}catch(a){use(a);}\n"),
        ("use(`x ${((long) => `${long}`)(1)}`);\n", "use(`x ${((a)=>`${a}`)(1)}`);\n"),
        # The name of a member is not the variable of the same name.
        ("const long = one.long;\nuse({ long: long }, long);\n",
         "const a=one.long;use({long:a},a);\n"),
        ("class Some {\n  long = 1;\n  other(long) {\n    return this.long + long;\n  }\n}\n",
         "class b{long=1;other(a){return this.long+a;}}\n"),
        ("const made = { long(one) {} };\n", "const a={long(b){}};\n"),
        # What may be both is left alone.
        ("const { long, other: renamed } = one;\nuse(long, renamed);\n",
         "const{long,other:renamed}=one;use(long,renamed);\n"),
        ("export function long() {}\nexport const other = 1;\n",
         "export function long(){}\nexport const other=1;\n"),
        ('import { long, other as more } from "./x.js";\nuse(long, more);\n',
         'import{long,other as more}from"./x.js";use(long,more);\n'),
        # Nor is what no declaration here explains.
        ("if (Math.max(long) > 1) {\n  use(window.long, document);\n}\n",
         "if(Math.max(long)>1){use(window.long,document);}\n"),
        ("const name = 1;\nuse(name);\n", "const name=1;use(name);\n"),
        # A name that is taken is given to nobody else.
        ("const long = a;\nuse(long, long);\n", "const b=a;use(b,b);\n"),
    ],
)  # fmt: skip
def test_a_variable_gets_a_short_name(text: str, short: str) -> None:
    assert short_script(text) == short

"""Give private members of classes (`#name`) short names: nothing outside of a class sees them."""

import re
from collections import Counter
from itertools import product
from string import ascii_letters

_PRIVATE = re.compile(r"""(?<![\w"'`$/-])#([A-Za-z_]\w+)\b""")


def short_private_names(script: str) -> str:
    """Return the script with another name for each private name, the shortest for the commonest.

    A test proves by a compiler that nothing else in the scripts of this service looks like one.
    """
    counts = Counter(_PRIVATE.findall(script))
    frequent = sorted(counts, key=lambda name: (-counts[name], name))
    letters = (*ascii_letters, *map("".join, product(ascii_letters, repeat=2)))
    free = (name for name in letters if f"#{name}" not in script)
    names = dict(zip(frequent, free, strict=False))
    return _PRIVATE.sub(lambda found: f"#{names.get(found[1], found[1])}", script)

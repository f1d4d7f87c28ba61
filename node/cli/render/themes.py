"""The looks: for each theme, each class of fragment and its style in prompt_toolkit's words.

Only the 16 colours that every terminal has and lets its user choose.  Colour never carries meaning
alone: whatever a class tells stands there in marks or words too.
"""

NICKS = 12  # colours for authors

_PLAIN = {
    "": "",
    "text": "",
    "time": "",
    "border": "",
    "day": "",
    "new": "bold",
    "notice": "",
    "notice.leader": "bold",
    "notice.error": "bold",
    "reply": "",
    "hint": "bold",
    "mention": "bold",
    "match": "reverse",
    "match.hit": "reverse bold",
    "nick.own": "bold",
    "delivery": "",
    "delivery.all": "dim",
    "delivery.queued": "",
    "delivery.failed": "bold",
    "title": "reverse",
    "status": "reverse",
    "status.act": "reverse bold",
    "status.warn": "reverse bold",
    "pane": "",
    "pane.head": "bold",
    "pane.front": "bold",
    "pane.active": "",
    "pane.mention": "bold",
    "pane.muted": "dim",
    "member": "",
    "member.own": "bold",
    "member.leader": "bold",
    "member.suspect": "",
    "member.gone": "dim",
    "member.away": "dim",
    "prompt": "bold",
    "question": "reverse bold",
    "page": "",
    "page.title": "reverse",
    "page.head": "bold",
    "page.good": "",
    "page.bad": "bold",
    "page.dim": "dim",
    "page.key": "bold",
    "switcher": "",
    "switcher.picked": "reverse",
    # The toolkit's own: the menu of completions, what is selected while typing, a search's match.
    "completion-menu": "noinherit reverse",
    "completion-menu.completion": "noinherit reverse",
    "completion-menu.completion.current": "noinherit bold",
    "completion-menu.meta.completion": "noinherit reverse",
    "completion-menu.meta.completion.current": "noinherit bold",
    "scrollbar.background": "noinherit reverse",
    "scrollbar.button": "noinherit",
    "scrollbar.arrow": "noinherit",
    "selected": "reverse",
    "incsearch": "noinherit reverse",
    "incsearch.current": "noinherit reverse underline",
    **{f"nick.{n}": "" for n in range(NICKS)},
}


def _nicks(colours: str) -> dict[str, str]:
    return {f"nick.{n}": look for n, look in enumerate(colours.split(" / "))}


_DEFAULT = _PLAIN | {
    "time": "dim",
    "border": "dim",
    "day": "dim",
    "new": "bold ansired",
    "notice": "dim",
    "notice.leader": "ansicyan",
    "notice.error": "bold ansired",
    "reply": "ansicyan",
    "hint": "bold ansigreen",
    "mention": "bold ansiyellow",
    "match": "ansiblack bg:ansiyellow",
    "match.hit": "bold ansiblack bg:ansiyellow underline",
    "delivery": "ansiyellow",
    "delivery.queued": "ansiyellow",
    "delivery.failed": "bold ansired",
    "pane.active": "ansiyellow",
    "pane.mention": "bold ansimagenta",
    "member.leader": "bold ansicyan",
    "member.suspect": "ansiyellow",
    "prompt": "bold ansigreen",
    "question": "reverse bold ansiyellow",
    "page.head": "bold ansicyan",
    "page.good": "ansigreen",
    "page.bad": "bold ansired",
    "page.key": "bold ansigreen",
    "completion-menu": "noinherit ansiblack bg:ansigray",
    "completion-menu.completion": "noinherit ansiblack bg:ansigray",
    "completion-menu.completion.current": "noinherit bold ansiblack bg:ansicyan",
    "completion-menu.meta.completion": "noinherit ansiblack bg:ansigray",
    "completion-menu.meta.completion.current": "noinherit ansiblack bg:ansicyan",
    "scrollbar.background": "noinherit bg:ansigray",
    "scrollbar.button": "noinherit bg:ansiblack",
    **_nicks(
        "ansicyan / ansimagenta / ansigreen / ansiyellow / ansiblue / ansired / ansibrightcyan"
        " / ansibrightmagenta / ansibrightgreen / ansibrightyellow / ansibrightblue / ansibrightred"
    ),
}

_HIGH_CONTRAST = _DEFAULT | {
    "time": "",
    "border": "",
    "day": "bold",
    "notice": "",
    "notice.leader": "bold ansibrightcyan",
    "notice.error": "bold reverse",
    "reply": "ansibrightcyan",
    "mention": "bold ansibrightyellow",
    "delivery": "bold",
    "delivery.all": "",
    "delivery.queued": "bold ansibrightyellow",
    "delivery.failed": "bold reverse",
    "pane.front": "reverse bold",
    "pane.active": "bold ansibrightyellow",
    "pane.mention": "bold ansibrightmagenta underline",
    "pane.muted": "",
    "member.suspect": "bold ansibrightyellow",
    "member.gone": "",
    "member.away": "",
    "page.dim": "",
    **_nicks(
        "bold ansibrightcyan / bold ansibrightmagenta / bold ansibrightgreen"
        " / bold ansibrightyellow / bold ansiwhite / bold ansibrightcyan underline"
        " / bold ansibrightmagenta underline / bold ansibrightgreen underline"
        " / bold ansibrightyellow underline / bold ansiwhite underline / bold / bold underline"
    ),
}

_LIGHT = _DEFAULT | {
    "notice.leader": "ansiblue",
    "reply": "ansiblue",
    "hint": "bold ansiblue",
    "mention": "bold ansired",
    "match": "ansiblack bg:ansibrightyellow",
    "match.hit": "bold underline ansiblack bg:ansibrightyellow",
    "delivery": "ansimagenta",
    "delivery.queued": "ansimagenta",
    "pane.active": "ansiblue",
    "member.leader": "bold ansiblue",
    "member.suspect": "ansimagenta",
    "prompt": "bold ansiblue",
    "question": "reverse bold ansiblue",
    "page.head": "bold ansiblue",
    "page.key": "bold ansiblue",
    **_nicks(
        "ansiblue / ansimagenta / ansired / ansigreen / ansicyan / bold ansiblue / bold ansimagenta"
        " / bold ansired / bold ansigreen / bold ansicyan / bold ansiblack / ansiblack"
    ),
}


def _alone(theme: dict[str, str]) -> dict[str, str]:
    """The theme with looks that take nothing over: to the toolkit `notice.error` is a `notice`."""
    return {
        name: look if "." not in name or "noinherit" in look else f"noinherit {look}".rstrip()
        for name, look in theme.items()
    }


THEMES: dict[str, dict[str, str]] = {
    "default": _alone(_DEFAULT),
    "mono": _alone(_PLAIN),
    "high-contrast": _alone(_HIGH_CONTRAST),
    "light": _alone(_LIGHT),
}

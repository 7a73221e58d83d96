"""The guides: Markdown beside this module, turned into HTML once and kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

ORDER = (
    *("serve", "your-app", "authentication", "authorisation", "encryption", "batches", "clients", "protocols"),
    *("operations", "postgres", "how-it-works", "reliability"),
)
"""The names of the guides, in the order in which they are best read."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a guide: its heading's anchor and text."""

    anchor: str
    title: str


@dataclass(frozen=True, slots=True)
class Guide:
    """One guide. `summary` is its first paragraph, and `body` all of it but its title; both are HTML."""

    name: str
    title: str
    summary: Markup
    body: Markup
    sections: tuple[Section, ...]


@cache
def guidebook() -> dict[str, Guide]:
    """All guides by name, in their order."""
    folder = files("runyard.handlers.console").joinpath("guides")
    return {name: render(name, folder.joinpath(f"{name}.md").read_text(encoding="utf-8")) for name in ORDER}


def render(name: str, text: str) -> Guide:
    """Turns Markdown into a guide. Its first block is the title, its second one the summary.

    HTML in the source is shown as text. Links to `other.md` lead to the page of that guide.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    sections = _anchor_headings(tokens)
    _link_pages(tokens)
    title, summary = tokens[1], tokens[4]
    return Guide(
        name=name,
        title=_text(title),
        summary=Markup(parser.renderer.render([summary], parser.options, {})),
        body=Markup(parser.renderer.render(tokens[3:], parser.options, {})),
        sections=tuple(sections),
    )


def _anchor_headings(tokens: Sequence[Token]) -> list[Section]:
    """Gives headings the anchors that GitHub gives them; answers those of the second level."""
    sections: list[Section] = []
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        title = _text(inline)
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        opening.attrSet("id", anchor)
        if opening.tag == "h2":
            sections.append(Section(anchor, title))
    return sections


def _link_pages(tokens: Sequence[Token]) -> None:
    for inline in tokens:
        for link in inline.children or ():
            href = link.attrGet("href")
            if isinstance(href, str) and ":" not in href:
                link.attrSet("href", re.sub(r"\.md(?=#|$)", "", href))


def _text(inline: Token) -> str:
    return "".join(child.content for child in inline.children or ())

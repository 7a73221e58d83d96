"""The guides: pages that are whole, link to each other, need nothing but their own server, and name what there is."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from runyard.handlers.console.guidebook import ORDER, guidebook, render
from runyard.runtime.config.http_section import GROUPS
from runyard.runtime.config.project import CorsPolicy, WebhookPolicy
from runyard.runtime.config.settings import Settings
from runyard.runtime.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "handlers" / "console" / "guides"
HERE = "http://test"
PAGES = ["/guides", *(f"/guides/{name}" for name in ORDER)]


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id" and value:
                assert value not in self.anchors, value
                self.anchors.add(value)
            elif name in ("href", "src", "srcset", "data", "poster", "background") and value:
                (self.links if tag == "a" else self.loaded).append(value)


@pytest.mark.parametrize("path", PAGES)
async def test_every_guide_is_a_page(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.text.count("<h1") == 1
    assert (await client.head(path)).status_code == 200


def test_every_file_is_a_guide_and_has_its_place() -> None:
    assert sorted(ORDER) == sorted(file.stem for file in FOLDER.glob("*.md"))
    assert list(guidebook()) == list(ORDER)
    for guide in guidebook().values():
        assert guide.title
        assert guide.summary
        assert len(guide.sections) > 1


async def test_the_list_names_every_guide_with_its_summary(client: httpx.AsyncClient) -> None:
    text = (await client.get("/guides")).text
    for guide in guidebook().values():
        assert guide.title in text
        assert guide.summary in text


@pytest.mark.parametrize("path", PAGES)
async def test_every_internal_link_leads_somewhere(client: httpx.AsyncClient, path: str) -> None:
    seen = 0
    for link in Page((await client.get(path)).text).links:
        target = urlsplit(urljoin(HERE + path, link))
        if target.netloc != "test":
            assert target.scheme == "https", link
            continue
        seen += 1
        response = await client.get(target.path)
        assert response.status_code == 200, link
        if target.fragment:
            assert target.fragment in Page(response.text).anchors, link
    assert seen > len(ORDER)


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_loads_anything_from_another_host(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    loaded = Page(response.text).loaded
    assert [urljoin(path, link) for link in loaded] == ["/docs/assets/favicon-32x32.png"]
    assert (await client.get("/docs/assets/favicon-32x32.png")).status_code == 200
    assert "url(" not in response.text
    assert "@import" not in response.text
    assert "<script" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]


async def test_the_other_pages_lead_to_the_guides(client: httpx.AsyncClient) -> None:
    landing = await client.get("/", headers={"accept": "text/html"})
    assert "guides" in Page(landing.text).links
    assert "guides" in Page((await client.get("/docs")).text).links
    assert "../docs" in Page((await client.get(PAGES[-1])).text).links


@pytest.mark.parametrize("name", ["nope", "serve.md", "..%2fpages.py", "%2e%2e", "SERVE"])
async def test_a_guide_that_does_not_exist(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/guides/{name}")
    assert response.status_code == 404
    assert set(response.json()) == {"detail"}


def test_html_in_a_guide_is_shown_as_text() -> None:
    guide = render(
        "g", "# T <b>\n\nHas `<i>`.\n\n<script>alert(1)</script>\n\na <img src=x> b\n\n[x](javascript:alert)"
    )
    assert guide.title == "T <b>"
    assert guide.summary == "Has <code>&lt;i&gt;</code>."
    assert "<script" not in guide.body
    assert "<img" not in guide.body
    assert "<a" not in guide.body


def test_tables_code_and_links_between_guides() -> None:
    text = "# T\n\nS.\n\n## What's `a.b`?\n\n|a|b|\n|-|-|\n|1|2|\n\n```sh\nx <y\n```\n\n[o](other.md#top) [w](https://x.md)"
    guide = render("g", text)
    assert [(section.anchor, section.title) for section in guide.sections] == [("whats-ab", "What's a.b?")]
    assert "<td>1</td>" in guide.body
    assert "x &lt;y" in guide.body
    assert 'href="other#top"' in guide.body
    assert 'href="https://x.md"' in guide.body


@pytest.mark.parametrize("file", ["README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md", "CHANGELOG.md"])
def test_links_between_the_files_of_the_project_lead_somewhere(file: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / file).read_text(encoding="utf-8")):
        assert ((ROOT / file).parent / link).exists(), link


def operations_guide() -> str:
    return (FOLDER / "operations.md").read_text(encoding="utf-8")


def test_the_guide_names_every_setting_and_its_default() -> None:
    text = operations_guide()
    for field in dataclasses.fields(Settings):
        if field.name == "project":
            continue
        row = next(line for line in text.splitlines() if f"`RUNYARD_{field.name.upper()}`" in line)
        if field.default is not dataclasses.MISSING:
            given = field.default
            default = f"{given:.10g}" if isinstance(given, float) else str(given)
            default = default.lower() if isinstance(given, bool) else default
            assert ("| none |" if given in (None, ()) else f"| `{default}` |") in row, row


async def test_the_guide_names_every_metric() -> None:
    text = operations_guide()
    exposed = (await Metrics().exposition()).decode()
    families = re.findall(r"^# TYPE (runyard_\w+?)(?:_created)? ", exposed, re.MULTILINE)
    assert len(families) > 5
    for family in families:
        assert f"`{family}" in text, family


def test_the_guide_to_serving_names_every_key_of_the_project() -> None:
    text = (FOLDER / "serve.md").read_text(encoding="utf-8")
    for key in ("graphs", "dependencies", "env", *CorsPolicy.__dataclass_fields__):
        assert f"`{key}`" in text, key
    for key in WebhookPolicy.__dataclass_fields__.keys() - {"headers", "enabled"}:
        assert f"`webhooks.url.{key}`" in text, key
    for key in ("webhooks.headers", "webhooks.env_prefix", "http.configurable_headers", "checkpointer.ttl"):
        assert f"`{key}`" in text, key
    for group in GROUPS:
        assert f"`{group}`" in text, group

"""A page in Chromium, driven through the pipe of its DevTools protocol."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio"),
    *("--remote-debugging-pipe", "about:blank"),
)


class PageError(Exception):
    """What the page was told failed in it."""


class Page:
    """One page. `problems` has what failed in it unseen, and what it wrote to its console as an error."""

    def __init__(self, commands: int, answers: asyncio.StreamReader) -> None:
        self._commands = commands
        self._answers = answers
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._number = 0
        self._reading = asyncio.create_task(self._read())
        self.problems: list[str] = []

    async def attach(self) -> None:
        """Takes the first page that the browser has."""
        targets = await self._send("Target.getTargets")
        page = next(target for target in targets["targetInfos"] if target["type"] == "page")
        attached = await self._send("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await self._send(f"{domain}.enable")

    async def open(self, url: str) -> None:
        """Goes to an address."""
        await self._send("Page.navigate", url=url)

    async def reload(self) -> None:
        """As its user would."""
        await self._send("Page.reload")

    async def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript, awaited in the page. Raises PageError."""
        answer = await self._send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise PageError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    async def until(self, expression: str, *, within: float = 60.0) -> Any:
        """The value of an expression, once it is true; pages in between do not matter."""
        seen: Any = None
        try:
            async with asyncio.timeout(within):
                while True:
                    with suppress(PageError):  # between two pages there is none
                        if seen := await self.ask(expression):
                            return seen
                    await asyncio.sleep(0.05)
        except TimeoutError:
            text = await self.ask("document.body.innerText")
            raise AssertionError(f"never true: {expression}; the page shows {text!r}; {self.problems}") from None

    async def close(self) -> None:
        """Ends the browser."""
        with suppress(PageError, OSError):
            self._session = None
            await self._send("Browser.close")
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        answer = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        return await asyncio.wait_for(answer, 60)

    async def _read(self) -> None:
        try:
            while True:
                message = json.loads((await self._answers.readuntil(b"\0"))[:-1])
                waiting = self._waiting.pop(message.get("id", 0), None)
                if waiting is None:
                    self._note(message)
                elif "error" in message:
                    waiting.set_exception(PageError(message["error"]["message"]))
                else:
                    waiting.set_result(message["result"])
        except asyncio.IncompleteReadError:
            for waiting in self._waiting.values():
                waiting.set_exception(PageError("the browser has ended"))

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(params["exceptionDetails"])[:2000])
            case "Runtime.consoleAPICalled" if params["type"] == "error":
                self.problems.append(json.dumps(params["args"])[:2000])
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.problems.append(json.dumps(params["entry"])[:2000])


@asynccontextmanager
async def open_page(chromium: Path) -> AsyncIterator[Page]:
    """A page of a browser of its own."""
    from_us, commands = os.pipe()
    answers, to_us = os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        # The browser reads commands from 3 and answers on 4.
        pipes = f'exec "$0" "$@" 3<&{from_us} 4>&{to_us}'
        process = subprocess.Popen(  # noqa: ASYNC220 - begins at once
            ["/bin/bash", "-c", pipes, chromium, f"--user-data-dir={profile}", *OPTIONS],
            pass_fds=(from_us, to_us),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(from_us)
        os.close(to_us)
        reader = asyncio.StreamReader(limit=1 << 26)
        pipe = os.fdopen(answers, "rb")
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        page = Page(commands, reader)
        try:
            await page.attach()
            yield page
        finally:
            await page.close()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            transport.close()
            os.close(commands)

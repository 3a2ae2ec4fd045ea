"""Mathematics is tested in float64, with one seed, and no test depends on another's draws."""

import shutil
from collections.abc import Iterator

import pytest
import torch
from refusal import picture

QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)

torch.set_default_dtype(torch.float64)  # for what test modules make when they are imported


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def single() -> Iterator[None]:
    """Float32, for what is only ever run in it."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def folder(tmp_path):
    """Ten good images in two classes."""
    for i in range(10):
        picture(tmp_path / "images" / "ab"[i % 2] / f"{i}.jpg")
    return tmp_path / "images"


@pytest.fixture(scope="session")
def browser():
    where = shutil.which("chromium")
    if where is None:
        pytest.skip("pages are opened in Debian's chromium, which is not installed")
    from playwright.sync_api import sync_playwright  # not above: few tests need it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=where, args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture
def open_tab(browser):
    """Open a page that complains about nothing and asks the network for nothing."""
    wrong, tabs = [], []

    def open_page(file, width=1000, **options):
        tab = browser.new_page(viewport={"width": width, "height": 800}, **options)
        tabs.append(tab)
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("dialog", lambda dialog: wrong.append(dialog.message))
        tab.on("request", lambda r: r.url.startswith(("file:", "data:")) or wrong.append(r.url))
        tab.goto(file.as_uri())
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert wrong == []

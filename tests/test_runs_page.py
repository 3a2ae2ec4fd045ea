"""The page of a folder of runs: its numbers, text from strangers, and its look in Chromium."""

import csv
import json
import re
from urllib.parse import unquote, urljoin

import pytest
from browsing import CONTRAST
from omegaconf import OmegaConf
from PIL import Image
from recorded import judged, pretraining, record, several

from infomin.cli import report
from infomin.core.errors import InputError
from infomin.experiments import page
from infomin.experiments.page import LARGEST
from infomin.experiments.page.run_files import thumbnails
from infomin.experiments.run_index import scan

pytestmark = [pytest.mark.usefixtures("single"), pytest.mark.slow]

ACCURACIES = {"raw-rgb": [0.50, 0.52, 0.515], "raw-ydbdr": [0.60, 0.62, 0.61], "raw-lab": [0.4]}
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'</style>{{ 7 * 7 }}"


def text_of(file):
    """Return the text of a page without its tags."""
    html = file.read_text(encoding="utf-8")
    body = html[html.index("<body>") : html.rindex("<script>")]
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", body))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Write a page of three tables and an unfinished run."""
    root = several(tmp_path_factory.mktemp("made") / "my runs #1", ACCURACIES)
    record(root, "large", pretraining(data__size=64), judged(0.7))
    l1 = record(root, "l1", pretraining(loss__name="l1"), judged(0.39) | {"i_nce": None})
    lines = [json.dumps({"step": 10 * i, "loss": 0.5 / i}) + "\n" for i in (1, 2, 3)]
    (l1 / "metrics.jsonl").write_text("".join(lines))
    game = {"data": "photos", "objective": "semi", "class_accuracy": [0.3, 0.5], "seconds": 60}
    game |= {"collapsed": ["view 1 is <b>constant</b>"], "i_nce": {"value": 1.5, "cap": 4.16}}
    config = {"seed": 0, "color": "rgb", "game": {"mode": "semi", "batch": 64}}
    record(root, "game", config, game, kind="learn_views")
    record(root, "half", pretraining())
    return page.write(root)


def test_the_table_has_mean_deviation_interval_and_n(made):
    text = text_of(made)
    assert "raw-ydbdr leads raw-rgb by 9.8 points" in text and "●&nbsp;excludes 0" in text
    assert "2 raw-rgb 51.2 ± 1.0 −9.8 [−" in text and "raw-lab 40.0 −20.0" in text
    assert "1.10 ± 0.10" in text and "3 0, 1, 2" in text and "Chance is 12.5 %" in text
    assert "cap log K = 4.85" in text and "n = 3, 3, 1, 1." in text
    assert "views.color" in text and "abc1234" in text and "python scripts/pretrain.py" in text
    assert "Warning , row 1, seed 0: view 1 is &lt;b&gt;constant" in text
    assert "half unfinished: last logged step 40" in text
    assert "Not comparable with other tables: data.size 32 (elsewhere 64)" in text


def test_losses_of_other_units_have_separate_charts_and_a_missing_i_nce_is_a_dash(made):
    titles = re.findall('aria-label="([^"]*) over the steps of training"', made.read_text())
    assert {"I_NCE, nats", "loss, nats", "loss, units of views"} == {*titles}
    assert "raw-rgb loss.name l1 39.0 −21.0 34.0 – 1.5" in text_of(made)


def test_the_csv_has_every_row_and_the_figures_are_beside_the_page(made):
    rows = list(csv.DictReader((made.parent / page.CSV).read_text().splitlines()))
    assert [(r["table"], r["views"], r["n"]) for r in rows] == [
        ("1", "raw-ydbdr", "3"),
        ("1", "raw-rgb", "3"),
        ("1", "raw-lab", "1"),
        ("1", "raw-rgb", "1"),
        ("2", "raw-rgb", "1"),
        ("3", "semi, rgb", "1"),
    ]
    assert (
        float(rows[1]["top-1 %, mean"]) == pytest.approx(51.1667) and rows[2]["top-1 %, std"] == ""
    )
    assert [f.name for f in sorted(made.parent.glob("*.png"))] == [
        "accuracy-1.png",
        "accuracy-2.png",
    ]
    with Image.open(made.parent / "accuracy-1.png") as figure:
        assert figure.width > 700


def test_links_lead_to_the_runs(made):
    html = made.read_text()
    links = [link for link in re.findall('href="([^"]*)"', html) if not link.startswith("#")]
    assert len(links) > 12
    for link in links:
        assert (made.parent / unquote(link)).exists(), link
        assert urljoin(made.as_uri(), link).startswith("file:///")


def test_a_folder_without_results_has_a_page_that_says_so(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    record(tmp_path, "half", pretraining())
    text = text_of(page.write(tmp_path))
    assert "There is no finished run here yet." in text and "0 finished runs in 0 tables" in text
    assert "2 left out" in text


def test_a_page_is_not_part_of_the_next_page(tmp_path):
    root = tmp_path / "runs"
    root.mkdir()
    assert page.write(root, tmp_path / "there").parent == tmp_path / "there"
    inside = page.write(root)
    (inside.parent / "accuracy-9.png").write_bytes(b"of an earlier page")
    assert page.write(root) == inside == root / "report" / "page" / "report.html"
    assert "left out" not in text_of(inside)
    assert not (inside.parent / "accuracy-9.png").exists()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Write a page of runs whose texts, numbers and pictures are attacks."""
    root = tmp_path_factory.mktemp("hostile") / "runs"
    config = pretraining(**{f"views__{ATTACK}": ATTACK}, data__size=ATTACK)
    given = judged(views=ATTACK, protocol=ATTACK * 999, data=ATTACK, more={ATTACK: [ATTACK]})
    folder = record(root, ATTACK.replace("/", "_"), config, given)
    (folder / "provenance.json").write_text(json.dumps({n: ATTACK for n in ("command", "commit")}))
    (folder / "pictures" / "views.png").write_bytes(b"<svg onload=alert(3)>")
    odd = {"top1": "0.5", "knn": True, "i_nce": [1], "chance": float("nan"), "seconds": -(10**300)}
    record(root, "=1+1", pretraining(views__color="x"), judged() | odd | {"collapsed": {"a": 1}})
    absurd = {
        "top1": 1e8,
        "chance": -1e8,
        "i_nce": {"value": -1e8, "cap": 1e8},
        "views": ["x"] * 99,
    }
    record(root, "\u202etxt", pretraining(views__color=9), judged() | absurd | {"data": "\ud800"})
    record(root, "c", pretraining(seed=True, pretrain__batch=-1), judged(0.5) | {"views": None})
    (root / "pretrain" / "c" / "metrics.jsonl").write_text('{"step": -5, "loss": 1e8}\n' * 2)
    (root / ATTACK.replace("/", "_")).write_text("a stranger")
    return page.write(root)


def test_text_from_strangers_is_escaped(hostile):
    html = hostile.read_text(encoding="utf-8")
    assert html.count("<script>") == 1 and "<img src=x" not in html and "onload=alert" not in html
    assert "{{ 7 * 7 }}" in html and len(html) < 500_000
    assert max(map(len, re.findall("(?:[^<> ]*x){50}[^<>]*", html)), default=0) < 1000
    assert "'=" not in (hostile.parent / page.CSV).read_text() or "\n=" not in html


@pytest.mark.parametrize("size", [(6000, 6000), (300, 120)])
def test_a_picture_that_is_too_large_is_not_opened(tmp_path, size):
    root = several(tmp_path / "runs", {"raw-rgb": [0.5]})
    picture = root / "pretrain" / "raw-rgb-s0" / "pictures" / "views.png"
    Image.new("1", size).save(picture)
    (table,) = page.result_tables(scan(root).runs)
    assert len(thumbnails(table.rows, 10**6)) == (size[0] < 6000) and not thumbnails(
        table.rows, 100
    )
    picture.write_bytes(picture.read_bytes()[:60])
    assert thumbnails(table.rows, 10**6) == []


def test_charts_follow_the_colors_and_fonts_of_the_page(made):
    html = made.read_text(encoding="utf-8")
    drawings = re.findall("<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) == html.count('<svg role="img" aria-label=') == 11
    for drawing in drawings:
        assert "var(--soft)" in drawing and "font:" not in drawing and "<style" not in drawing
        assert not re.search("(fill|stroke): #", drawing)


def test_hundreds_of_runs_fit_on_a_page(tmp_path):
    root = tmp_path / "runs"
    noise = Image.effect_noise((900, 500), 90).convert("RGB")
    noise.save(tmp_path / "noise.png")
    for i in range(48):
        config = pretraining(seed=i % 3, views__color=f"c{i // 3}", **{f"x{i % 3}": "y" * 300})
        record(root, f"r{i}", config, judged(0.5, f"raw-c{i // 3}"), steps=70)
        (root / "pretrain" / f"r{i}" / "pictures" / "views.png").unlink()
        (root / "pretrain" / f"r{i}" / "pictures" / "views.png").hardlink_to(tmp_path / "noise.png")
    assert 1_000_000 < page.write(root).stat().st_size < LARGEST


@pytest.mark.parametrize(("runs", "name"), [(None, None), ("runs", "demo")])
def test_either_runs_or_an_experiment_is_required(runs, name):
    got = "both" if runs else "neither"
    message = f"runs, experiment: expected one of them, a folder such as .* got {got}$"
    with pytest.raises(InputError, match=message):
        report.report.__wrapped__(OmegaConf.create({"runs": runs, "name": name}))


def test_the_command_writes_the_page_and_prints_its_path(tmp_path, monkeypatch, capsys):
    root = several(tmp_path / "mine", {"raw-rgb": [0.5]})
    monkeypatch.setattr(report, "OVERRIDES", [f"runs={root}", "to=null"])
    report.report.__wrapped__(OmegaConf.create({"runs": str(root), "to": None}))
    assert capsys.readouterr().out.endswith("mine/report/page/report.html\n")
    assert "python scripts/report.py runs=PATH/mine" in text_of(root / "report/page/report.html")
    with pytest.raises(InputError, match=r"runs: expected a folder that holds runs, got .*nowhere"):
        page.write(tmp_path / "nowhere")


def test_a_column_can_be_sorted_with_the_keyboard_and_the_page_works_without_script(made, open_tab):
    tab = open_tab(made)
    names = (
        "[...document.querySelectorAll('.rows')[0].tBodies[0].rows].map(r => r.cells[0].innerText)"
    )
    before = tab.evaluate(names)
    tab.focus("table.rows thead button >> nth=0")
    tab.keyboard.press("Enter")
    assert tab.evaluate(names) == before, "the best come first"
    tab.keyboard.press("Enter")
    assert tab.evaluate(names) == before[::-1]
    assert tab.locator("[aria-sort=ascending]").count() == 1
    width = "getComputedStyle(document.activeElement).outlineWidth"
    assert tab.evaluate(width) == "3px", "focus can be seen"


def test_text_from_strangers_runs_nothing(hostile, open_tab):
    tab = open_tab(hostile)
    assert tab.locator("[onerror], [onload], main script").count() == 0
    assert ATTACK[:20] in tab.locator("main").text_content()
    assert tab.evaluate("document.documentElement.scrollWidth") == 1000


@pytest.mark.parametrize(
    ("width", "scheme"), [(320, "light"), (400, "dark"), (1280, "light"), (1280, "dark")]
)
def test_the_page_is_readable(made, open_tab, width, scheme):
    tab = open_tab(made, width, color_scheme=scheme)
    tab.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    assert tab.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out"
    actual = tab.evaluate(CONTRAST)
    assert len(actual) > 150
    assert [where for ratio, where in actual if ratio < 4.5] == []
    letters = (
        "[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)"
    )
    assert min(tab.evaluate(letters)) > (8 if width == 320 else 10)
    unnamed = "img:not([alt]), img[alt=''], svg:not([aria-label]):not([aria-hidden])"
    assert tab.locator(unnamed).count() == 0

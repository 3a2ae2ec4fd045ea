"""Images that lack some views: batches of the same views, and nothing of what is missing."""

import pytest
import torch
from composing import composed
from refusal import refused
from trainers import make_trainer

from infomin.augment import CropFlip
from infomin.cli.estimate_information import run_estimate
from infomin.cli.learn_views import run_game
from infomin.cli.pretrain import run_pretraining
from infomin.core.files import read_json
from infomin.data import DataSet, ImageSet, UniformBatches, missing_views
from infomin.evaluation import evaluate, extract, held_out_i_nce
from infomin.methods import Batch
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.views import ChannelViews, ModalityViews, WholeViews

pytestmark = pytest.mark.usefixtures("single")
NET = {"name": "fourconv", "size": 16, "dim": 8, "widths": [4, 8], "pools": 2}
BANK = {"kind": "bank", "negatives": 8}
QUEUE = {"kind": "queue", "size": 16, "momentum": 0.9}
METHODS = [
    ("cmc", {"loss": {"name": "logistic"}, "memory": BANK, "chunk": 5}),
    ("cmc", {"memory": {**BANK, "draws": "per_sample", "positive": "batch"}, "graph": "core"}),
    ("moco", {"memory": QUEUE, "graph": "core", "chunk": 5}),
    ("simclr", {}),
    ("byol", {"hidden": 8}),
    ("vicreg", {}),
]
PAIRS = [(0, 1), (0, 2), (1, 2)]
GROUPS = ((0, 1, 2), (3,), (4,))


def random_mask(n=90, views=3, share=0.6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, views, generator=generator) < share


def batches(mask, pairs=PAIRS, size=6, seed=0):
    return UniformBatches(mask, pairs, size, seed, "test")


def test_all_samples_of_a_batch_have_the_same_views_and_one_pair_of_them():
    mask = random_mask()
    for graph in (PAIRS, PAIRS[:2]):
        drawn = batches(mask, graph)
        for step in range(3 * drawn.per_epoch):
            views, index = drawn.views(step), drawn(step)
            expected = torch.zeros(3, dtype=torch.bool)
            expected[list(views)] = True
            assert (mask[index] == expected).all() and 2 <= len(index) <= 6
            assert any({*pair} <= {*views} for pair in graph)


def test_every_sample_with_a_pair_comes_once_an_epoch_but_for_remainders():
    mask, ever = random_mask(), set()
    paired = mask.sum(1) >= 2
    drawn = batches(mask)
    sizes = mask[paired].unique(dim=0, return_counts=True)[1]
    for epoch in range(20):
        steps = range(epoch * drawn.per_epoch, (epoch + 1) * drawn.per_epoch)
        seen = torch.cat([drawn(step) for step in steps]).tolist()
        assert len(seen) == len({*seen}) == sum(int(n) // min(6, n) * min(6, n) for n in sizes)
        ever |= {*seen}
    assert ever == {*paired.nonzero().flatten().tolist()}
    for view, rows in drawn.rows.items():
        assert torch.equal(rows, (paired & mask[:, view]).nonzero().flatten())


def test_the_order_is_a_function_of_seed_and_step():
    mask = random_mask()
    forward, backward, other = batches(mask), batches(mask), batches(mask, seed=1)
    seen = {step: (forward(step), forward.views(step)) for step in range(40)}
    for step in reversed(range(40)):
        assert torch.equal(backward(step), seen[step][0]) and backward.views(step) == seen[step][1]
    assert any(not torch.equal(other(step), index) for step, (index, _) in seen.items())
    assert len({forward.views(step) for step in range(forward.per_epoch)}) == 4, "groups are mixed"


def test_batches_that_cannot_be_are_refused():
    apart = torch.eye(3, dtype=torch.bool).repeat(4, 1)
    with refused("data: found no two samples with the same two views, need them for a contrast; l"):
        batches(apart)
    with refused(r"batch: expected 1\.\.\d+, the number of images to draw from, got 90"):
        batches(random_mask(), size=90)


def trained_on(mask, method="cmc", fill=0.0, chunk=None, **options):
    images = torch.rand(len(mask), 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images[~mask] = fill
    views = ChannelViews(groups=[[0], [1], [2]])
    settings = {"epochs": 2, "batch": 8, "chunk": chunk}
    return make_trainer(views, images, method, view_mask=mask, settings=settings, **options)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "options"), METHODS)
def test_nothing_of_a_missing_view_enters_a_training(method, options):
    results = []
    for fill in (0.0, 7.0):
        trainer = trained_on(random_mask(40), method, fill, **options)
        results.append([metrics["loss"] for metrics in trainer])
        results[-1] += [w.sum().item() for w in trainer.method.state_dict().values()]
    assert results[0] == results[1] and trainer.steps >= 6


@pytest.mark.parametrize("draws", ["shared", "per_sample"])
def test_rows_of_a_bank_that_a_view_never_embeds_are_never_drawn(draws):
    trainer = trained_on(
        random_mask(40, share=0.8), memory={**BANK, "draws": draws, "mask_own": True}
    )
    negatives, batches = trainer.method.bank, trainer.loader.batches
    rows = {view: set(samples.tolist()) for view, samples in batches.rows.items()}
    assert all(len(samples) < 40 for samples in rows.values())
    seen = {view: set() for view in rows}
    for step in range(80):
        batch = Batch(batches(step), step)
        for view in batches.views(step):
            drawn = negatives.draw(view, batch)
            own = batch.index if draws == "shared" else batch.index[:, None]
            assert not (torch.isin(drawn, own) if draws == "shared" else drawn == own).any()
            seen[view] |= {*drawn.flatten().tolist()}
    assert seen == rows
    before = negatives.bank.rows.clone()
    trainer.advance()
    moved = (negatives.bank.rows != before).any(2)
    for view in rows:
        expected = sorted(batches(0).tolist()) if view in batches.views(0) else []
        assert moved[view].nonzero().flatten().tolist() == expected


def data_set(n=24, seed=0):
    """Three sensors of bright and of dark images; samples without any are there too."""
    sets = []
    for part in (seed, seed + 1):
        x = torch.randint(0, 120, (n, 5, 16, 16), generator=torch.Generator().manual_seed(part))
        labels = torch.arange(n) % 2
        images = (x + 120 * labels[:, None, None, None]).byte()
        sets.append(ImageSet.of(images, labels, view_mask=random_mask(n, seed=part)))
    return DataSet("sensors", *sets, ("dark", "light"), groups=GROUPS)


def test_a_view_is_there_where_all_that_it_is_made_of_is():
    images = data_set()
    rgb, depth, heat = images.train.view_mask.T
    mixed = images.with_views(ChannelViews(5, groups=[[0], [1, 2, 3], [4]]).sources).train.view_mask
    expected = torch.stack([rgb, rgb & depth, heat], 1)
    assert torch.equal(mixed, expected[expected.any(1)])
    whole = images.with_views(WholeViews(5).sources)
    assert whole.train.view_mask is None and len(whole.train) == int((rgb & depth & heat).sum())
    table = missing_views.mask_of_views(
        images.train.view_mask[:, :2], GROUPS[:2], ModalityViews(["L", "normals", "ab"]).sources
    )
    assert torch.equal(table, torch.stack([rgb, depth, rgb], 1))


def test_what_leaves_no_pairs_is_refused():
    images, labels = torch.zeros(3, 2, 8, 8), torch.zeros(3, dtype=torch.int64)
    apart, both = torch.tensor([[1, 0], [0, 1], [1, 1]]).bool(), torch.ones(3, 2).bool()
    one, all_ = (ImageSet.of(images, labels, view_mask=p) for p in (apart, both))
    with refused("data x: found 1 training images with two views, need at least 2; list two over"):
        DataSet("x", one, all_, (), groups=((0,), (1,))).check_pairs()
    with refused("data x: found 1 test images with the first two views, need at least 2; list two"):
        DataSet("x", all_, one, (), groups=((0,), (1,))).check_pairs()


def encoder_of(images):
    views = ChannelViews(images.channels, groups=images.groups)
    return PretrainedEncoder(views, build_encoders(view_channels=views.view_channels, **NET), NET)


def test_missing_views_have_zero_features_and_no_part_in_estimates():
    data = data_set()
    encoder, images, mask = encoder_of(data), data.test.images, data.test.view_mask
    others = images.clone()
    for group, there in zip(GROUPS, mask.T, strict=True):
        others[(~there).nonzero(), list(group)] = 255
    parts = {"views": encoder.views, "encoders": encoder.encoders}
    features, same_features = (
        extract(**parts, images=x, chunk=5, view_mask=mask) for x in (images, others)
    )
    assert torch.equal(features, same_features)
    of_all = extract(**parts, images=images).chunk(3, 1)
    for there, some, every in zip(mask.T, features.chunk(3, 1), of_all, strict=True):
        assert not some[~there].any()
        torch.testing.assert_close(some[there], every[there])
    settings = {"augment": CropFlip(16), "temperature": 0.1, "k": 4, "view_mask": mask}
    one, other = (held_out_i_nce(**parts, images=x, **settings) for x in (images, others))
    assert one == other and one.images == int(mask[:, :2].all(1).sum()) // 4 * 4


def test_images_without_any_view_are_left_out_of_a_probe_and_counted():
    data = data_set()
    encoder, fit = encoder_of(data), {"neighbours": 3}
    masks = [part.view_mask for part in (data.train, data.test)]
    some = [int((m.any(1) & ~m.all(1)).sum()) for m in masks]
    note = f"; {some[0]} training and {some[1]} test images lack views, with zeros for their feat"
    assert note in evaluate(encoder, data, **fit)["protocol"]
    first = evaluate(encoder.only([0]), data, **fit)
    out = [int((~m[:, 0]).sum()) for m in masks]
    note = f"{out[0]} training and {out[1]} test images have none of the views and are left out"
    assert first["protocol"].endswith(f"unstandardised; {note}")
    kept = [s.subset(s.view_mask[:, 0].nonzero().flatten()) for s in (data.train, data.test)]
    alone = DataSet("x", *(ImageSet.of(s.images, s.labels) for s in kept), data.classes)
    expected = evaluate(encoder.only([0]), alone, **fit)
    assert {**first, "protocol": ""} == {**expected, "protocol": ""}


FEW = ("budget=smoke", "budget.size=16", "pretrain.epochs=2", "pretrain.batch=8")
RAW = " ".join((*FEW, "views=raw"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_sensors_that_lack_samples_are_pretrained_on_monitored_and_measured(tmp_path, capsys):
    data, words = data_set(48), ("views=raw", "k=8", "graph=core")
    cfg = composed("estimate_information", *FEW, *words, f"out={tmp_path}")
    run_pretraining(cfg, data)
    (run,) = (tmp_path / "pretrain").iterdir()
    card = read_json(run / "encoder" / "card.json")["architecture"]["views"]
    assert card["groups"] == [[*group] for group in GROUPS]
    record, mask = read_json(run / "result.json"), data.train.view_mask
    counts = missing_views.count(mask[mask.any(1)])
    assert record["present"]["training"] == counts
    said = (
        "{samples} training samples, some lack views: v1 {views[0]}, v2 {views[1]}, v3 {views[2]}"
    )
    assert said.format(**counts) in capsys.readouterr().out
    assert record["i_nce"]["images"] == int(data.test.view_mask[:, :2].all(1).sum()) // 8 * 8
    assert {"knn", "rank_3"} <= record["monitor"].keys() and "lack views" in record["protocol"]
    estimates = run_estimate(cfg, data)
    assert [estimate["views"] for estimate in estimates] == [[1, 2], [1, 3], [2, 3]]
    assert all(isinstance(estimate["fall"], float) for estimate in estimates), "12 steps, 10 losses"


@pytest.mark.parametrize(
    ("run", "command", "words", "message"),
    [
        (run_game, "learn_views", "mode=unsup", "the game"),
        (
            run_pretraining,
            "pretrain",
            f"{RAW} devices=2",
            "a training in 2 processes, unlike devices=1,",
        ),
        (run_pretraining, "pretrain", f"{RAW} loss=l2 views.crops=shared", "method=predictive"),
    ],
)
def test_what_needs_every_view_is_refused(tmp_path, run, command, words, message):
    with refused(f"data sensors: {message} needs every view of every sample, .* leave those out"):
        run(composed(command, *words.split(), f"out={tmp_path}"), data_set())
    assert [*tmp_path.iterdir()] == []

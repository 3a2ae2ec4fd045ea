"""Saved generators and encoders that were damaged or forged are refused, never executed."""

import pickle

import pytest
import torch
from refusal import Burglar, edit, refused

from infomin import ViewGenerator, load_generator
from infomin.core import artifact
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder, load_encoder
from infomin.views import ChannelViews, CombinedViews, FrequencyViews, PatchViews

pytestmark = pytest.mark.usefixtures("single")


@pytest.fixture
def saved(tmp_path):
    return ViewGenerator().save(tmp_path / "generator")


@pytest.mark.parametrize("section", ["architecture", "training"])
def test_a_card_edited_by_hand(saved, section):
    edit(saved / "card.json", **{section: {"edited": "by hand"}})
    with refused(f"{saved}/card.json: is not the card that was saved .* changed afterwards"):
        load_generator(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "card.json: is not a JSON file"),
        ("\xff\xfe", "card.json: is not a JSON file"),
        ("[" * 100_000, "card.json: is not a JSON file"),
        ("[]", "card.json: expected format infomin-generator/2, got list"),
        ("{}", "card.json: expected format infomin-generator/2, got None"),
        ('{"format": "infomin-encoder/2"}', "expected .*-generator/2, got infomin-encoder/2"),
        ('{"format": "infomin-generator/1"}', "expected .*-generator/2, got infomin-generator/1"),
        ('{"format": "infomin-generator/2"}', "lacks architecture, training, versions"),
    ],
)
def test_a_card_that_is_none(saved, content, message):
    (saved / "card.json").write_bytes(content.encode("latin1"))
    with refused(message):
        load_generator(saved)


@pytest.mark.parametrize("name", ["card.json", "model.safetensors"])
def test_a_missing_file(saved, name):
    (saved / name).unlink()
    with refused(f"{saved}: is not a saved generator, {name} is missing there"):
        load_generator(saved)


@pytest.mark.parametrize("left", [1, 100, -1])
def test_truncated_weights(saved, left):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:left])
    with refused(f"{path}: is damaged"):
        load_generator(saved)


def test_weights_of_another_generator(saved, tmp_path):
    other = ViewGenerator(color="ydbdr").save(tmp_path / "other")
    (other / "model.safetensors").replace(saved / "model.safetensors")
    with refused("is not the card that was saved with model.safetensors"):
        load_generator(saved)


@pytest.mark.parametrize("change", [{"channels": 4}, {"flow": {"blocks": 10**12}}, {"unknown": 1}])
def test_a_card_that_does_not_fit_its_weights_builds_nothing(tmp_path, change):
    """Card and weights agree in their digest. `test_hostile` has all other fields."""
    g = ViewGenerator()
    architecture = {**g.architecture, **change}
    saved = artifact.save(tmp_path / "generator", "generator", architecture, g.state_dict(), {})
    with refused(f"{saved}: card and weights do not fit together: ."):
        load_generator(saved)


HUGE = 10**12
OTHER, MORE = "weights of other names or shapes", "asks for more than any weights hold"
TOO_MANY = rf"{OTHER}|asks for more than the \d+ weights there are"
ENCODER = {"name": "fourconv", "size": 8, "dim": 4, "widths": [4], "pools": 1}


def raw(**change):
    return {"views": {"kind": "raw", "crops": "shared"} | change}


def learned(**change):
    return {"views": {"kind": "learned", "crops": "shared", "generator": change}}


def whole(**change):
    return {"views": {"kind": "whole", "crops": "shared", "channels": 3, "number": 2} | change}


def test_a_card_that_does_not_fit_its_encoder(tmp_path, views_saved):
    """Of any views. `test_hostile` has all other fields."""
    views, good = views_saved
    size = "encoders of another size than its patches" if views.kind == "patches" else OTHER
    changes = [
        ({"encoder": {"dim": 5}}, OTHER),
        ({"encoder": {"size": 16}}, size),
        ({"encoder": {"widths": []}}, "encoder.widths: expected the width of one convolution or"),
        ({"encoder": {"name": "vgg"}}, "encoder.name: expected one of"),
        ({"encoder": {"depth": 3}}, "encoder fourconv: .*unexpected keyword argument 'depth'"),
        ({"encoder": {"dim": HUGE}}, MORE),
        ({"encoder": {"widths": [HUGE]}}, MORE),
        ({"encoder": {"pools": HUGE}}, MORE),
        ({"encoder": {"size": HUGE}}, MORE),
        (raw(channels=4), OTHER),
        (raw(channels=HUGE), MORE),
        (raw(kind="other"), "views.kind: expected one of combined, frequency, learned, modalities"),
        (whole(channels=4), OTHER),
        (whole(number=5), TOO_MANY),
        (whole(number=HUGE), MORE),
        (learned(channels=4), TOO_MANY),
        (learned(flow={"hidden": HUGE}), MORE),
        (learned(flow={"blocks": 3}), TOO_MANY),
    ]
    for i, (change, message) in enumerate(changes):
        assert_card_refused(tmp_path / str(i), good, change, message)


@pytest.fixture(
    scope="module",
    params=[
        ChannelViews(),
        PatchViews(patch=8, distance=4),
        CombinedViews(ViewGenerator(), 0.5),
    ],
    ids=str,
)
def views_saved(request, tmp_path_factory):
    return request.param, save_encoder(request.param, tmp_path_factory.mktemp("encoder") / "good")


def save_encoder(views, folder):
    """Save an encoder of these views; return its architecture and weights."""
    encoders = build_encoders(view_channels=views.view_channels, **ENCODER)
    saved = PretrainedEncoder(views, encoders, ENCODER).save(folder)
    load_encoder(saved)
    card, weights = artifact.load(saved, "encoder", lambda architecture, weights: None)
    return card["architecture"], weights


def assert_card_refused(folder, good, change, message):
    """Save a changed architecture with digests that agree, and expect that it does not load."""
    architecture, weights = good
    architecture = architecture | change
    architecture["encoder"] = ENCODER | change.get("encoder", {})
    saved = artifact.save(folder, "encoder", architecture, weights, {})
    with refused(f"{saved}: card and weights do not fit together: .*{message}"):
        load_encoder(saved)


@pytest.mark.parametrize(
    ("views", "changes"),
    [
        (
            PatchViews(patch=8),
            [
                ({"channels": 4}, OTHER),
                ({"channels": HUGE}, MORE),
                ({"distance": HUGE}, MORE),
                ({"number": 5}, "unexpected keyword argument 'number'"),
                ({"patch": 16}, "encoders of another size than its patches"),
                ({"patch": "8"}, "."),
                ({"distance": -1}, "views.distance: expected a whole number of at"),
                ({"distance": 1.5}, "."),
                ({"distance": None}, "."),
                ({"crops": "shared"}, "unexpected keyword argument 'crops'"),
                ({"value_range": [1, 0]}, "value_range: expected "),
            ],
        ),
        (
            FrequencyViews(),
            [
                ({"channels": 4}, OTHER),
                ({"channels": HUGE}, MORE),
                ({"number": 2**16}, "unexpected keyword argument 'number'"),
                ({"sigma": 0}, "views.sigma: expected a number > 0, got 0"),
                ({"sigma": "1"}, "."),
                ({"sigma": [1.0]}, "."),
                ({"sigma": 1e308}, "views.sigma: expected 0.1 to 1000.0 pixels, got"),
                ({"crops": "two"}, "views.crops: expected one of per_view, shared"),
                ({"unknown": 1}, "unexpected keyword argument 'unknown'"),
            ],
        ),
    ],
    ids=["patches", "frequency"],
)
def test_a_card_of_views_that_nobody_could_make(tmp_path, views, changes):
    good = save_encoder(views, tmp_path / "good")
    for i, (change, message) in enumerate(changes):
        change = {"views": good[0]["views"] | change}
        assert_card_refused(tmp_path / str(i), good, change, message)


@pytest.mark.slow
def test_an_encoder_of_large_images_is_not_taken_for_a_forgery(tmp_path):
    """Nor does it take the memory of such an image to build one."""
    views, encoder = ChannelViews(), {"name": "resnet", "depth": 18, "dim": 4, "size": 65536}
    encoders = build_encoders(view_channels=views.view_channels, **encoder)
    saved = PretrainedEncoder(views, encoders, encoder).save(tmp_path / "encoder")
    assert load_encoder(saved).size == 65536


def test_a_pickle_in_place_of_weights_is_never_executed(saved, tmp_path):
    pickled = pickle.dumps(Burglar(tmp_path / "broken in"))
    torch.save(Burglar(tmp_path / "broken in"), tmp_path / "zip")
    for content in (pickled, (tmp_path / "zip").read_bytes()):
        (saved / "model.safetensors").write_bytes(content)
        with refused("model.safetensors: is damaged"):
            load_generator(saved)
    assert not (tmp_path / "broken in").exists()
    pickle.loads(pickled)
    assert (tmp_path / "broken in").exists()


def test_a_generator_is_never_written_over(saved):
    before = (saved / "model.safetensors").read_bytes()
    with refused(f"{saved}: is there already; choose another name or remove it"):
        ViewGenerator(color="yiq").save(saved)
    assert (saved / "model.safetensors").read_bytes() == before

"""Options that are wrong whatever the data are refused before the first image is read."""

import pytest
from refusal import only_line
from running import Script

pytestmark = pytest.mark.usefixtures("single")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("augment.scale=[0,1]", "augment.scale: expected 0 < low <= high <= 1, got"),
        ("augment.flip=2", "augment.flip: expected a probability, got 2"),
        ("photometric.brightness=-1", "photometric.brightness: expected at least 0, got -1"),
        ("randaugment=infomin randaugment.m=11", "randaugment.m: expected a magnitude within"),
        ("system=moco memory.size=7", "memory.size: expected at least a batch, 8, got 7"),
        ("system=moco memory.momentum=1", "memory.momentum: expected a share within [0, 1), got"),
        ("system=moco memory.groups=3", "memory.groups: expected a divisor of the 8 images of a"),
        ("system=pirl jigsaw.beta=2", "jigsaw.beta: expected a weight within [0, 1], got 2"),
        ("system=pirl jigsaw.flip=x", "jigsaw.flip: expected a probability, got x"),
        ("system=pirl +jigsaw.grid=4", "jigsaw: JigSaw.__init__() got an unexpected keyword"),
        (
            "+memory.foo=1",
            "memory: none takes no options, got foo; set memory=bank or",
        ),
        ("memory=bank +memory.foo=1", "memory=bank: "),
        ("+loss.foo=1", "loss=infonce: "),
        ("loss.name=l3", "loss: expected one of infonce, logistic, triplet, got 'l3'"),
        ("graph=ring", "graph: expected one of full, core, one_way, own, got 'ring'"),
        ("monitor.images=3", "monitor.images: expected a whole number of at least 16, got 3"),
    ],
)
def test_options_wrong_in_themselves_are_refused_before_any_image_is_read(
    tmp_path, override, message
):
    data = ("data=image_folder", "data.root=nowhere", "budget=smoke", "pretrain.batch=8")
    line = only_line(Script(tmp_path, "pretrain", *data, *override.split()))
    assert line.startswith(message)

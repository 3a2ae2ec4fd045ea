"""TensorBoard's HParams tab shows finished runs, their settings and the numbers of results."""

import pytest
import yaml
from recorded import judged, pretraining
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.backend_context import Context

from infomin.core.files import read_json
from infomin.runs.folder import Run


def finished(folder, config, result):
    """A run that logged something and finished; every event file it left."""
    run = Run(folder, yaml.safe_dump(config), stream=None)
    run.log(10, {"loss": 2.0})
    run.finish(result)
    return sorted(folder.rglob("events.*"))


def test_settings_and_result_are_in_the_runs_own_event_file(tmp_path):
    config = pretraining(seed=3, flag=True, nothing=None)
    (file,) = finished(tmp_path / "run", config, judged(0.5, collapsed=["x"]))
    assert file.parent == tmp_path / "run"
    read = EventAccumulator(str(tmp_path / "run")).Reload()
    told = read.PluginTagToContent(metadata.PLUGIN_NAME)
    start = metadata.parse_session_start_info_plugin_data(told[metadata.SESSION_START_INFO_TAG])
    settings = start.hparams
    assert settings["pretrain.batch"].number_value == 128 and settings["seed"].number_value == 3
    assert settings["views.kind"].string_value == "raw"
    assert settings["augment.scale"].string_value == "[0.5, 1.0]" and "nothing" not in settings
    values = {tag: read.Scalars(tag)[-1].value for tag in read.Tags()["scalars"]}
    assert values["result/top1"] == 0.5 and values["result/i_nce.cap"] == pytest.approx(4.85)
    assert "result/protocol" not in values and values["loss"] == 2.0


def test_runs_of_two_kinds_share_a_table_that_has_the_columns_of_both(tmp_path):
    finished(tmp_path / "pretrain" / "a", pretraining(), judged(0.5))
    finished(tmp_path / "learn_views" / "b", {"game": {"lr_g": 0.002}}, {"steps": 40})
    runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload()
    board = Context(TBContext(data_provider=MultiplexerDataProvider(runs, str(tmp_path))))
    asked = RequestContext()
    found = board.hparams_metadata(asked, "")
    assert {*found} == {"pretrain/a", "learn_views/b"}
    none = board.hparams_from_data_provider(asked, "", 0)
    table = board.experiment_from_metadata(asked, "", True, found, none)
    assert {"pretrain.batch", "game.lr_g"} <= {info.name for info in table.hparam_infos}
    assert {"result/top1", "result/steps"} <= {info.name.tag for info in table.metric_infos}


@pytest.mark.parametrize("config", ["", "- 1", "{"])
def test_a_configuration_that_is_none_does_not_fail_a_run(tmp_path, config):
    path = Run(tmp_path / "run", config, stream=None).finish({"top1": 0.5})
    assert read_json(path)["top1"] == 0.5

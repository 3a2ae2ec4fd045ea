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
    """Log a step, finish a run, and return its event files."""
    run = Run(folder, yaml.safe_dump(config), show=False)
    for step in (10, 20):
        run.log(step, {"loss": 2.0})
    run.finish(result)
    return sorted(folder.rglob("events.*"))


def test_settings_and_results_are_hyperparameters_and_no_curves(tmp_path):
    config = pretraining(seed=3, flag=True, nothing=None)
    (file,) = finished(tmp_path / "run", config, judged(0.5, collapsed=["x"]))
    assert file.parent == tmp_path / "run"
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert events.Tags()["scalars"] == ["loss"]
    assert [scalar.step for scalar in events.Scalars("loss")] == [10, 20]
    content = events.PluginTagToContent(metadata.PLUGIN_NAME)[metadata.SESSION_START_INFO_TAG]
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    assert values["pretrain.batch"].number_value == 128 and values["seed"].number_value == 3
    assert values["views.kind"].string_value == "raw"
    assert values["augment.scale"].string_value == "[0.5, 1.0]" and "nothing" not in values
    assert values["result/top1"].number_value == 0.5
    assert values["result/i_nce.cap"].number_value == 4.85 and "result/protocol" not in values


def test_runs_of_two_kinds_share_a_table_that_has_the_columns_of_both(tmp_path):
    finished(tmp_path / "pretrain" / "a", pretraining(), judged(0.5))
    finished(tmp_path / "learn_views" / "b", {"game": {"lr_g": 0.002}}, {"steps": 40})
    runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload()
    board = Context(TBContext(data_provider=MultiplexerDataProvider(runs, str(tmp_path))))
    request = RequestContext()
    actual = board.hparams_metadata(request, "")
    assert {*actual} == {"pretrain/a", "learn_views/b"}
    others = board.hparams_from_data_provider(request, "", 0)
    table = board.experiment_from_metadata(request, "", True, actual, others)
    columns = {info.name for info in table.hparam_infos}
    assert {"pretrain.batch", "game.lr_g", "result/top1", "result/steps"} <= columns
    assert {info.name.tag for info in table.metric_infos} == {"loss"}


@pytest.mark.parametrize("config", ["", "- 1", "{"])
def test_a_configuration_that_is_not_valid_does_not_fail_a_run(tmp_path, config):
    path = Run(tmp_path / "run", config, show=False).finish({"top1": 0.5})
    assert read_json(path)["top1"] == 0.5

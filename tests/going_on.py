"""A learner that is stopped, saved and loaded goes on to the numbers of one that was not."""

import copy


def assert_goes_on(whole, first, second, steps=8):
    """Run learners made alike, without a stop, half way, and from there on; return the losses."""
    expected = [metrics["loss"] for metrics in whole]
    running = iter(first)
    told = [next(running)["loss"] for _ in range(steps // 2)]
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    told += [metrics["loss"] for metrics in second]
    assert told == expected and len(expected) == steps
    return expected

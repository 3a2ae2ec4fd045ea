"""Memory for intermediate results, made once for many chunks of pixels.

Layers that ask for new memory chunk by chunk can fall into a state in which glibc returns what a
chunk has freed to the system and fetches it anew for the next, page by page: a flow on 4 megapixels
then had a million page faults and took twice its time, in one process and not in another.
"""

import math

from torch import Tensor


class Buffers:
    """Uninitialised tensors by name, of the kind and device of another.

    Whoever asks for a name overwrites what its last owner left there.
    """

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._memory: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        """Return the buffer of that name, as large as needed."""
        size = math.prod(shape)
        if name not in self._memory or self._memory[name].numel() < size:
            self._memory[name] = self._like.new_empty(size)
        return self._memory[name][:size].view(shape)

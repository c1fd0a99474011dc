"""Dropout whose masks follow from seed, step and place in the network. No state of a generator has to be kept."""

from collections.abc import Iterable
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

_LEVELS = 1 << 16
_WORD = (1 << 64) - 1


class StepRandom:
    """The random numbers of a training: one sequence for each step and each draw of the step, the first being 0.

    What draws from torch's global generator instead, such as the dropout of an attention kernel, follows from seed and
    step too.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.step = self.draws = self._of_step = 0
        self._generators: dict[torch.device, torch.Generator] = {}

    def begin(self, step: int, device: torch.device) -> None:
        """Use the sequences of `step`. Seeds torch's global generators."""
        self.step, self.draws = step, 0
        self._of_step = _mixed(_mixed(0, self.seed), step)
        if device.type == "cuda":
            torch.cuda.manual_seed(self._key(-1))
        torch.default_generator.manual_seed(self._key(-1))

    def attach(self, modules: Iterable[nn.Module]) -> None:
        """Let the dropout layers among these modules draw from here."""
        for module in modules:
            if isinstance(module, Dropout):
                module.random = self

    def bits(self, numbers: int, device: torch.device) -> torch.Tensor:
        """bits_n, int16, each value equally likely: the next draw. On a CPU none depends on how many follow."""
        words_n = torch.empty(-(-numbers // 4), dtype=torch.int64, device=device)
        self.fill(words_n)
        return words_n.view(torch.int16)[:numbers]

    def fill(self, words_n: torch.Tensor) -> None:
        """Fill int64 numbers with the bits of the next draw."""
        generator = self._generators.get(words_n.device)
        if generator is None:
            generator = self._generators[words_n.device] = torch.Generator(words_n.device)
        generator.manual_seed(self._key(self.draws))
        self.draws += 1
        words_n.random_(-(2**63), None, generator=generator)

    def _key(self, draw: int) -> int:
        """64 bits from seed, step and draw."""
        return _mixed(self._of_step, draw)


def _mixed(key: int, number: int) -> int:
    """A key of 64 bits from another one and a number, by splitmix64 (Steele, Lea and Flood 2014)."""
    z = (key + number + 0x9E3779B97F4A7C15) & _WORD
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _WORD
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _WORD
    return z ^ z >> 31


class Dropout(nn.Module):
    """Zeroes each element with probability `p` in training, and divides the others by 1 - p (Srivastava et al. 2014).

    `p` is rounded to a multiple of 2⁻¹⁶. On a CPU the mask of a row does not depend on the rows after it in its batch.
    Without a StepRandom, masks come from torch's global generator.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.random: StepRandom | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        if self.random is None:
            return F.dropout(x, self.p)
        # The factor is not rounded to half a precision.
        dtype = x.dtype if x.dtype in (torch.float32, torch.float64) else torch.float32
        factor = mask(self.random.bits(x.numel(), x.device), self.p, dtype).view(x.shape)
        return (x * factor).to(x.dtype)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def mask(bits: torch.Tensor, p: float, dtype: torch.dtype) -> torch.Tensor:
    """0 with probability `p`, else 1 / (1 - p), from the bits (int16) of a StepRandom. The mean is exactly 1."""
    kept, drawn = torch.empty_like(bits, dtype=torch.bool), torch.empty_like(bits, dtype=dtype)
    set_mask(bits, p, kept, drawn)
    return drawn


def set_mask(bits: torch.Tensor, p: float, kept: torch.Tensor, drawn: torch.Tensor) -> None:
    """Write whether each element is kept, and its factor, to tensors of the same shape. They are made once."""
    dropped = min(round(p * _LEVELS), _LEVELS - 1)
    torch.ge(bits, dropped - _LEVELS // 2, out=kept)
    torch.mul(kept, _factor(dropped, drawn.dtype, drawn.device), out=drawn)


@cache
def _factor(dropped: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """1 / (1 - p). A tensor, because a number would be rounded to float32 beside a mask of truth values."""
    return torch.tensor(_LEVELS / (_LEVELS - dropped), dtype=dtype, device=device)

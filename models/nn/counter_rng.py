"""Random numbers of examples: a function of seed, epoch, place and example, with no state to lose.

Shape letters: B examples, J numbers of each.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import torch

GOLDEN = 0x9E3779B97F4A7C15 - 2**64
"""The step of splitmix64, as the signed number that torch knows."""
_FIRST, _SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64
_LEVELS = 2**16


@dataclass(frozen=True)
class CounterRNG:
    """What the augmentation at `place` of a job's list draws for the examples numbered `rows_B` in one epoch.

    An example's numbers do not depend on the batch it is in. Words are hashed as in splitmix64 (Steele, Lea and Flood
    2014), each example on a stream of its own; uniform and normal numbers follow from them without rounding, so that
    every device has the same. Each method has its own numbers, and gives them again when it is called again.
    """

    seed: int
    epoch: int
    place: int
    rows_B: torch.Tensor

    def uniform(self, *shape: int) -> torch.Tensor:
        """u_B… in [0, 1), float32: multiples of 2⁻²⁴."""
        words_BJ = self._words("uniform", math.prod(shape))
        return ((words_BJ >> 40 & 0xFFFFFF).float() * 2**-24).reshape(-1, *shape)

    def normal(self, *shape: int) -> torch.Tensor:
        """z_B…, float32: the normal distribution in 65,536 equal parts, each at its middle."""
        numbers = math.prod(shape)
        words_BJ1 = self._words("normal", -(-numbers // 4)).unsqueeze(2)
        quarters_4 = torch.arange(0, 64, 16, device=words_BJ1.device)
        level_BJ = (words_BJ1 >> quarters_4 & _LEVELS - 1).flatten(1)[:, :numbers]
        return _normal_levels(words_BJ1.device)[level_BJ].reshape(-1, *shape)

    def beta(self, alpha: float) -> torch.Tensor:
        """share_B of the symmetric Beta distribution, float32, in closed form for every alpha (Devroye 1996)."""
        u_B, v_B = ((self._words("beta", 2) >> 11 & 2**53 - 1).double() * 2**-53).unbind(1)
        root_B = u_B ** (1 / alpha)
        turn_B = torch.cos(2 * math.pi * v_B)
        return ((1 + turn_B / (root_B / (1 - root_B) + turn_B.square()).sqrt()) / 2).float()

    def below(self, end: int) -> torch.Tensor:
        """A whole number k_B in [0, end) each."""
        return (self._words("below", 1).squeeze(1) >> 1 & 2**63 - 1) % end

    def _words(self, stream: str, numbers: int) -> torch.Tensor:
        """w_BJ, int64, of which all 64 bits are random."""
        said = f"{self.seed} {self.epoch} {self.place} {stream}".encode()
        key = int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), signed=True)
        start_B1 = mix(self.rows_B * GOLDEN + key).unsqueeze(1)
        return mix(start_B1 + torch.arange(1, numbers + 1, device=self.rows_B.device) * GOLDEN)


def mix(z: torch.Tensor) -> torch.Tensor:
    """The finalizer of splitmix64. Products wrap; a shift of a signed number is masked to be one of its bits."""
    z = (z ^ (z >> 30 & 2**34 - 1)) * _FIRST
    z = (z ^ (z >> 27 & 2**37 - 1)) * _SECOND
    return z ^ (z >> 31 & 2**33 - 1)


@cache
def _normal_levels(device: torch.device) -> torch.Tensor:
    """A table, because torch's logarithms and cosines end in bits that depend on their place in memory."""
    quantile = NormalDist().inv_cdf
    return torch.tensor([quantile((level + 0.5) / _LEVELS) for level in range(_LEVELS)], device=device)

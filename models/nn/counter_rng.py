"""Counter-based random numbers for augmentations: a function of a key and a counter, without a state.

Shape letters: B examples, J numbers per example.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import torch

GOLDEN_GAMMA = 0x9E3779B97F4A7C15 - 2**64
"""The increment of splitmix64, written as the signed number that torch can hold."""
_MULTIPLIER_1, _MULTIPLIER_2 = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64
_LEVELS = 2**16


@dataclass(frozen=True)
class CounterRNG:
    """A counter-based generator (Salmon et al. 2011): the key is (seed, epoch, stream), the counter is the example.

    `stream` is the position of an augmentation in the job's list, `examples_B` are the numbers of the examples. An
    example's random numbers do not depend on its batch. The bits come from splitmix64 (Steele, Lea and Flood 2014), one
    sequence for each example. Uniform and normal numbers follow from the bits without rounding, so they are the same
    on every device. Each method has its own key and returns the same numbers each time it is called.
    """

    seed: int
    epoch: int
    stream: int
    examples_B: torch.Tensor

    def uniform(self, *shape: int) -> torch.Tensor:
        """u_B… in [0, 1), float32: multiples of 2⁻²⁴."""
        bits_BJ = self._bits("uniform", math.prod(shape))
        return ((bits_BJ >> 40 & 0xFFFFFF).float() * 2**-24).reshape(-1, *shape)

    def normal(self, *shape: int) -> torch.Tensor:
        """z_B…, float32: the standard normal distribution in 65,536 equal parts, each represented by its middle."""
        numbers = math.prod(shape)
        bits_BJ1 = self._bits("normal", -(-numbers // 4)).unsqueeze(2)
        shifts_4 = torch.arange(0, 64, 16, device=bits_BJ1.device)
        level_BJ = (bits_BJ1 >> shifts_4 & _LEVELS - 1).flatten(1)[:, :numbers]
        return _normal_quantiles(bits_BJ1.device)[level_BJ].reshape(-1, *shape)

    def beta(self, alpha: float) -> torch.Tensor:
        """beta_B from Beta(alpha, alpha), float32, in closed form for every alpha (Devroye 1996)."""
        u_B, v_B = ((self._bits("beta", 2) >> 11 & 2**53 - 1).double() * 2**-53).unbind(1)
        power_B = u_B ** (1 / alpha)
        cosine_B = torch.cos(2 * math.pi * v_B)
        return ((1 + cosine_B / (power_B / (1 - power_B) + cosine_B.square()).sqrt()) / 2).float()

    def integers(self, high: int) -> torch.Tensor:
        """k_B, int64, in [0, high)."""
        # "below" is part of the key: with another word the numbers would be others.
        return (self._bits("below", 1).squeeze(1) >> 1 & 2**63 - 1) % high

    def _bits(self, purpose: str, numbers: int) -> torch.Tensor:
        """bits_BJ, int64: 64 random bits each."""
        text = f"{self.seed} {self.epoch} {self.stream} {purpose}".encode()
        key = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)
        start_B1 = mix64(self.examples_B * GOLDEN_GAMMA + key).unsqueeze(1)
        return mix64(start_B1 + torch.arange(1, numbers + 1, device=self.examples_B.device) * GOLDEN_GAMMA)


def mix64(z: torch.Tensor) -> torch.Tensor:
    """The output function of splitmix64. Products wrap around; the mask makes each signed shift a logical one."""
    z = (z ^ (z >> 30 & 2**34 - 1)) * _MULTIPLIER_1
    z = (z ^ (z >> 27 & 2**37 - 1)) * _MULTIPLIER_2
    return z ^ (z >> 31 & 2**33 - 1)


@cache
def _normal_quantiles(device: torch.device) -> torch.Tensor:
    """A table, because the last bits of torch's logarithms and cosines depend on the memory layout."""
    quantile = NormalDist().inv_cdf
    return torch.tensor([quantile((level + 0.5) / _LEVELS) for level in range(_LEVELS)], device=device)

"""Devices, seeds and determinism."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from worker.training import device

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


def test_one_seed_settles_every_generator() -> None:
    drawn = []
    for seed in (3, 3, 4):
        assert device.prepare(seed, "cpu") == torch.device("cpu")
        drawn.append((random.random(), np.random.rand(), float(torch.rand(()))))
    assert drawn[0] == drawn[1]
    assert all(one != other for one, other in zip(drawn[0], drawn[2], strict=True))
    assert torch.are_deterministic_algorithms_enabled()
    device.prepare(2**32 - 1, "cpu")


@without_cuda
def test_a_wanted_device_that_is_absent() -> None:
    with pytest.raises(RuntimeError, match="needs a CUDA device"):
        device.prepare(0, "cuda")
    assert device.prepare(0, "auto").type == "cpu"


def test_a_fingerprint_says_where_bytes_would_be_equal() -> None:
    here = torch.device("cpu")
    assert device.fingerprint(here) == device.fingerprint(here)
    assert device.fingerprint(here)["torch"] == torch.__version__
    assert device.fingerprint(here)["device"] == device.name_of(here) == "cpu"
    assert device.fingerprint(here)["numpy"] == np.__version__
    assert device.fingerprint(here)["code"] == device.code(device.ROOT)


def test_features_are_those_the_system_tells_of() -> None:
    told = device.features().split()
    assert ("avx2" in told) == ("avx2" in Path("/proc/cpuinfo").read_text().split())
    assert any(one.startswith("l2_cache_size=") for one in told)


def test_every_change_of_what_computes_is_another_code(tmp_path: Path) -> None:
    for room in ("athanor", "models", "worker", "api"):
        shutil.copytree(device.ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    seen = [device.code(tmp_path)]
    assert seen == [device.CODE]
    rule, loop, api = (
        tmp_path / name for name in ("models/parts/optimizers/gd.py", "worker/training/loop.py", "api/app.py")
    )
    api.unlink()
    assert device.code(tmp_path) == device.CODE
    rule.write_text(rule.read_text() + "\n")
    seen.append(device.code(tmp_path))
    rule.rename(rule.with_name("gd2.py"))
    seen.append(device.code(tmp_path))
    # The same bytes in the same order, in other files.
    whole = loop.read_text()
    loop.write_text(whole[:100])
    loop.with_name("loop1.py").write_text(whole[100:])
    seen.append(device.code(tmp_path))
    loop.unlink()
    seen.append(device.code(tmp_path))
    assert len(set(seen)) == len(seen) == 5


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    about = tmp_path / "cpuinfo"
    assert device.processor(about)
    one = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\ncpu MHz\t\t: {}\n\n"
    about.write_text(one.format(2400) + one.format(3000))
    named = device.processor(about)
    assert named == "AMD EPYC, 25, 17"
    about.write_text(one.format(3100) * 4)
    assert device.processor(about) == named
    about.write_text("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n")
    assert device.processor(about) == "0x41, 0xd0c"
    about.write_text("")
    assert device.processor(about)

"""What packages cost: an environment with numpy and pandas, for each tier that holds.

The first container with packages is more than its zygote: the zygote is proven by a dry run of its
tier before it may make guests, then the guest itself is made.
"""

import sys
import time
from functools import partial
from pathlib import Path

import anyio.to_thread

from benchmarks.harness import ROOT, Report, Samples
from benchmarks.sandbox_own import IDLE_S, private_mib, run_program, timed
from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.environment_build import create_environment
from toolweft.sandbox.environments import load_environment
from toolweft.sandbox.process import ProcessBackend
from toolweft.sandbox.process.tiers import TIERS
from toolweft.sandbox.process.zygote import Zygote, launch_zygote

__all__ = ("measure_packages", "prepare_environment")

_FOLDER = ROOT / ".cache" / "bench" / "environments"
_REQUIREMENTS = ROOT / "requirements" / "bench-packages.txt"
_TIER_OF = {tier.name: tier for tier in TIERS}
_START_TIMEOUT_S = 30.0
_REPEATS = 5
_PROGRAMS = {
    "matmul": "import numpy as np\na = np.ones((300, 300))\nfloat((a @ a)[0, 0])",
    "groupby": (
        "import numpy as np, pandas as pd\n"
        "rows = pd.DataFrame({'g': np.arange(100_000) % 7, 'v': np.arange(100_000)})\n"
        "int(rows.groupby('g').v.sum().iloc[0])"
    ),
}


async def prepare_environment(report: Report) -> Path | None:
    """An environment with the packages, made once; None, with a note, where it cannot be made."""
    name = f"bench{sys.version_info.major}{sys.version_info.minor}"
    try:
        load_environment(_FOLDER, name)
    except SandboxUnavailable:
        try:
            await anyio.to_thread.run_sync(create_environment, _FOLDER, name, _REQUIREMENTS)
        except SandboxUnavailable as fault:
            report.notes.append(f"no packages: {fault!s:.200}")
            return None
    return _FOLDER / name


async def measure_packages(environment: Path | None, tier: str, report: Report) -> None:
    """Add the figures of each tier; null where there is no environment or the tier does not hold.

    Args:
        environment: a folder with numpy and pandas.
        tier: the only one to try, or "auto" for all.
        report: takes the figures.
    """
    for candidate in _TIER_OF if tier == "auto" else (tier,):
        figures = None if environment is None else await _measure_tier(environment, candidate)
        found = figures or dict.fromkeys(
            ("zygote_ms", "zygote_min_ms", "first_ms", *_PROGRAMS, "more_mib")
        )
        report.add(f"packages_{candidate}_zygote_ms", found["zygote_ms"], at_most=400)
        report.add(f"packages_{candidate}_zygote_min_ms", found["zygote_min_ms"])
        report.add(f"packages_{candidate}_first_ms", found["first_ms"])
        for name in _PROGRAMS:
            report.add(f"packages_{candidate}_{name}_ms", found[name])
        report.add(f"packages_{candidate}_more_mib", found["more_mib"], at_most=1)


async def _measure_tier(environment: Path, tier: str) -> dict[str, float | None] | None:
    options = SandboxOptions(tier=tier, environments=environment.parent.resolve())  # type: ignore[arg-type]  # one of _TIERS
    limits = ProgramLimits()
    samples = {name: Samples() for name in _PROGRAMS}
    zygotes, firsts = Samples(), Samples()
    held: float | None = None
    plainly: float | None = None
    try:
        for _ in range(_REPEATS):
            async with ProcessBackend(options, clock=SystemClock()) as backend:
                plain = await backend.open(limits)
                zygotes.add(await _start_zygote(environment, tier))
                start = time.perf_counter()
                session = await backend.open(limits, environment=environment.name)
                firsts.add(time.perf_counter() - start)
                for opened in (plain, session):
                    await run_program(opened, "1 + 1")
                await anyio.sleep(2 * IDLE_S)
                held, plainly = private_mib(session), private_mib(plain)
                for name, code in _PROGRAMS.items():
                    await timed(samples[name], partial(run_program, session, code))
    except SandboxUnavailable:
        return None
    more = None if held is None or plainly is None else held - plainly
    timings: dict[str, float | None] = {name: found.median for name, found in samples.items()}
    return timings | {
        "zygote_ms": zygotes.median,
        "zygote_min_ms": zygotes.low,
        "first_ms": firsts.median,
        "more_mib": more,
    }


async def _start_zygote(environment: Path, tier: str) -> float:
    """Seconds from asking for a second zygote, its folder included, until it is warm."""
    folder = environment.parent.resolve()
    start = time.perf_counter()
    packages = await anyio.to_thread.run_sync(load_environment, folder, environment.name)
    launch = partial(launch_zygote, packages=packages)
    zygote = await Zygote.start(_TIER_OF[tier], timeout_s=_START_TIMEOUT_S, launch=launch)
    took_s = time.perf_counter() - start
    await zygote.close()
    return took_s

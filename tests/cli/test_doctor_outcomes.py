"""`toolweft doctor` on machines that refuse a sandbox something: what is used, and what to do."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from tests import machine, refusing
from tests.cli.shell import TOOLWEFT, Shell

pytestmark = pytest.mark.process

PROCESS_ONLY = '[sandbox]\nbackend = "process"\n'


@dataclass(frozen=True)
class Situation:
    """A machine, and what is left of the sandbox on it."""

    without: Mapping[str, str]
    # As the doctor shows it; "" where programs are refused.
    used: str
    # What the machine that runs the tests must offer, so that only `without` is missing.
    needs: tuple[str, ...]
    # Tiers that do not hold, each with words of what to do.
    advice: Mapping[str, str]


SITUATIONS = {
    "everything": Situation(without={}, used="process/ns", needs=("ns", "landlock"), advice={}),
    "no user namespaces": Situation(
        without=refusing.NO_USER_NAMESPACES,
        used="process/landlock",
        needs=("ns", "landlock"),
        advice={"ns": "user.max_user_namespaces"},
    ),
    "user namespaces filtered": Situation(
        without=refusing.FILTERED_NAMESPACES,
        used="process/landlock",
        needs=("ns", "landlock"),
        advice={"ns": "seccomp profile of the engine"},
    ),
    "user namespaces without mounts": Situation(
        without=refusing.UNUSABLE_NAMESPACES,
        used="process/landlock",
        needs=("ns", "landlock"),
        advice={"ns": "apparmor_restrict_unprivileged_userns"},
    ),
    "no Landlock": Situation(
        without=refusing.NO_LANDLOCK,
        used="process/ns",
        needs=("ns",),
        advice={"landlock": "/sys/kernel/security/lsm"},
    ),
    "neither": Situation(
        without={**refusing.NO_USER_NAMESPACES, **refusing.NO_LANDLOCK},
        used="process/noopen",
        needs=("ns",),
        advice={"ns": "user.max_user_namespaces", "landlock": "/sys/kernel/security/lsm"},
    ),
    "no filters": Situation(
        without=refusing.NO_FILTERS,
        used="monty/interpreter",
        needs=("ns", "landlock"),
        advice=dict.fromkeys(("ns", "landlock", "noopen"), "seccomp"),
    ),
}


@pytest.fixture(params=SITUATIONS)
def situation(request: pytest.FixtureRequest) -> Situation:
    found = SITUATIONS[request.param]
    for tier in found.needs:
        machine.need(tier)
    return found


@pytest.mark.promise("sandbox.tier-shown")
def test_doctor_names_the_tier_in_use_and_what_the_others_need(
    shell: Shell, situation: Situation
) -> None:
    ended = shell.spawn("doctor", "--json", without=situation.without)

    assert ended.code == 0, ended.out + ended.err
    assert ended.json["sandbox"] == situation.used
    tiers = {tier["tier"]: tier for tier in ended.json["tiers"]}
    assert list(tiers) == ["ns", "landlock", "noopen", "interpreter"]
    assert {name for name, tier in tiers.items() if not tier["holds"]} == set(situation.advice)
    for name, words in situation.advice.items():
        assert tiers[name]["reason"]
        assert words in tiers[name]["hint"]


def test_a_run_says_which_tier_it_had(shell: Shell, situation: Situation) -> None:
    ended = shell.spawn(
        "run", "--json", "-c", "print(await add(a=40, b=2))", without=situation.without
    )

    assert ended.code == 0, ended.out + ended.err
    assert ended.json["stdout"] == "42\n"
    assert ended.json["container"]["backend"] == situation.used


def test_the_text_for_people_has_reason_and_next_step_below_the_tier(shell: Shell) -> None:
    machine.need("ns")
    machine.need("landlock")

    ended = shell.spawn("doctor", without=refusing.NO_USER_NAMESPACES)

    assert ended.code == 0
    lines = [line.strip() for line in ended.out.splitlines()]
    at = lines.index("ok   process/landlock")
    assert lines[at + 1].startswith("ns: does not hold: [Errno 28] unshare: No space left")
    assert lines[at + 2].startswith("next: allow user namespaces")
    assert lines[at + 3 : at + 6] == ["landlock: holds", "noopen: holds", "interpreter: holds"]


@pytest.mark.promise("sandbox.refusal")
def test_where_nothing_holds_doctor_fails_and_programs_are_refused(bare: Shell) -> None:
    bare.write("toolweft.toml", PROCESS_ONLY)

    doctor = bare.spawn("doctor", without=refusing.NO_FILTERS)
    run = bare.spawn("run", "-c", "print(1)", without=refusing.NO_FILTERS)

    assert doctor.code == 1
    assert "FAIL none; programs are refused" in doctor.out
    assert "noopen: does not hold: " in doctor.out
    assert 'next: take another backend, sandbox.backend = "container"' in doctor.out
    assert (run.code, run.out) == (1, "")
    assert "no isolation tier holds on this machine" in run.err
    assert "code: sandbox_unavailable" in run.err
    assert "`toolweft doctor` says what each needs" in run.err


def test_a_user_the_system_does_not_know_is_told_to_set_a_home(bare: Shell) -> None:
    machine.need("ns")
    environ = {name: value for name, value in bare.environ().items() if name != "HOME"}

    # A user id as containers are often started with.
    ended = subprocess.run(
        ["unshare", "--map-user=54321", "--map-group=54321", TOOLWEFT, "doctor"],
        cwd=bare.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert ended.returncode == 2
    assert "this user has no home folder" in ended.stderr
    assert "next: set HOME" in ended.stderr


def test_a_tier_asked_for_by_name_is_refused_and_not_replaced(bare: Shell) -> None:
    machine.need("ns")
    bare.write("toolweft.toml", '[sandbox]\ntier = "ns"\n')

    ended = bare.spawn("doctor", "--json", without=refusing.UNUSABLE_NAMESPACES)

    assert ended.code == 1
    assert ended.json["sandbox"] == ""
    assert [(tier["tier"], tier["holds"]) for tier in ended.json["tiers"]] == [("ns", False)]

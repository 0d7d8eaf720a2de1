"""Sections, layers, look-up and bad input."""

import json
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from tests.config.desk import Desk

from toolweft.calls.options import CallOptions
from toolweft.catalog.options import CatalogOptions, ToolRule
from toolweft.config import explain, json_schema, lookup_paths, read_environment, schema_path
from toolweft.config.models import ConfigModel, RuleModel
from toolweft.config.schema import render_schema
from toolweft.core.errors import ConfigError
from toolweft.core.programs import ProgramLimits
from toolweft.gateway.options import ApiKey, HttpOptions
from toolweft.programs.options import ContainerOptions, ProgramOptions
from toolweft.sandbox.options import SandboxOptions
from toolweft.search.options import SearchOptions
from toolweft.stores.discovery_options import DiscoveryOptions
from toolweft.stores.options import LedgerOptions
from toolweft.toolbox.options import ToolboxOptions

SHA = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # pragma: allowlist secret


def test_without_any_file_everything_has_its_default(desk: Desk) -> None:
    settings = desk.load()

    assert settings.files == ()
    assert settings.servers == ()
    assert settings.catalog == CatalogOptions()
    environments = desk.home / ".local/share/toolweft/environments"
    assert settings.sandbox == SandboxOptions(environments=environments)
    assert settings.programs == ProgramOptions()
    assert settings.calls == CallOptions()
    assert settings.toolbox == ToolboxOptions()
    assert settings.search == SearchOptions()
    assert settings.http == HttpOptions()
    assert settings.ledger == LedgerOptions(
        url=f"sqlite:///{desk.home}/.local/state/toolweft/ledger.db"
    )
    discovery = desk.home / ".cache/toolweft/discovery"
    assert settings.discovery == DiscoveryOptions(folder=discovery)
    assert set(settings.origins.values()) == {"default"}
    (problem,) = settings.problems
    assert f"{desk.cwd}/mcp.json" in problem


def test_every_option_of_every_component_has_a_key() -> None:
    sections = {
        "catalog": (CatalogOptions, {"profile", "rules", "advised_file"}),
        "sandbox": (SandboxOptions, set()),
        "limits": (ProgramLimits, set()),
        "programs": (ProgramOptions, {"limits", "containers", "park_s"}),
        "containers": (ContainerOptions, set()),
        "calls": (CallOptions, set()),
        "toolbox": (ToolboxOptions, set()),
        "search": (SearchOptions, set()),
        "ledger": (LedgerOptions, {"keep_search_text", "keep_search_days"}),
        "discovery": (DiscoveryOptions, {"max_listing_bytes", "is_read"}),
        "http": (HttpOptions, set()),
    }
    for name, (options, elsewhere) in sections.items():
        keys = set(ConfigModel.model_fields[name].annotation.model_fields)
        wanted = {field.name for field in fields(options)} - elsewhere
        assert keys - {"default_config", "configs", "embedder"} == wanted, name
    assert set(RuleModel.model_fields) | {"server", "tool", "origin", "pin_hash"} == {
        field.name for field in fields(ToolRule)
    }


def test_learning_from_use_lets_the_ledger_keep_texts_of_searches(desk: Desk) -> None:
    text = "[search]\nlearn = true\nkeep_search_days = 7\n"
    settings = desk.load(desk.write("toolweft.toml", text))
    shown = {value.key: (value.value, value.origin) for value in settings.values}

    assert settings.search == SearchOptions(learn=True, keep_search_days=7)
    assert (settings.ledger.keep_search_text, settings.ledger.keep_search_days) == (True, 7)
    assert shown["search.learn"][0] == "true"
    assert shown["search.keep_search_days"][1].endswith("toolweft.toml:3")


def test_a_whole_file_is_read(desk: Desk) -> None:
    desk.write(
        "toolweft.toml",
        f"""
profile = "strict"
[catalog]
defer_above_tokens = 0
trust_hints = false
[limits]
memory = "2 GiB"
wall = "10 min"
max_calls = 5
[programs]
static_check = "strict"
[containers]
idle_s = 60
[calls]
max_result = "1 MB"
[toolbox]
wait_s = 0
[sandbox]
tier = "landlock"
[ledger]
url = "sqlite://"
synchronous = "FULL"
[http]
host = "0.0.0.0"
port = 0
allowed_hosts = ["tools.example:*"]
[[http.keys]]
id = "k1"
sha256 = "{SHA.upper()}"
user = "anna"
""",
    )

    settings = desk.load()

    assert settings.catalog.profile == "strict"
    assert settings.catalog.defer_above_tokens == 0
    assert settings.catalog.trust_hints is False
    assert settings.programs.limits == ProgramLimits(
        memory_bytes=2 * 1024**3, wall_s=600.0, max_calls=5
    )
    assert settings.programs.static_check == "strict"
    assert settings.programs.containers == ContainerOptions(idle_s=60.0)
    assert settings.calls.max_result_bytes == 1_000_000
    assert settings.toolbox.wait_s == 0
    assert settings.sandbox.tier == "landlock"
    assert settings.ledger == LedgerOptions(url="sqlite://", synchronous="FULL")
    assert settings.http == HttpOptions(
        host="0.0.0.0",
        port=0,
        allowed_hosts=("tools.example:*",),
        keys=(ApiKey(id="k1", sha256=SHA, tenant="local", user="anna"),),
    )
    assert settings.files == (desk.cwd / "toolweft.toml",)


def test_defaults_give_way_to_files_files_to_the_environment_and_that_to_flags(desk: Desk) -> None:
    desk.write("base.toml", "[http]\nport = 1\nhost = '127.0.0.2'\n[limits]\nmax_calls = 1\n")
    desk.write("toolweft.toml", 'include = ["base.toml"]\n[http]\nport = 2\npath = "/two"\n')

    settings = desk.load(
        environ={
            "TOOLWEFT_HTTP__PORT": "3",
            "TOOLWEFT_HTTP__PATH": "/three",
            "TOOLWEFT_PROFILE": "open",
            "TOOLWEFT_DATA": "not a setting",
            "HOME": "x",
        },
        overrides={"http.port": "4", "limits.memory": "512 MiB"},
    )

    assert settings.http == HttpOptions(host="127.0.0.2", port=4, path="/three")
    assert settings.programs.limits.memory_bytes == 512 * 1024**2
    origins = settings.origins
    assert origins["http.host"] == "base.toml:3"
    assert origins["http.port"] == "flag"
    assert origins["http.path"] == "environment TOOLWEFT_HTTP__PATH"
    assert origins["limits.memory_bytes"] == "flag"
    assert origins["limits.max_calls"] == "base.toml:5"
    assert origins["limits.max_files"] == "default"
    assert origins["profile"] == "environment TOOLWEFT_PROFILE"
    assert settings.files == (desk.cwd / "base.toml", desk.cwd / "toolweft.toml")


@pytest.mark.parametrize("text", ["a:1,b:*", '["a:1", "b:*"]', "a:1 , b:*"])
def test_a_variable_may_hold_a_list(desk: Desk, text: str) -> None:
    settings = desk.load(environ={"TOOLWEFT_HTTP__ALLOWED_HOSTS": text})

    assert settings.http.allowed_hosts == ("a:1", "b:*")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[catalog]\n\ndefer_above_token = 1",
            r"toolweft\.toml:3: unknown key 'catalog\.defer_above_token' "
            r"\(did you mean 'defer_above_tokens'\?\)",
        ),
        ("[catalogue]\nx = 1", r"unknown key 'catalogue' \(did you mean 'catalog'\?\)"),
        ("[limits]\nport = 1", r"unknown key 'limits\.port' \(did you mean 'http\.port'\?\)"),
        ("qqq = 1", r"toolweft\.toml:1: unknown key 'qqq' \(`toolweft config explain`"),
        ("[limits]\nmemory = '1 XB'", r"toolweft\.toml:2: limits\.memory_bytes is '1 XB': .*GiB"),
        ("[limits]\nmemry = 1", r"unknown key 'limits\.memry' \(did you mean 'memory'\?\)"),
        ("[limits]\nmemory = '63 MiB'", r"toolweft\.toml:2: .*write at least '64 MiB'"),
        (
            "[limits]\nmemory = '9 GiB'",
            r"limits\.memory_bytes is '9 GiB'.*above its ceiling of 5 GiB",
        ),
        ("[limits]\nmax_files = 3", r"toolweft\.toml:2: limits\.max_files is 3: .*equal to 16"),
        ("[limits]\nmemory = true", r"toolweft\.toml:2: limits\.memory_bytes is True"),
        ("[limits]\nmax_calls = 0", r"limits\.max_calls is 0: it should be greater than or equal"),
        ("[limits]\nmax_calls = false", r"limits\.max_calls is False: .*a number is needed"),
        ("[limits]\nmemory = 1\nmemory_bytes = 2", r"toolweft\.toml:3: .* is given twice"),
        (
            "[http]\nport = 'abc'",
            r"toolweft\.toml:2: http\.port is 'abc': it should be a whole number",
        ),
        ("[http]\nport = 70000", r"http\.port is 70000: it is above its ceiling of 65,535"),
        ("[http]\npath = 'mcp'", r"http\.path is 'mcp'"),
        ("http = 3", r"toolweft\.toml:1: http is 3"),
        ("profile = 'lax'", r"toolweft\.toml:1: profile is 'lax': it should be 'open'"),
        ("[limits]\nwall = nan", r"limits\.wall_s is nan"),
        (
            f"[[http.keys]]\nid='a'\nsha256='{SHA}'\nuser='a'\n"
            f"[[http.keys]]\nid='b'\nsha256='{SHA}'\nuser='b'",
            r"toolweft\.toml:5: the key 'b' is given twice",
        ),
        ("[[http.keys]]\nid='a'\nsha256='my key'\nuser='a'", r":3: .*sha256 is a str: it should"),
        (f"[[http.keys]]\nid='a'\nsha256='{SHA}'", r":1: 'http\.keys\.0\.user' is missing"),
        ("include = 'mcp.json'", r"toolweft\.toml:1: include is 'mcp\.json', not a list of paths"),
        ("include = ['gone.json']", r"toolweft\.toml includes 'gone\.json', which does not exist"),
        ("include = ['toolweft.toml']", r"toolweft\.toml includes 'toolweft\.toml'"),
        ('include = ["a\\u0000"]', r"a\\x00' cannot be followed"),
        ("[servers.a]\ncommand='a'\nargs='x'", r"args is 'x': it should be a list \(write \["),
        ("[catalog]\ntrust_hints = 'no way'", r"it should be true or false \(write true or"),
        ("[servers.a]\ncommand = ''", r"toolweft\.toml:2: servers\.a\.command is ''"),
        ("[servers.'']\ncommand = 'a'", r"servers\. is ''"),
        ("[limits\n", r"toolweft\.toml:1:8: not valid TOML"),
    ],
)
def test_bad_input_is_told_with_its_place_and_the_next_step(
    desk: Desk, text: str, message: str
) -> None:
    desk.write("toolweft.toml", text)

    with pytest.raises(ConfigError, match=message):
        desk.load()


def test_a_key_written_in_place_of_its_hash_is_not_repeated(desk: Desk) -> None:
    desk.write("toolweft.toml", "[[http.keys]]\nid='a'\nsha256='hunter2'\nuser='a'")

    with pytest.raises(ConfigError) as failure:
        desk.load()

    assert "hunter2" not in str(failure.value)


def test_many_faults_are_told_at_once_but_not_all(desk: Desk) -> None:
    desk.write("toolweft.toml", "[limits]\n" + "".join(f"wrong{i} = 1\n" for i in range(9)))

    with pytest.raises(ConfigError, match=r"limits\.wrong0.*limits\.wrong4.*and 4 more"):
        desk.load()


def test_of_several_faults_each_hint_names_its_key(desk: Desk) -> None:
    desk.write("toolweft.toml", "[limits]\nmemry = 1\nmax_cals = 1\n")

    with pytest.raises(ConfigError) as failure:
        desk.load()

    assert failure.value.hint == (
        "limits.memry: did you mean 'memory'?; limits.max_cals: did you mean 'max_calls'?"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TOOLWEFT_PROFIL", "TOOLWEFT_PROFILE"),
        ("TOOLWEFT_CONFG", "TOOLWEFT_CONFIG"),
        ("TOOLWEFT_HTTP_PORT", "TOOLWEFT_HTTP__PORT"),
    ],
)
def test_a_misspelt_variable_is_a_problem(desk: Desk, name: str, meant: str) -> None:
    problems = desk.load(look_up=False, environ={name: "1", "TOOLWEFT_DATA": "x"}).problems

    assert problems == (f"the variable {name} is not used: did you mean {meant}?",)


@pytest.mark.parametrize(
    ("environ", "overrides", "message"),
    [
        ({"TOOLWEFT_HTTP__PROT": "1"}, {}, r"environment TOOLWEFT_HTTP__PROT: .*mean 'port'"),
        ({"TOOLWEFT_HTTP__PORT": "x"}, {}, r"environment TOOLWEFT_HTTP__PORT: http\.port is 'x'"),
        ({"TOOLWEFT_HTTP__ALLOWED_HOSTS": "[1"}, {"http.port": "-1"}, r"flag: http\.port is '-1'"),
        ({}, {"htp.port": "1"}, r"flag: unknown key 'htp' \(did you mean 'http'\?\)"),
    ],
)
def test_bad_variables_and_flags_are_named(
    desk: Desk, environ: dict, overrides: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        desk.load(environ=environ, overrides=overrides)


def test_the_first_file_found_is_taken_and_the_others_are_noted(desk: Desk) -> None:
    servers = {"mcpServers": {"a": {"command": "a"}}}
    desk.write(".mcp.json", servers)
    assert desk.load().files == (desk.cwd / ".mcp.json",)
    desk.write("mcp.json", servers)
    assert desk.load().files == (desk.cwd / "mcp.json",)
    desk.write("toolweft.toml", "")

    settings = desk.load()

    assert settings.files == (desk.cwd / "toolweft.toml",)
    assert settings.problems == (
        "mcp.json is there too but not read: toolweft.toml comes first",
        ".mcp.json is there too but not read: toolweft.toml comes first",
    )


def test_files_of_the_user_are_found_by_the_xdg_rules(desk: Desk) -> None:
    folder = desk.home / "conf"
    environ = {"XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(desk.home / "state")}

    paths = lookup_paths(environ=environ, cwd=desk.cwd, home=desk.home)
    assert [str(path.relative_to(desk.cwd.parent)) for path in paths] == [
        "project/toolweft.toml",
        "project/mcp.json",
        "project/.mcp.json",
        "home/conf/toolweft/toolweft.toml",
        "home/conf/toolweft/mcp.json",
        "home/.config/toolweft/toolweft.toml",
        "home/.config/toolweft/mcp.json",
    ]
    paths[3].parent.mkdir(parents=True)
    paths[3].write_text("[http]\nport = 5\n", encoding="utf-8")

    settings = desk.load(environ=environ)

    assert settings.http.port == 5
    assert settings.ledger.url == f"sqlite:///{desk.home}/state/toolweft/ledger.db"


def test_a_relative_xdg_folder_is_ignored(desk: Desk) -> None:
    paths = lookup_paths(environ={"XDG_CONFIG_HOME": "conf"}, cwd=desk.cwd, home=desk.home)

    assert paths[3] == desk.home / ".config/toolweft/toolweft.toml"
    assert len(paths) == 5


def test_a_folder_stands_for_the_file_in_it(desk: Desk) -> None:
    desk.write("conf/mcp.json", {"mcpServers": {}})

    assert desk.load("conf").files == (desk.cwd / "conf/mcp.json",)


def test_a_folder_without_a_file_and_a_missing_file_say_what_was_looked_for(desk: Desk) -> None:
    with pytest.raises(ConfigError, match=r"looked for toolweft\.toml, mcp\.json, \.mcp\.json"):
        desk.load(desk.cwd)
    with pytest.raises(ConfigError, match=r"'gone\.toml' does not exist"):
        desk.load("gone.toml")


def test_a_variable_may_name_the_file(desk: Desk) -> None:
    desk.write("other.toml", "[http]\nport = 6\n")

    assert desk.load(environ={"TOOLWEFT_CONFIG": "other.toml"}).http.port == 6


def test_nothing_is_looked_up_where_that_is_not_wanted(desk: Desk) -> None:
    desk.write("toolweft.toml", "nonsense = 1")

    settings = desk.load(look_up=False, environ={"TOOLWEFT_CONFIG": "toolweft.toml"})

    assert settings.files == ()
    assert settings.problems == ()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_in_a_circle_is_named(desk: Desk) -> None:
    path = desk.write("toolweft.toml", "")
    path.unlink()
    path.symlink_to(path)

    with pytest.raises(ConfigError, match=r"toolweft\.toml' cannot be followed"):
        desk.load(config=path)


def test_a_file_included_twice_is_read_once(desk: Desk) -> None:
    desk.write("base.toml", "[http]\nport = 1\n")
    desk.write("more.toml", 'include = ["base.toml"]\n')
    desk.write("toolweft.toml", 'include = ["base.toml", "more.toml"]\n')

    assert [path.name for path in desk.load().files] == ["base.toml", "more.toml", "toolweft.toml"]


@pytest.mark.promise("config.secrets")
def test_explain_shows_values_as_written_and_no_secret(desk: Desk) -> None:
    desk.write(
        "toolweft.toml",
        f"""
[servers.git]
command = "git"
args = ["${{HOME}}/x", "--token", "hunter2", "--api-key=hunter2", "--depth", "3",
  "https://me:hunter2@a/?q=hunter2"]
env = {{ A = "env:T", B = "x${{T}}", API_KEY = "hunter2", MODE = "fast" }}
[servers.docs]
url = "https://hunter2@docs.example/mcp?api_key=hunter2&v=hunter2"
headers = {{ Authorization = "Bearer hunter2", X = "plain" }}
[servers.bad]
url = "http://[hunter2"
[servers.git.configs.git_push]
enabled = false
[ledger]
url = "postgresql://me:hunter2@db/x"
[[http.keys]]
id = "k1"
sha256 = "{SHA}"
user = "anna"
""",
    )

    settings = desk.load(environ={"T": "hunter2", "HOME": "/hunter2"})
    shown = {key: value for key, value, _ in explain(settings)}

    assert "hunter2" not in json.dumps(explain(settings))
    assert "hunter2" not in repr(settings.values)
    assert json.loads(shown["servers.git.args"]) == [
        "${HOME}/x", "--token", "***", "--api-key=***", "--depth", "3", "https://***@a/?q=***",
    ]  # fmt: skip
    assert shown["servers.git.env.MODE"] == "***"
    assert shown["servers.git.env.B"] == "***"
    assert shown["servers.git.env.A"] == "env:T"
    assert shown["servers.docs.url"] == "https://***@docs.example/mcp?api_key=***&v=***"
    assert shown["servers.docs.headers.X"] == "***"
    assert shown["servers.git.configs.git_push.enabled"] == "false"
    assert shown["ledger.url"] == "postgresql://***@db/x"
    assert json.loads(shown["http.keys"]) == ["k1 (local/anna): ***"]
    assert shown["limits.memory_bytes"] == "1 GiB"
    assert shown["profile"] == "standard"


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("Authorization: Bearer hunter2", "Authorization: ***"),
        ("--header=X-Any: hunter2", "--header=X-Any: ***"),
        ("X-Any: hunter2 hunter2", "X-Any: ***"),
        ("X-Api-Key:hunter2", "X-Api-Key:***"),
        ("bearer hunter2", "bearer ***"),
        ("token=hunter2", "token=***"),
        ("--aws-key=hunter2", "--aws-key=***"),
        ("AccountKey=hunter2;Server=a", "AccountKey=***"),
        ("a?api_key=hunter2", "a?api_key=***"),
        ("--url=https://hunter2@a/b?hunter2#t=hunter2", "--url=https://***@a/b?***#t=***"),
        ("https://ghp_hunter2:x@a/", "https://***@a/"),
        ("--depth=3", "--depth=3"),
        ("https://a/b", "https://a/b"),
        ("C:/work/${HOME}", "C:/work/${HOME}"),
    ],
)
def test_explain_hides_what_looks_like_a_credential_in_an_argument(
    desk: Desk, argument: str, shown: str
) -> None:
    desk.write("mcp.json", {"mcpServers": {"a": {"command": "a", "args": [argument]}}})

    values = {key: value for key, value, _ in explain(desk.load())}

    assert json.loads(values["servers.a.args"]) == [shown]


def test_the_shipped_schema_is_current() -> None:
    current = schema_path().read_text(encoding="utf-8") == render_schema()

    assert current, "write it anew: toolweft.config.schema.render_schema() to schema_path()"


def test_the_schema_knows_short_names_and_nothing_else() -> None:
    schema = json_schema()
    limits = schema["$defs"]["LimitsModel"]

    assert limits["properties"]["memory"]["type"] == ["number", "string"]
    assert limits["properties"]["memory_bytes"]["default"] == 1024**3
    assert limits["additionalProperties"] is False


def test_the_environment_is_read_as_it_is() -> None:
    environ = read_environment()

    assert environ["PATH"]
    environ["TOOLWEFT_TEST"] = "x"
    assert "TOOLWEFT_TEST" not in read_environment()


def test_a_file_outside_the_working_folder_is_called_by_its_whole_path(
    desk: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "elsewhere.toml"
    path.write_text("nonsense = 1", encoding="utf-8")

    with pytest.raises(ConfigError, match=f"{path}:1: unknown key 'nonsense'"):
        desk.load(path)


def test_the_folder_of_environments_counts_from_the_file_that_names_it(desk: Desk) -> None:
    desk.write("toolweft.toml", 'sandbox.environments = "packages"\n')
    assert desk.load().sandbox.environments == desk.cwd / "packages"

    desk.write("toolweft.toml", 'sandbox.environments = "~/packages"\n')
    assert desk.load().sandbox.environments == desk.home / "packages"


def test_a_folder_of_no_name_remembers_nothing(desk: Desk) -> None:
    settings = desk.load(desk.write("toolweft.toml", '[discovery]\nfolder = ""\n'))
    assert settings.discovery.folder is None
    settings = desk.load(desk.write("toolweft.toml", '[discovery]\nfolder = "seen"\n'))
    assert settings.discovery.folder == desk.cwd / "seen"

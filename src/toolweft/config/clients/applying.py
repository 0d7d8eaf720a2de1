"""Makes the changes of an install, an uninstall or an import; each file at once or not at all.

One process at a time: whoever comes second finds the files changed, and changes nothing.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from toolweft.config.clients.files import FileChange, check_change, clear_unfinished, write_change
from toolweft.config.clients.places import Surroundings
from toolweft.config.clients.planning import Import, Install, Uninstall
from toolweft.config.clients.records import Records, Step
from toolweft.config.lookup import clients_path
from toolweft.core.errors import ConfigError
from toolweft.stores.alone import alone

__all__ = ("apply_import", "apply_install", "apply_uninstall")


def apply_install(install: Install, around: Surroundings) -> tuple[str, ...]:
    """Install; where copies of the files lie that were changed.

    The record comes first and the client's file last: cut off anywhere, either nothing was
    changed, or the record says how to take it back.

    Raises:
        ConfigError: a file changed meanwhile or cannot be written.
    """
    with _opened(around) as records:
        if install.undone is not None:
            _clear_unfinished(records, install.cut_off)
            for change in install.undone_changes:
                write_change(change)
            for other in install.undone.adopted:
                records.save(other)
            records.save(install.record)
        return _make(install, records) if install.is_change else ()


def _make(install: Install, records: Records) -> tuple[str, ...]:
    check_change(install.file)
    check_change(install.config)
    step = Step(
        state="begun",
        client=records.keep_copy(install.record, install.file),
        config=records.keep_copy(install.record, install.config),
        removed=install.removed,
        servers=install.servers,
    )
    steps = install.record.steps
    records.save(replace(install.record, steps=(*steps, step)))
    has_secrets = any(v.secrets for v in install.verdicts if v.outcome == "moved")
    write_change(install.config, private=has_secrets)
    write_change(install.file)
    records.save(replace(install.record, steps=(*steps, replace(step, state="done"))))
    copies = (step.client.copy, step.config.copy)
    return tuple(str(records.folder / name) for name in copies if name is not None)


def apply_uninstall(uninstall: Uninstall, around: Surroundings) -> None:
    """Uninstall; copies of what was there are kept unless the client's file is as it was.

    Raises:
        ConfigError: a file changed meanwhile or cannot be written.
    """
    with _opened(around) as records:
        _clear_unfinished(records, uninstall.record.steps)
        _write_all(uninstall.changes)
        for other in uninstall.undone.adopted:
            records.save(other)
        if uninstall.record.steps:
            records.save(replace(uninstall.record, steps=()))
        if uninstall.undone.exact:
            records.drop_copies(uninstall.record)


def apply_import(imported: Import, around: Surroundings) -> None:
    """Add the servers to toolweft's configuration.

    Raises:
        ConfigError: the file changed meanwhile or cannot be written.
    """
    has_secrets = any(v.secrets for v in imported.verdicts if v.outcome == "moved")
    with _opened(around):
        write_change(imported.config, private=has_secrets)


def _clear_unfinished(records: Records, steps: tuple[Step, ...]) -> None:
    records.clear_unfinished()
    for step in steps:
        for file in (step.client, step.config):
            clear_unfinished(Path(file.path))


def _write_all(changes: tuple[FileChange, ...]) -> None:
    for change in changes:
        check_change(change)
    for change in changes:
        write_change(change)


@contextmanager
def _opened(around: Surroundings) -> Iterator[Records]:
    """The records, while no other process of ours changes files of clients."""
    folder = clients_path(environ=around.environ, home=around.home)
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(alone(folder))
        except OSError as exc:
            raise ConfigError(
                f"{str(folder)!r} cannot be locked: {exc.strerror or exc}",
                hint="let another `toolweft install` end first, or set XDG_STATE_HOME to a folder"
                " that you may write to",
            ) from exc
        yield Records(folder=folder)

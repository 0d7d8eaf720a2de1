"""The collector rests while a command starts, and works afterwards."""

import gc

from toolweft.cli.collecting import pause_collection, resume_collection


def test_collection_is_paused_and_goes_on_without_what_is_there_to_stay() -> None:
    pause_collection()
    try:
        assert not gc.isenabled()
        resume_collection()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.enable()
        gc.unfreeze()

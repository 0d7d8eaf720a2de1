"""The best kind of index that is installed is made."""

import subprocess
import sys

from toolweft.search import build_index, update_index
from toolweft.search.hybrid import HybridIndex
from toolweft.testing import build_definition, build_snapshot

FORECAST = build_definition("sky.forecast", description="What the weather will be")

# A finder in front of all others, so that numpy is not there.
WITHOUT_NUMPY = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Missing())
from toolweft.search import LexicalIndex, build_index, update_index
from toolweft.testing import build_definition, build_snapshot

snapshot = build_snapshot([build_definition("sky.forecast", description="The weather")])
index = build_index(snapshot)
assert isinstance(index, LexicalIndex), index
assert update_index(index, snapshot) is index
assert [hit.qualified for hit in index.search("weather", limit=3)] == ["sky.forecast"]
"""


def test_words_and_meanings_where_numpy_is_installed() -> None:
    assert isinstance(build_index(build_snapshot([FORECAST])), HybridIndex)


def test_words_alone_where_it_is_not() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_NUMPY], check=True, timeout=50)


def test_an_index_of_the_same_tools_is_the_same_index() -> None:
    snapshot = build_snapshot([FORECAST])
    index = build_index(snapshot)
    assert update_index(index, snapshot) is index


def test_the_search_package_is_light_until_an_index_is_made() -> None:
    code = "import sys, toolweft.search; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)

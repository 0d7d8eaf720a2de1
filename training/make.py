"""Make the file of word vectors that the package ships.

python -m training.make --data FOLDER --recorded FOLDER
"""

import time
from pathlib import Path

from training.recipe import load_data, make_vectors, parser

SHIPPED = Path(__file__).resolve().parent.parent / "src/toolweft/search/vectors.npz"


def main() -> None:
    """Train on everything and write the file."""
    options = parser("Make the shipped word vectors.")
    options.add_argument("--output", type=Path, default=SHIPPED)
    arguments = options.parse_args()
    start = time.perf_counter()
    vectors, pairs = make_vectors(load_data(arguments), seed=arguments.seed)
    packed = vectors.pack()
    arguments.output.write_bytes(packed)
    print(
        f"{arguments.output}: {len(vectors):,} words, {pairs:,} pairs, {len(packed):,} bytes, "
        f"{time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()

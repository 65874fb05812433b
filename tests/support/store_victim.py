"""A process to be killed: it ingests comments, decides them, and prints the committed ids until it dies.

python -m tests.support.store_victim DATABASE_URL ROUND
"""

import itertools
import sys

from belowline.serve.store.database import Database
from tests.support.store_fakes import ANN, Desk


def main(url: str, number: str) -> None:
    desk = Desk(Database.open(url))
    print("ready", flush=True)
    for count in itertools.count():
        name = f"{number}-{count}"
        kept = desk.take(
            "spam" if count % 3 else "a word", name, author=f"u{count % 5}", thread=f"t{count % 2}"
        )
        print("taken", name, flush=True)
        if count % 3 == 1:
            desk.claim("ann", 1, "newest")
            desk.rule(kept.comment, "reject", ANN)
            print("decided", name, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

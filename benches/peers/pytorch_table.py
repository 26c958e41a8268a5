"""The rounds and the table, in the columns of the Rust programs here."""

from statistics import median

WARM_UP = 5
ROUNDS = 9


def head():
    print("| N x C | storage | library | ms | copy, ms | of copy |\n|---|---|---|---|---|---|")


def rows(batch, timed, runs, copy):
    """Print a row for each library: `runs` by name and a copy of the logits, in turns; `timed` gives milliseconds."""
    for _ in range(WARM_UP):
        for run in [*runs.values(), copy]:
            run()
    rounds = [[timed(run) for run in [*runs.values(), copy]] for _ in range(ROUNDS)]
    *times, copied = map(median, zip(*rounds))
    n, c = batch.logits.shape
    storage = {4: "f32", 2: "bf16"}[batch.logits.itemsize]
    for library, ms in zip(runs, times):
        # Bytes of the floor over the library's time, as a fraction of the bytes copied over the copy's time.
        of_copy = 100 * (batch.floor() / ms) / (batch.copied() / copied)
        print(f"| {n} x {c} | {storage} | {library} | {ms:.2f} | {copied:.2f} | {of_copy:.1f} % |", flush=True)

"""Many Python threads in long calls at once, while the number of threads changes: for ThreadSanitizer."""

import threading

import numpy as np

import yarncore as yc


def main(threads=8, calls=60):
    rope = yc.Rope(64)
    x = np.random.default_rng(0).standard_normal((1, 3000, 8, 64)).astype(np.float32)
    yc.set_num_threads(4)
    expected = rope.rotate(x, None, None, heads_axis=-2)
    wrong = []

    def work(n):
        for call in range(calls):
            yc.set_num_threads(1 + (n + call) % 4)
            mine = x.copy()
            rope.rotate_(mine, None, None, heads_axis=-2)
            if not np.array_equal(mine, expected):
                wrong.append((n, call))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong, wrong
    print(f"{threads * calls} calls in {threads} threads agree")


if __name__ == "__main__":
    main()

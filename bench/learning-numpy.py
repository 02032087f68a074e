"""The same aggregations by NumPy, to compare `npm run bench -- learning` with on one host (table B1): what other frameworks' rules call.

OPENBLAS_NUM_THREADS=1 python3 bench/learning-numpy.py
Milliseconds of CPU of one thread, median of five. Median is that of Flower's FedMedian and of ByzFL; the trimmed mean sorts.
"""

import statistics
import time

import numpy


def cpu_ms(call):
    times = []
    for _ in range(5):
        start = time.thread_time()
        call()
        times.append(1000 * (time.thread_time() - start))
    return statistics.median(times)


for n in (20, 100, 850, 1000):
    for d in (10_000, 100_000):
        rows = numpy.random.default_rng(1).standard_normal((n, d), dtype=numpy.float32)
        trim = int(0.3 * n)
        rules = {
            "mean": lambda: rows.mean(axis=0),
            "median": lambda: numpy.median(rows, axis=0),
            "trimmed-mean": lambda: numpy.sort(rows, axis=0)[trim : n - trim].mean(axis=0),
            "gram": lambda: rows @ rows.T,
        }
        for name, call in rules.items():
            print(f"numpy-{numpy.__version__}/{name}/n{n}-d{d}  {cpu_ms(call):.1f} ms", flush=True)

"""Reads the histograms of `hdr` and `hlog` with hdrhistogram, and writes how many values each has and
which are at the ranks that are asked for, as JSON. The argument is a file with the question."""

import json
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader


def told(name, histogram, ranks):
    count = histogram.get_total_count()
    return {
        "name": name,
        "count": count,
        # It rounds the rank of a percentile to the nearest, which for these is the rank itself.
        "values": [
            histogram.get_value_at_percentile(100.0 * rank / count) if count else 0
            for rank in ranks
        ],
    }


def intervals(path):
    reader = HistogramLogReader(path, HdrHistogram(1, 60_000_000_000, 2))
    while True:
        histogram = reader.get_next_interval_histogram()
        if histogram is None:
            break
        yield histogram.get_tag(), histogram
    reader.close()


def encoded(hdr):
    yield None, HdrHistogram.decode(hdr["latency"])
    for core in hdr["cores"]:
        yield core["core"], HdrHistogram.decode(core["latency"])


with open(sys.argv[1], encoding="utf-8") as file:
    question = json.load(file)
forms = {"hdr": encoded(question["hdr"]), "hlog": intervals(question["hlog"])}
answer = {
    form: [
        told(name, histogram, ranks)
        for (name, histogram), ranks in zip(histograms, question["ranks"], strict=True)
    ]
    for form, histograms in forms.items()
}
json.dump(answer, sys.stdout)

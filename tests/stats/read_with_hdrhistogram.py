"""Reads the histograms of `hdr` and `hlog` with hdrhistogram, and writes how many values each has and
which are at the ranks that are asked for, as JSON. The argument is a file with the question."""

import json
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader


def told(name, histogram, ranks, percentiles):
    count = histogram.get_total_count()
    return {
        "name": name,
        "count": count,
        # It rounds the rank of a percentile to the nearest, which for these is the rank itself.
        "values": [
            histogram.get_value_at_percentile(100.0 * rank / count) if count else 0
            for rank in ranks
        ],
        # For these it may be the rank before.
        "plain": [
            histogram.get_value_at_percentile(percentile) for percentile in percentiles
        ],
    }


def read_log(path, told_of):
    reader = HistogramLogReader(path, HdrHistogram(1, 60_000_000_000, 2))
    while True:
        histogram = reader.get_next_interval_histogram()
        if histogram is None:
            break
        begin, end = histogram.get_start_time_stamp(), histogram.get_end_time_stamp()
        told_of.append(
            {
                "name": histogram.get_tag(),
                "begin_ms": begin,
                "end_ms": end,
                "count": histogram.get_total_count(),
            }
        )
        yield histogram.get_tag(), histogram
    reader.close()


def added_up(intervals):
    """Those of each tag as one: the whole, which has none, comes first."""
    sums = {None: HdrHistogram(1, 60_000_000_000, 2)}
    for name, histogram in intervals:
        if name in sums:
            sums[name].add(histogram)
        else:
            sums[name] = histogram
    return sums.items()


def encoded(hdr):
    yield None, HdrHistogram.decode(hdr["latency"])
    for core in hdr["cores"]:
        yield core["core"], HdrHistogram.decode(core["latency"])


with open(sys.argv[1], encoding="utf-8") as file:
    question = json.load(file)
intervals = []
forms = {
    "hdr": encoded(question["hdr"]),
    "hlog": added_up(read_log(question["hlog"], intervals)),
}
answer = {
    form: [
        told(name, histogram, ranks, question["percentiles"])
        for (name, histogram), ranks in zip(histograms, question["ranks"], strict=True)
    ]
    for form, histograms in forms.items()
}
answer["intervals"] = intervals
json.dump(answer, sys.stdout)

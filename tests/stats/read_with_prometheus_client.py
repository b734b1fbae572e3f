"""Reads a text of metrics on standard input with prometheus-client's parser for `openmetrics` or
`text`, and writes what it found as JSON."""

import json
import sys

if sys.argv[1] == "openmetrics":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families

families = text_string_to_metric_families(sys.stdin.read())
json.dump(
    [
        {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "samples": [
                {"name": sample.name, "labels": sample.labels, "value": sample.value}
                for sample in family.samples
            ],
        }
        for family in families
    ],
    sys.stdout,
)

"""How the conformance kit tests the optimizers: studies of twenty trials."""

from __future__ import annotations

from typing import Any

TPE: dict[str, Any] = {"options": {"initial": 6}}
CMAES: dict[str, Any] = {"options": {"initial": 6, "population": 5}}
GP: dict[str, Any] = {"options": {"initial": 6}}
NSGA2: dict[str, Any] = {"options": {"population": 6}}

_FLOAT = (
    r"{\"name\": \"FloatDistribution\", "
    r"\"attributes\": {\"step\": null, \"low\": 3.0, \"high\": 6.0, \"log\": false}}"
)
_INT = (
    r"{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 2, \"high\": 8}}"
)
_TIME = "2026-01-01T00:00:00.000000+00:00"
IMPORTER: dict[str, Any] = {
    "fitter": "numpy-pair",
    "source": "trials.log",
    "files": {
        "trials.log": '{"op_code":0,"worker_id":"w","study_name":"pair","directions":[1]}\n'
        f'{{"op_code":4,"worker_id":"w","study_id":0,"datetime_start":"{_TIME}","state":1,"value":0.2,"values":null,'
        f'"datetime_complete":"{_TIME}","distributions":{{"cutoff":"{_FLOAT}","n_basis":"{_INT}","energy_weight":"{_FLOAT}"}},'
        '"params":{"cutoff":4.5,"n_basis":3,"energy_weight":5.0},"user_attrs":{},"system_attrs":{},"intermediate_values":{}}\n'
    },
}

"""What the program checks beyond types and bounds, in the words of JSON Schema, for editors.

The sections' own validators decide. These rules say the same as far as a schema can: it knows the
names of metrics, embedders, measures and data sets, which keys need or exclude each other, but it
cannot compare two values (`low` with `high`, `steps` with `timesteps`), nor look at a file.

A hole is a mapping, so that a rule about a name, a number or null does not touch one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from study.spec.data import Data, KFoldSplit
from study.spec.datasets import PATH_PATTERN
from study.spec.embedder_info import EMBEDDERS
from study.spec.finalists import Finalists
from study.spec.measure_info import MEASURES
from study.spec.model.families import GAN, Towards
from study.spec.names import DATASETS, METRICS, metric_name
from study.spec.samplers import IMAGE_SAMPLERS, samplers_of
from study.spec.score import Rung, Score
from study.spec.search import SEARCH_SAMPLERS, Search, ThresholdPruner
from study.spec.section import Section
from study.spec.study import Scale
from study.spec.train import Train
from study.spec.weights import TAKEN, Weights

Schema = dict[str, Any]

_NULL: Schema = {"type": "null"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, _NULL]}


def _if(condition: Schema, then: Schema) -> Schema:
    return {"if": condition, "then": then}


def _has(key: str, value: Schema) -> Schema:
    """A mapping with a key whose value is so."""
    return {"properties": {key: value}, "required": [key]}


def _where(key: str, value: Schema) -> Schema:
    """A mapping in which a key's value is so, if it is there."""
    return {"properties": {key: value}}


def _named(*names: str) -> Schema:
    """One of these kinds, by its name or as a section."""
    return {"anyOf": [{"enum": [*names]}, {"type": "object", **_has("kind", {"enum": [*names]})}]}


_DATASET: Schema = {
    "anyOf": [{"enum": [*DATASETS]}, {"type": "string", "pattern": PATH_PATTERN}],
}
_METRIC: Schema = {"type": "string", "enum": [*METRICS]}
_EMBEDDER: Schema = _or_null(
    {"anyOf": [{"enum": [*EMBEDDERS]}, {"type": "string", "pattern": ":"}]}
)
_MEASURES: Schema = {
    "type": "array",
    "items": {"type": "string", "enum": [*MEASURES]},
    "uniqueItems": True,
}

VALUES: Mapping[type[Section], Mapping[str, Schema]] = {
    Data: {"dataset": _DATASET},
    Towards: {"dataset": _DATASET},
    Score: {"metric": _METRIC, "embedder": _EMBEDDER, "also": _MEASURES},
    Rung: {"metric": _or_null(_METRIC)},
    Finalists: {
        "metric": _or_null(_METRIC),
        "embedder": _EMBEDDER,
        "also": _or_null(_MEASURES),
    },
}
"""What takes the place of a key's schema: names, where the section's type is any text."""


def _embedder_rules() -> Iterator[Schema]:
    """`metric: fd` names its embedder, and others mean one."""
    free = [name for name in EMBEDDERS if metric_name("fd", name) not in METRICS]
    named = {"anyOf": [{"enum": free}, {"type": "string", "pattern": ":"}]}
    for metric, (measure, embedder) in METRICS.items():
        chosen = _has("metric", {"const": metric})
        if metric == Score.model_fields["metric"].default:
            chosen = {"anyOf": [chosen, {"not": {"required": ["metric"]}}]}
        rule = _has("embedder", named) if embedder is None else _where(
            "embedder", {"enum": [None, embedder]}
        )  # fmt: skip
        again = _where("also", {"not": {"contains": {"const": measure}}})
        yield _if(chosen, {"allOf": [rule, again]})


RULES: Mapping[type[Section], tuple[Schema, ...]] = {
    Data: (
        _if(
            _has("dataset", {"type": "string", "pattern": PATH_PATTERN}),
            _has("size", {"type": "integer"}),
        ),
        {"not": {"allOf": [_has(key, {"type": "number"}) for key in ("fraction", "count")]}},
    ),
    KFoldSplit: (
        _if(
            {"not": {"required": ["folds"]}},
            _where("fold", {"maximum": KFoldSplit.model_fields["folds"].default - 1}),
        ),
    ),
    Score: (
        *_embedder_rules(),
        _where("every", {"minItems": 1}),
    ),
    ThresholdPruner: (
        {"anyOf": [_has("lower", {"type": "number"}), _has("upper", {"type": "number"})]},
    ),
    Search: (
        _where("pruner", {"not": {"const": "threshold"}}),  # whose bounds have no defaults
        _where("objectives", {"uniqueItems": True, "contains": {"const": "score"}}),
        _if(
            _has("objectives", {"minItems": 2}),
            {
                "properties": {
                    "pruner": _named("none"),
                    "sampler": {
                        "enum": [
                            n for n, info in SEARCH_SAMPLERS.items() if info.several_objectives
                        ]
                    },
                }
            },
        ),
    ),
    Train: (_if(_has("validation_images", {"const": 0}), _where("early_stopping", _NULL)),),
    GAN: (
        _if(
            _has("loss", {"const": "wasserstein"}),
            {
                "anyOf": [
                    _has("penalty", {"not": _named("none")}),
                    _has("discriminator", {"type": "object", **_has("spectral_norm", {})}),
                ]
            },
        ),
    ),
    Weights: ({"dependentRequired": {"checkpoint": ["digest"], "digest": ["checkpoint"]}},),
    Scale: (_where("gpus_per_worker", {"anyOf": [_NULL, {"maximum": 1}, {"multipleOf": 1}]}),),
}
"""What a section's keys ask of each other."""


def study_rules(required: list[str]) -> Iterator[Schema]:
    """What the sections of a study ask of each other.

    Args:
        required: The sections that a study must have.
    """
    begun = _has("weights", {"type": "object", "required": ["checkpoint"]})
    to_begin = _has("weights", {"type": "object", "not": {"required": ["checkpoint"]}})
    trained = [key for key in required if key in TAKEN]
    yield _if(
        {"anyOf": [begun, {"not": _has("weights", {"type": "object"})}]}, {"required": trained}
    )
    yield _if(to_begin, {"not": {"anyOf": [{"required": [key]} for key in TAKEN]}})
    yield _if(_has("weights", {"type": "object"}), _where("finalists", _NULL))
    for family in dict.fromkeys(info.family for info in IMAGE_SAMPLERS.values()):
        foreign = [name for name in IMAGE_SAMPLERS if name not in samplers_of(family)]
        of_family = _has("model", {"type": "object", **_has("family", {"const": family})})
        yield _if(of_family, _where("score", _where("sampler", {"not": _named(*foreign)})))
    gan = _has("model", {"type": "object", **_has("family", {"const": "gan"})})
    yield _if(gan, _where("train", _where("early_stopping", _NULL)))
    yield _if(
        _has("data", {"type": "object", **_has("split", _named("leave_one_out"))}),
        _has("score", {"type": "object", **_has("against", {"const": "everything"})}),
    )

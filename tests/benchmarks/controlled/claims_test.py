"""Tests of the claims' variants."""

import main  # noqa: F401  Registers the experiments.
from benchmarks.controlled import claims
from configs import loading


def test_the_experiment_is_what_variants_without_fields_are_called():
  names = {
    variant.name
    for claim in claims.CLAIMS.values()
    for variant in claim.variants
    if not variant.train and not variant.evaluate
  }
  config = loading.load(claims.EXPERIMENT)
  height, width = config.model.mask_size
  assert {
    f'b = {config.model.input_scaling:g}',
    f'p = {config.loss.weight_p:g}',
    f'{height}x{width}',
  } <= names

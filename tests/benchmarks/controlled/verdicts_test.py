"""Tests of the rule that decides on claims."""

import math

import pytest

from benchmarks.controlled import claims, verdicts

_A_ABOVE_B = claims.Contrast('a above b', {'a': 1.0, 'b': -1.0})


@pytest.mark.parametrize(
  ('a', 'b', 'expected'),
  [
    ([10.0, 11.0, 12.0], [5.0, 6.0, 7.0], 'same'),
    ([5.0, 6.0, 7.0], [10.0, 11.0, 12.0], 'not here'),
    ([10.0, 11.0, 12.0], [9.5, 10.5, 11.5], 'open'),
    ([10.0], [5.0], 'open'),
    ([10.0, 11.0, 12.0], [5.0], 'open'),
    ([10.0, 10.0], [5.0, 5.0], 'same'),
    ([5.0, 5.0], [5.0, 5.0], 'open'),
    ([], [5.0, 6.0], 'open'),
  ],
)
def test_a_difference_counts_above_two_standard_errors(a, b, expected):
  assert verdicts.find(_A_ABOVE_B, {'a': a, 'b': b}).verdict == expected


def test_the_error_pools_the_variants_by_their_weights():
  contrast = claims.Contrast('saturates', {'a': 2.0, 'b': -1.0, 'c': -1.0})
  scores = {'a': [4.0, 6.0], 'b': [1.0, 2.0, 3.0], 'c': [7.0, 7.0]}
  found = verdicts.find(contrast, scores)
  assert found.estimate == pytest.approx(10.0 - 2.0 - 7.0)
  assert found.error == pytest.approx(math.sqrt(4 * 2.0 / 2 + 1.0 / 3))


@pytest.mark.parametrize(
  ('found', 'expected'),
  [
    (['same', 'same'], 'same'),
    (['same', 'open'], 'open'),
    (['same', 'open', 'not here'], 'not here'),
    ([], 'open'),
  ],
)
def test_a_claim_is_what_all_its_statements_are(found, expected):
  findings = [verdicts.Finding('', verdict, 0.0, 0.0) for verdict in found]
  assert verdicts.together(findings) == expected

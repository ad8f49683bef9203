"""Tests of the plan against figures by hand, and on a small network."""

import pytest
import tiny

from benchmarks import plan

_GIB = 2**30


@pytest.mark.parametrize(
  ('batch', 'fits', 'expected'),
  [(16, 100, (16, 1)), (16, 16, (16, 1)), (16, 6, (4, 4)), (7, 6, (1, 7))],
)
def test_a_batch_is_shared_out_evenly(batch, fits, expected):
  assert plan.shares(batch, fits) == expected


def test_rows_by_hand():
  config = tiny.experiment(training__steps=3600, training__batch_size=8)
  # 1e15 operations a step of 8; 4 GiB an image, and 0.5 GiB of weights.
  costs = plan.Costs(0, 125 * 10**12, 4 * _GIB)
  rows = {
    row.split('|')[1].strip(): [part.strip() for part in row.split('|')[2:-1]]
    for row in plan.rows(config, costs, 'float32', 0.5)
  }
  # 16 GiB take 3 images, of which 2 divide 8.
  fits, how, one, many = rows['TPU v5e']
  assert (fits, how[0]) == ('3', '4')
  assert float(one) == pytest.approx(1e15 / 197e12 / 0.5, abs=0.5)
  assert float(many) == pytest.approx(1e15 / 197e12 / 0.5 / 4, abs=0.5)
  assert float(rows['A100, 40 GB'][2]) == round(1e15 / 156e12 / 0.5)


def test_what_does_not_fit_is_said():
  config = tiny.experiment()
  costs = plan.Costs(0, 10**12, 30 * _GIB)
  rows = list(plan.rows(config, costs, 'bfloat16', 0.5))
  assert 'does not fit' in rows[0] and 'does not fit' not in rows[-1]


@pytest.mark.slow
def test_recomputation_trades_memory_for_operations():
  config = tiny.experiment(
    model__image_size=(64, 64), model__mask_size=(32, 32)
  )
  kept, again = (plan.costs(config, 'float32', on) for on in (False, True))
  assert kept.parameters == again.parameters
  assert kept.flops < again.flops < 1.4 * kept.flops
  assert again.image_bytes < 0.8 * kept.image_bytes

"""J and F of single frames: golden figures, by hand, and by definition."""

import json

import numpy as np
import pytest
import shared
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from metrics import region_boundary
from panoptic import png


def ids_of(rows):
  """A map from rows of digits; 9 is void."""
  ids = np.array([[int(digit) for digit in row] for row in rows], np.uint8)
  return np.where(ids == 9, region_boundary.VOID, ids).astype(np.uint8)


def boundary_of(mask):
  """By definition: a pixel that differs from its right or lower neighbours."""
  padded = np.pad(mask, [(0, 1), (0, 1)], mode='edge')
  return (
    (padded[:-1, :-1] ^ padded[:-1, 1:])
    | (padded[:-1, :-1] ^ padded[1:, :-1])
    | (padded[:-1, :-1] ^ padded[1:, 1:])
  )


def f_by_definition(gt, pred):
  """F of two masks, by the distance to the other boundary."""
  radius = np.ceil(0.008 * np.linalg.norm(gt.shape))
  gt, pred = boundary_of(gt), boundary_of(pred)
  if not gt.any() or not pred.any():
    return float(gt.any() == pred.any())
  precision, recall = (
    (ndimage.distance_transform_edt(~other)[own] <= radius).mean()
    for own, other in ((pred, gt), (gt, pred))
  )
  total = precision + recall
  return 2 * precision * recall / total if total else 0.0


def random_ids(rng, shape, count):
  ids = np.zeros(shape, np.uint8)
  for k in rng.permutation(count) + 1:
    y, x = rng.integers(0, shape)
    ids[y : y + rng.integers(1, 40), x : x + rng.integers(1, 40)] = k
  return ids


def test_golden_single_masks():
  folder = shared.path('golden', 'metrics', 'jf')
  expected = json.loads((folder / 'expected.json').read_text())
  for case in expected['single_masks']['values']:
    name = f'{case["sequence"]}/{case["frame"]:05d}.png'
    gt = png.read_ids(
      folder / 'davis/Annotations_unsupervised/480p' / name, png.DAVIS
    )
    pred = png.read_ids(folder / 'pred_semi' / name, png.DAVIS) == case['id']
    # One object, the rest background, with and without void.
    objects = np.where(gt == case['id'], 1, np.where(gt == 255, 255, 0))
    for suffix, remove_void in (('', False), ('_void', True)):
      j, f, _ = region_boundary.score_frame(
        objects.astype(np.uint8), pred.astype(np.uint8), 1, 1, remove_void
      )
      assert j == pytest.approx(case['J' + suffix], abs=1e-9), case
      assert f == pytest.approx(case['F' + suffix], abs=1e-9), case


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_every_pair_equals_the_definition(seed):
  rng = np.random.default_rng(seed)
  shape = tuple(rng.integers([2, 2], [130, 150]))  # Radii of 1 and 2.
  gt, pred = random_ids(rng, shape, 4), random_ids(rng, shape, 10)
  gt[rng.random(shape) < 0.01] = region_boundary.VOID
  remove_void = bool(rng.integers(2))
  j, f, highest = region_boundary.score_frame(gt, pred, 3, 9, remove_void)
  kept = gt != region_boundary.VOID if remove_void else np.ones(shape, bool)
  assert highest == pred.max()
  for p in range(9):
    for g in range(3):
      target, mask = (gt == g + 1) & kept, (pred == p + 1) & kept
      union = (target | mask).sum()
      assert j[p, g] == ((target & mask).sum() / union if union else 1)
      assert f[p, g] == pytest.approx(f_by_definition(target, mask), abs=1e-12)


def test_more_masks_than_one_map_of_bits_holds():
  columns = np.repeat(np.arange(1, 151, dtype=np.uint8), 3)
  ids = np.tile(columns, [4, 1])
  j, f, _ = region_boundary.score_frame(ids, ids, 150, 150, False)
  np.testing.assert_array_equal(j, np.eye(150))
  # The radius is 4: a mask matches its neighbours in part, others not at all.
  np.testing.assert_array_equal(f.diagonal(), np.ones(150))
  assert f[70, 60] == 0 and 0 < f[64, 63] <= 1
  for g, p in ((0, 1), (63, 64), (64, 63), (149, 148), (140, 141)):
    expected = f_by_definition(ids == g + 1, ids == p + 1)
    assert f[p, g] == pytest.approx(expected, abs=1e-12)


def test_region_similarity_on_paper():
  gt = ids_of(['1122', '1199'])
  pred = ids_of(['1111', '1111'])
  j, _, _ = region_boundary.score_frame(gt, pred, 3, 2, False)
  # Object 3 and proposal 2 are empty: both together score 1.
  np.testing.assert_array_equal(j, [[4 / 8, 2 / 8, 0], [0, 0, 1]])
  j, _, _ = region_boundary.score_frame(gt, pred, 3, 2, True)
  np.testing.assert_array_equal(j, [[4 / 6, 2 / 6, 0], [0, 0, 1]])


def test_the_boundary_on_paper():
  table = np.zeros(256, np.uint8)
  table[1:3] = 1, 2
  ids = ids_of(['0000', '0110', '0122', '0000'])
  pixels, bits = region_boundary.boundary_bits(ids, table)
  edges = np.zeros(16, np.uint8)
  edges[pixels] = bits
  for k in (1, 2):
    np.testing.assert_array_equal(
      edges.reshape(4, 4) & k > 0, boundary_of(ids == k)
    )
  np.testing.assert_array_equal(
    boundary_of(ids == 1),
    np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]], bool),
  )


def test_a_bit_grows_to_a_disk():
  bits = np.zeros([11, 13], np.uint16)
  bits[5, 6] = 4
  y, x = np.mgrid[-5:6, -6:7]
  for radius in range(9):
    np.testing.assert_array_equal(
      region_boundary.dilate_bits(bits, radius),
      4 * (y**2 + x**2 <= radius**2),
    )


@pytest.mark.parametrize('gt, pred, f', [('0', '0', 1), ('1', '0', 0)])
def test_missing_boundaries(gt, pred, f):
  # In a map of one pixel nothing has a boundary, though masks differ.
  one = region_boundary.score_frame(ids_of([gt]), ids_of([pred]), 1, 1, False)
  assert one[1].item() == 1 and one[0].item() == (gt == pred)
  side = region_boundary.score_frame(
    ids_of([gt + '0']), ids_of([pred + '0']), 1, 1, False
  )
  assert side[1].item() == f

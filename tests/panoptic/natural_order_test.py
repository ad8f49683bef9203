"""Tests of the order of numbered names."""

import random

import pytest

from panoptic import natural_order


@pytest.mark.parametrize(
  'names',
  [
    [f'clip ({n}).jpg' for n in range(1, 13)],
    [f'frame{n}_left.png' for n in range(8, 12)],
    [f'{n}.rgb.png' for n in range(8, 12)],
    [f'shot-{n}s.jpg' for n in range(8, 12)],
    [f'{n}.png' for n in range(12)],
    [f'{n:04d}.png' for n in range(12)],
    [f'cam2_{n}.png' for n in range(8, 12)],
    [f'v10/{n}.png' for n in range(8, 12)],
    [f'{n}.png' for n in range(10**30 - 3, 10**30 + 3)],
    ['a.png', 'b.jpg', 'c.png'],
    ['²a.png', '²b.png'],
    ['7.png'],
  ],
)
def test_frames_are_ordered_by_their_number(names):
  mixed = random.Random(0).sample(names, len(names))
  found = natural_order.frames(mixed, 'x')
  assert [mixed[i] for i in found.order] == names
  assert found.gap is None
  assert natural_order.in_order(mixed) == names


def test_every_fifth_frame_is_a_clip_and_gaps_are_found():
  names = ['f1', 'f6', 'f11', 'f16']
  assert natural_order.frames(names, 'x').gap is None
  assert natural_order.frames([*names, 'f26'], 'x').gap == ('f16', 'f26')


@pytest.mark.parametrize(
  ('names', 'sentence'),
  [
    (['1.png', '01.png'], 'frames in x, 1 and 01, have one number: rename'),
    (['f1.png', 'f2.png', 'f02.png'], 'f2 and f02, have one number'),
    (['1.jpg', '1.png'], '1 and 1, have one number'),
    (
      ['a1_2.png', 'a2_10.png', 'a10_1.png'],
      'differ in 2 numbers, as a1_2.png',
    ),
    (['f1.png', 'f2.png', 'cover.png'], 'x/cover.png is not named f<number>'),
    (
      ['c2_8x.png', 'c2_9x.png', 'c2_8.png'],
      'c2_8.png is not named c2_<number>x, like other frames',
    ),
  ],
)
def test_an_order_that_is_not_clear_is_refused(names, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    natural_order.frames(names, 'x')
  assert '\n' not in str(error.value)


def test_any_names_have_an_order():
  names = ['10', '9', 'a', 'a10b2', 'a10b10', 'a10', '', 'a9', '²', '07', '7']
  expected = [
    '',
    '07',
    '7',
    '9',
    '10',
    'a',
    'a9',
    'a10',
    'a10b2',
    'a10b10',
    '²',
  ]
  assert natural_order.in_order(names) == expected

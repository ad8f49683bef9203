"""Tests of the order of videos in evaluation."""

import numpy as np
import pytest

from data import streams


def test_streams_hold_whole_videos_in_order():
  videos = [range(0, 5), range(5, 7), range(7, 16), range(16, 17)]
  found = streams.make_streams(videos, 2)
  assert found.index.shape == (9, 2)
  np.testing.assert_array_equal(found.index[:, 0], range(7, 16))
  np.testing.assert_array_equal(
    found.index[:, 1], [0, 1, 2, 3, 4, 5, 6, 16, -1]
  )
  np.testing.assert_array_equal(np.flatnonzero(found.is_first_frame[:, 0]), [0])
  np.testing.assert_array_equal(
    np.flatnonzero(found.is_first_frame[:, 1]), [0, 5, 7]
  )


@pytest.mark.parametrize(
  ('frames', 'limit', 'ends'),
  [
    (11, 4, [4, 8, 11]),
    (800, 400, [400, 800]),
    (5, 5, [5]),
    (7, 0, [7]),
    (7, None, [7]),
    (1, 1, [1]),
  ],
)
def test_chunks_follow_each_other(frames, limit, ends):
  chunks = streams.chunks(frames, limit)
  assert [chunk[-1] + 1 for chunk in chunks] == ends
  assert [t for chunk in chunks for t in chunk] == list(range(frames))


def test_long_videos_are_split():
  found = streams.make_streams([range(0, 11)], 1, max_frames=4)
  np.testing.assert_array_equal(np.flatnonzero(found.is_first_frame), [0, 4, 8])
  np.testing.assert_array_equal(found.index[:, 0], range(11))

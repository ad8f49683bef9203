"""Tests of video files, with clips that are made here."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tasks.prediction import image_files, video_file


def _frame(number, size=(48, 64)):
  """A square that moves over a gray ground, in a colour with all channels."""
  frame = np.full([*size, 3], 90, np.uint8)
  frame[8:24, 4 * number : 4 * number + 16] = (220, 120, 30)
  return frame


def _save(path, count=6, size=(48, 64)):
  frames = [_frame(number, size) for number in range(count)]
  video_file.save(path, frames, rate=12.5)
  return np.array(frames)


def _close(found, expected):
  assert np.abs(np.array(found, int) - expected).mean() < 6


def test_frames_come_one_by_one_as_they_were_written(tmp_path):
  path = tmp_path / 'new' / 'clip.mp4'
  frames = _save(path)
  assert [p.name for p in path.parent.iterdir()] == ['clip.mp4']
  reader = video_file.Reader(path)
  assert reader.size == (48, 64) and reader.rate == 12.5
  assert reader.count() == 6
  for _ in range(2):
    found = list(reader)
    assert found[0].dtype == np.uint8
    _close(found, frames)
  # A clip without end needs no more memory: frames are read when asked for.
  some = list(itertools.islice(iter(reader), 2))
  _close(some, frames[:2])


def test_sides_of_odd_numbers_and_other_formats(tmp_path):
  frames = _save(tmp_path / 'odd.mp4', size=(47, 63))
  (first, *_) = video_file.Reader(tmp_path / 'odd.mp4')
  assert first.shape == (48, 64, 3)  # One more row and column, repeated.
  _close(first[:47, :63], frames[0])
  images = [Image.fromarray(_frame(i)) for i in range(3)]
  images[0].save(
    tmp_path / 'a.gif', save_all=True, append_images=images[1:], duration=100
  )
  reader = video_file.Reader(tmp_path / 'a.gif')
  assert reader.count() == 3
  _close(list(reader), [_frame(i) for i in range(3)])


def test_remote_files(tmp_path):
  frames = _save('ram://videos/clip.mp4')
  assert tf.io.gfile.listdir('ram://videos') == ['clip.mp4']
  reader = video_file.Reader('ram://videos/clip.mp4')
  _close(list(reader), frames)


def test_names():
  assert video_file.is_video('a/B.MP4', of_clip=False)
  assert video_file.is_video('a.gif', of_clip=True)
  assert not video_file.is_video('a.gif', of_clip=False)
  assert not video_file.is_video('mp4', of_clip=True)


@pytest.mark.parametrize('ending', video_file.ENDINGS)
@pytest.mark.parametrize(
  ('content', 'sentence'),
  [
    (b'', 'is an empty file: copy the video again'),
    (b'no video' * 99, 'make frames of it elsewhere, as "ffmpeg -i a.* fr'),
  ],
)
def test_files_that_are_no_videos(tmp_path, capfd, ending, content, sentence):
  path = tmp_path / f'a{ending}'
  path.write_bytes(content)
  with pytest.raises(ValueError, match=sentence) as error:
    video_file.Reader(path)
  assert '\n' not in str(error.value) and str(path) in str(error.value)
  assert capfd.readouterr().err == ''


def test_videos_cut_short(tmp_path, capfd):
  path = tmp_path / 'clip.mp4'
  _save(path, count=30)
  whole = path.read_bytes()
  path.write_bytes(whole[: len(whole) // 2])  # Its index is at the end.
  with pytest.raises(ValueError, match='is broken or of an unknown format'):
    video_file.Reader(path)
  assert capfd.readouterr().err == ''


def test_missing_videos(tmp_path):
  with pytest.raises(FileNotFoundError, match='there is no video at'):
    video_file.Reader(tmp_path / 'a.mp4')
  with pytest.raises(ValueError, match='a.mp4 is a video: give its frames'):
    (tmp_path / 'a.mp4').write_bytes(b'1')
    image_files.as_array(tmp_path / 'a.mp4', 'the image')


def test_what_cannot_be_written_leaves_nothing(tmp_path):
  with pytest.raises(ValueError, match='does not end in .mp4'):
    video_file.Writer(tmp_path / 'a.avi')
  path = tmp_path / 'a.mp4'
  path.write_bytes(b'before')
  with pytest.raises(ValueError, match='48x64 pixels, but the first has'):
    video_file.save(path, [_frame(0, (20, 64)), _frame(0)])
  assert path.read_bytes() == b'before'
  assert [p.name for p in tmp_path.iterdir()] == ['a.mp4']

"""What the video metrics have in common: no TensorFlow, flat memory."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from metrics import clips, j_and_f, stq, tubes, vpq

SPACE = tubes.LabelSpace(num_classes=2, things=(1,), void=9, label_divisor=100)
METRICS = {
  'unsupervised': lambda: j_and_f.JAndF('unsupervised'),
  'semi-supervised': lambda: j_and_f.JAndF('semi-supervised'),
  'stq': lambda: stq.SegmentationTrackingQuality(SPACE),
  'vpq': lambda: vpq.VideoPanopticQuality(SPACE),
}


@pytest.mark.parametrize('name', METRICS)
def test_no_frames_are_kept(name):
  metric, size = METRICS[name](), {}
  for t in range(41):
    ids = np.zeros([256, 256], np.uint8)
    ids[t : t + 90, 20:110], ids[200:, t : t + 90] = 1, 2
    if name in ('stq', 'vpq'):
      ids += 100 * (ids > 0).astype(np.uint8)
    metric.update(ids, np.roll(ids, 3, 1), 'a')
    size[t] = len(pickle.dumps(metric))
  # Thirty frames need less than the half of one map.
  assert size[40] - size[10] < 256 * 256 / 2
  metric.result()


def test_metrics_need_no_tensorflow():
  code = 'import sys, metrics.video_files; print("tensorflow" in sys.modules)'
  root = clips.__file__.rsplit('metrics', 1)[0]
  done = subprocess.run(
    [sys.executable, '-c', code],
    capture_output=True,
    text=True,
    cwd=root,
    check=True,
  )
  assert done.stdout.strip() == 'False'

"""Memory and speed of a long stream.

  python -m benchmarks.streaming_benchmark

Streams one procedural video through an untrained network, scores every frame
(STQ and VPQ), and prints the memory of the process and the speed as it goes.
The number of traces must stay 1, and memory must not grow with the frames.
"""

import os
import time

import numpy as np
import tensorflow as tf
from absl import app, flags

from configs import base, moving_shapes
from tasks import videos

_FRAMES = flags.DEFINE_integer('frames', 1000, 'Of the video.', lower_bound=2)
_EVERY = flags.DEFINE_integer('every', 100, 'Frames a line.', lower_bound=1)
_WHOLE = flags.DEFINE_bool(
  'whole', False, 'The network of moving_shapes, not one that is smaller yet.'
)


def experiment(frames: int, whole: bool) -> base.Experiment:
  """`moving_shapes` with one long video, in which objects come and go."""
  config = moving_shapes.moving_shapes()
  config.evaluation.batch_size = 1
  scenes = config.data.moving_shapes
  scenes.frames, scenes.eval_examples = frames, 1
  # On straight lines they pass within some frames: many of them, slowly.
  scenes.min_speed, scenes.max_speed = 0.0, 4 / frames
  if not whole:
    encoder, decoder = config.model.encoder, config.model.decoder
    encoder.resnet.width_multiplier = 0.125
    encoder.dim = decoder.transformer_dim = 16
    encoder.num_layers = decoder.transformer_layers = 1
    encoder.mlp_dim = 32
    decoder.dim = 8
    config.evaluation.sampler.steps = 2
    config.evaluation.video.first_frame_steps = 4
  return config


def memory() -> float:
  """Resident memory of this process, in MB."""
  with open('/proc/self/statm') as file:
    return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6


def main(argv) -> None:
  del argv
  task = videos.VideoTask(experiment(_FRAMES.value, _WHOLE.value))
  model = task.build_model()
  traces = []

  def step(batch, state):
    traces.append(1)
    return task.predict_step(model, batch, state)

  step = tf.function(step, autograph=False)
  state = task.initial_state(1, tf.constant(0, tf.int64))
  scorer = task.new_scorer()
  seen = []
  print(f'{"frames":>8}{"MB":>10}{"ms/frame":>12}{"traces":>8}')
  start = time.monotonic()
  for t, batch in enumerate(task.eval_dataset(), start=1):
    outputs, state = step(batch, state)
    outputs = {name: value.numpy() for name, value in outputs.items()}
    del outputs['valid']
    scorer.update(outputs)
    if t % _EVERY.value == 0:
      now = time.monotonic()
      speed = 1e3 * (now - start) / _EVERY.value
      seen.append(memory())
      print(f'{t:8}{seen[-1]:10.1f}{speed:12.1f}{len(traces):8}', flush=True)
      start = now
  # What is allocated once is there after the first lines.
  growth = np.ptp(seen[len(seen) // 3 :]) if len(seen) > 2 else 0.0
  print(
    f'{int(scorer.result()["frames"])} frames; memory varied by '
    f'{growth:.1f} MB over the last two thirds'
  )


if __name__ == '__main__':
  app.run(main)

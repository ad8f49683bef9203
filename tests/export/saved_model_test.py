"""Tests of the SavedModel."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

from data import dataset, registry, transforms
from export import saved_model
from models import pix2seq_d
from panoptic import classes as classes_lib
from panoptic import decode, png
from tasks import class_file, images, scorer, videos
from tasks.prediction import predict

# Knows nothing of this project.
_CLIENT = """
import importlib.util, sys
import numpy as np
import tensorflow as tf

assert not importlib.util.find_spec('panoptic')
folder, inputs, outputs = sys.argv[1:]
served = tf.saved_model.load(folder)
segment, sample = (served.signatures[n] for n in ('serving_default', 'sample'))
found = {'classes': open(served.classes.asset_path.numpy()).read()}
for i, image in enumerate(np.load(inputs).values()):
  image = tf.constant(image[None])
  numbers = {'index': tf.constant([i], tf.int64)}
  seeds, steps = tf.constant([0, 5], tf.int64), tf.constant(2)
  answers = {
    'listed': sample(image=image, seed=seeds[0], steps=steps, **numbers)
  }
  if i == 0:
    answers['alone'] = segment(image=image)
    answers['longer'] = sample(
      image=image, seed=seeds[1], steps=tf.constant(4), **numbers
    )
  for name, answer in answers.items():
    for key, value in answer.items():
      found[f'{name}/{i}/{key}'] = value.numpy()
try:
  sample(image=image, seed=seeds[0], steps=tf.constant(0), **numbers)
except tf.errors.InvalidArgumentError as error:
  found['error'] = error.message
np.savez(outputs, **found)
"""


@pytest.fixture
def config():
  return tiny.experiment(evaluation__min_segment_pixels=4)


def _start_client(folder, inputs, outputs):
  environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
  subprocess.run(
    [sys.executable, '-I', '-c', _CLIENT, folder, inputs, outputs],
    check=True,
    cwd=inputs.parent,
    env=environment,
  )
  return np.load(outputs)


@pytest.mark.slow
@pytest.mark.rewritten  # As in the process that serves.
def test_it_answers_as_predict_does(config, tmp_path, monkeypatch):
  monkeypatch.setattr(
    images.ImageTask, 'build_model', lambda self: tiny.build(seed=9)
  )
  prefix = tf.train.Checkpoint(model=tiny.build(seed=3)).write(
    str(tmp_path / 'run/ckpt')
  )
  class_file.save(registry.class_table(config.data), str(tmp_path / 'run'))
  random = np.random.default_rng(0)
  folder = tmp_path / 'images'
  folder.mkdir()
  sizes = {'a': (50, 20), 'b': (32, 32)}
  pictures = {
    name: random.integers(0, 256, [*size, 3], dtype=np.uint8)
    for name, size in sizes.items()
  }
  for name, image in pictures.items():
    Image.fromarray(image).save(folder / f'{name}.png')
  np.savez(tmp_path / 'inputs.npz', **pictures)
  out, target = tmp_path / 'out', tmp_path / 'served/1'
  predict.run(config, str(folder), str(out), prefix)
  saved_model.run(config, prefix, str(target))
  with pytest.raises(FileExistsError, match='1 is not empty'):
    saved_model.run(config, prefix, str(target))
  found = _start_client(
    target, tmp_path / 'inputs.npz', tmp_path / 'outputs.npz'
  )

  table = classes_lib.ClassTable.from_json(str(found['classes']))
  assert table.categories == registry.class_table(config.data).categories
  listed = json.loads((out / 'panoptic.json').read_text())['annotations']
  for i, (name, annotation) in enumerate(zip(sizes, listed, strict=True)):
    ids = png.read_ids(out / f'panoptic/{name}.png', png.COCO)
    class_ids = np.zeros_like(ids)
    for segment in annotation['segments_info']:
      class_ids[ids == segment['id']] = segment['category_id']
    assert class_ids.any()
    expected = {'class_ids': class_ids, 'instance_ids': ids}
    for key, map_ in expected.items():
      np.testing.assert_array_equal(found[f'listed/{i}/{key}'], [map_])
      if i == 0:  # An image by itself is the first one.
        np.testing.assert_array_equal(found[f'alone/0/{key}'], [map_])
        assert np.any(found[f'longer/0/{key}'] != map_)
  assert 'steps must be 1 or more' in str(found['error'])


def test_one_answer_is_exported(tmp_path):
  config = tiny.experiment(evaluation__samples=3)
  with pytest.raises(ValueError, match='samples is 3, but a SavedModel gives'):
    saved_model.run(config, None, str(tmp_path / 'served'))
  assert not (tmp_path / 'served').exists()


def _clip_task(**changes):
  return videos.VideoTask(
    tiny.experiment(
      task='video', model__past_masks=2, data__name='moving_shapes', **changes
    )
  )


@pytest.mark.slow
def test_a_clip_carries_its_state():
  task = _clip_task(evaluation__segments_by='class_and_id')
  config = task.config
  model, classes = tiny.build(past_masks=2), registry.class_table(config.data)
  functions = saved_model.signatures(task, model, classes)
  random = np.random.default_rng(0)
  start = tf.constant(config.evaluation.seed, tf.int64)
  state, past_masks = task.initial_state(1, start), None
  for i in range(3):
    image = random.integers(0, 256, [40, 30, 3], dtype=np.uint8)
    resized, resized_size = transforms.eval_transform(
      dataset.DecodedExample(image), config.model.image_size
    )
    batch = task.batch_of_images(resized[None], tf.constant([i], tf.int64))
    label_map, state = task.predict_label_map(model, batch, state)
    expected = decode.decode(
      label_map[0].numpy(),
      resized_size.numpy(),
      image.shape[:2],
      scorer.rule(config),
      classes,
    )
    given = {'image': tf.constant(image[None])}
    if i == 0:
      found = functions['serving_default'](**given)
    else:
      given |= {'frame': tf.constant([i], tf.int64), 'past_masks': past_masks}
      found = functions['next_frame'](**given)
    np.testing.assert_array_equal(found['instance_ids'], [expected.segment_ids])
    past_masks = found['past_masks']
    np.testing.assert_array_equal(past_masks, state['past_masks'])
  sampled = functions['sample'](
    **given, seed=start, steps=tf.constant(config.evaluation.sampler.steps)
  )
  for name, value in found.items():
    np.testing.assert_array_equal(sampled[name], value)


@pytest.mark.slow
def test_first_frames_of_clips_have_their_own_steps(monkeypatch):
  def sample(model, encoded, noise, sampler, past_masks, *, steps, seeds):
    steps = sampler.steps if steps is None else steps
    x_0 = tf.cast(steps, tf.float32) - 2.5
    return tf.fill([tf.shape(seeds)[0], 16, 16, 8], x_0)

  monkeypatch.setattr(pix2seq_d.Pix2SeqD, 'sample', sample)
  task = _clip_task(evaluation__video__first_frame_steps=3)
  functions = saved_model.signatures(
    task,
    tiny.build(past_masks=2),
    registry.class_table(task.config.data),
  )
  image = tf.zeros([2, 40, 30, 3], tf.uint8)
  state = {
    'frame': tf.constant([0, 1], tf.int64),
    'past_masks': tf.zeros([2, 2, 16, 16, 2], tf.int32),
  }
  found = functions['serving_default'](image=image)
  assert tf.reduce_all(found['instance_ids'] > 0)
  found = functions['next_frame'](image=image, **state)
  assert tf.reduce_all(found['instance_ids'][0] > 0)
  assert not tf.reduce_any(found['instance_ids'][1] > 0)
  seed, steps = tf.constant(0, tf.int64), tf.constant(4)
  found = functions['sample'](image=image, seed=seed, steps=steps, **state)
  assert tf.reduce_all(found['instance_ids'] > 0)

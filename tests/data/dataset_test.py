"""Tests that read and procedural sets follow the same protocol."""

import numpy as np
import pytest
import tensorflow as tf
import trees

from configs import base
from data import dataset as dataset_lib
from data.datasets import moving_shapes, shapes


def _folder(tmp_path):
  trees.coco(tmp_path, count=6, videos=True)
  return trees.opened(tmp_path)


def _shapes(tmp_path):
  del tmp_path
  return shapes.Shapes(base.Shapes(size=32, train_examples=6), 'train')


def _moving_shapes(tmp_path):
  del tmp_path
  config = base.MovingShapes(size=32, frames=3, train_examples=2)
  return moving_shapes.MovingShapes(config, 'train')


@pytest.mark.parametrize('make', [_folder, _shapes, _moving_shapes])
def test_lazy_examples_are_the_examples(tmp_path, make):
  dataset: dataset_lib.Dataset = make(tmp_path)
  past_frames = (-2, -1) if dataset.sequences else ()
  indices = tf.constant([5, 2], tf.int64)
  loaded = tf.data.Dataset.from_tensors(indices).map(
    lambda indices: dataset.load(indices, past_frames)
  )
  for index, row in zip((5, 2), loaded.unbatch(), strict=True):
    lazy = dataset.lazy_example(dataset.read(row, past_frames))
    expected = dataset.example(tf.constant(index, tf.int64))
    height, width = lazy.size.numpy()
    assert lazy.frame == (index % 3 if dataset.sequences else 0)
    part, window = lazy.image(tf.constant([1, 2, 5, 7]))
    first, size = np.split(window.numpy(), 2)
    assert (first <= (1, 2)).all() and (first + size >= (6, 9)).all()
    np.testing.assert_array_equal(
      part,
      expected['image'][first[0] :, first[1] :][: size[0], : size[1]],
    )
    assert expected['image'].shape == (height, width, 3)
    rows, columns = tf.constant([0, 9, 9, 22]), tf.constant([4, 21])
    for offset in (*past_frames, 0):
      label_map = dataset.example(tf.constant(index + offset, tf.int64))[
        'label_map'
      ].numpy()
      np.testing.assert_array_equal(
        lazy.label_map(rows, columns, offset),
        label_map[rows.numpy()][:, columns.numpy()],
      )
    # The host sees the same.
    image_id = dataset.image_ids[index]
    np.testing.assert_array_equal(dataset.image(image_id), expected['image'])
    truth = dataset.ground_truth(image_id)
    assert truth.segment_ids.shape == (height, width)


def test_a_decoded_example_knows_its_size_while_the_graph_is_made():
  sizes = []

  @tf.function(input_signature=[tf.TensorSpec([4, 6, 3], tf.uint8)])
  def known(image):
    example = dataset_lib.DecodedExample(image)
    sizes.append(tf.get_static_value(example.size))
    return example.size

  @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
  def unknown(image):
    example = dataset_lib.DecodedExample(image)
    sizes.append(tf.get_static_value(example.size))
    return example.size

  image = tf.zeros([4, 6, 3], tf.uint8)
  assert known(image).numpy().tolist() == unknown(image).numpy().tolist()
  assert sizes[0].tolist() == [4, 6] and sizes[1] is None

"""Tests of the task of images: scores, predictions, drawings."""

import json

import corrupt
import numpy as np
import pytest
import shared
import tensorflow as tf
import tiny
import trees

from metrics import panoptic_files
from models import checkpoints, pix2seq_d
from panoptic import classes as classes_lib
from tasks import class_file, images


def _outputs(task, image_id, label_map):
  """A row of `predict_step` with a map, or several, of the image's size."""
  return {
    'label_map': label_map[None],
    'image_id': np.array([image_id]),
    'original_size': np.array([label_map.shape[-3:-1]]),
    # All of the input is image.
    'resized_size': np.array([task.config.model.image_size]),
  }


def _truth(task, index):
  return task.eval_set.example(tf.constant(index, tf.int64))[
    'label_map'
  ].numpy()


def _score(task, change=lambda label_map: label_map):
  scorer = task.new_scorer()
  for index, image_id in enumerate(task.eval_set.image_ids):
    scorer.update(_outputs(task, image_id, change(_truth(task, index))))
  return scorer.result()


def _coco(tmp_path):
  folder = shared.path('data', 'coco_panoptic_mini')
  config = tiny.experiment(
    model__num_classes=134,
    model__bits=8,
    data__name='coco_panoptic',
    data__dir=str(folder),
    data__eval_split='val2017',
    evaluation__write_results=True,
  )
  return folder, images.ImageTask(config, str(tmp_path))


def test_perfect_scenes_score_100():
  task = images.ImageTask(tiny.experiment())
  scores = _score(task)
  assert scores['PQ'] == scores['SQ'] == scores['RQ'] == 100
  assert scores['PQ_things'] == scores['PQ_stuff'] == 100
  assert scores['images'] == 6
  # Whatever the ids are called.
  permuted = _score(
    task, lambda x: np.stack([x[..., 0], (5 * x[..., 1]) % 101], -1)
  )
  assert permuted == scores


def _one_id(label_map):
  """The same id everywhere."""
  return np.stack([label_map[..., 0], np.minimum(label_map[..., 1], 1)], -1)


def test_ids_that_classes_share():
  # Scenes with one thing need no ids.
  task, _ = _task(data__shapes__max_objects=1)
  assert _score(task, _one_id)['PQ'] < 60
  task.config.evaluation.segments_by = 'class_and_id'
  assert _score(task, _one_id)['PQ'] == pytest.approx(100)


def test_wrong_scenes_score_less():
  task = images.ImageTask(tiny.experiment())
  assert _score(task, np.zeros_like)['PQ'] == 0
  assert 0 < _score(task, lambda x: np.roll(x, 2, axis=1))['PQ'] < 95
  # Small segments are dropped, and missed.
  task.config.evaluation.min_segment_pixels = 200
  assert _score(task)['PQ_things'] < 50


def test_perfect_coco_scores_100_and_so_do_its_files(tmp_path):
  folder, task = _coco(tmp_path)
  scores = _score(task)
  assert scores['PQ'] == scores['PQ_things'] == scores['PQ_stuff'] == 100
  assert scores['images'] == len(list((folder / 'val2017').iterdir()))


def test_result_files_have_the_same_score(tmp_path):
  folder, task = _coco(tmp_path)
  scores = _score(task, lambda x: np.roll(x, 9, axis=0))
  assert 5 < scores['PQ'] < 95
  annotations = folder / 'annotations'
  result = panoptic_files.score(
    annotations / 'panoptic_val2017.json',
    annotations / 'panoptic_val2017',
    tmp_path / 'panoptic.json',
    tmp_path / 'panoptic',
  )
  for group, suffix in (
    ('All', ''),
    ('Things', '_things'),
    ('Stuff', '_stuff'),
  ):
    for name in ('pq', 'sq', 'rq'):
      assert scores[name.upper() + suffix] == pytest.approx(
        100 * result[group][name], abs=1e-9
      )


def test_result_files_of_scenes(tmp_path):
  config = tiny.experiment(evaluation__write_results=True)
  _score(images.ImageTask(config, str(tmp_path)))
  content = json.loads((tmp_path / 'panoptic.json').read_text())
  assert [a['image_id'] for a in content['annotations']] == list(range(6))
  assert len(list((tmp_path / 'panoptic').glob('*.png'))) == 6


def test_of_several_answers_the_medoid_is_scored(tmp_path):
  config = tiny.experiment(
    evaluation__write_results=True,
    evaluation__samples=3,
    data__shapes__max_objects=1,
  )
  # The truth is the second of three answers, and the third is close to it.
  task = images.ImageTask(config, str(tmp_path))

  def of_three(truth):
    close = truth.copy()
    close[:2, :2] = 0
    return np.stack([np.roll(truth, 11, axis=1), truth, close])

  assert _score(task, of_three)['PQ'] == 100
  content = json.loads((tmp_path / 'panoptic.json').read_text())
  scores = [
    segment['score']
    for annotation in content['annotations']
    for segment in annotation['segments_info']
  ]
  assert all(0.4 < score <= 1 for score in scores)
  # All segments are doubtful.
  config.evaluation.min_segment_score = 0.999
  assert _score(images.ImageTask(config), of_three)['PQ'] < 30


def test_no_files_unless_asked_for(tmp_path):
  _score(images.ImageTask(tiny.experiment(), str(tmp_path)))
  assert [path.name for path in tmp_path.iterdir()] == ['per_class.json']


def test_model_of_too_few_classes():
  task = images.ImageTask(tiny.experiment(model__num_classes=6))
  for split in ('train', 'validation'):
    with pytest.raises(
      ValueError, match='num_classes is 6, .* has 7 with void'
    ):
      task.dataset(split)


def _two_splits(tmp_path, change, **changes):
  """A set whose second split has other categories."""
  for split in ('train', 'val'):
    trees.coco(tmp_path, split)
  corrupt.edit(
    'annotations/panoptic_val.json', lambda c: change(c['categories'])
  )(tmp_path)
  config = tiny.experiment(
    data__name='panoptic_folder',
    data__dir=str(tmp_path),
    data__eval_split='val',
    **changes,
  )
  return config


def test_the_training_split_decides_on_the_order_of_classes(tmp_path):
  task = images.ImageTask(_two_splits(tmp_path, lambda c: c.reverse()))
  train = task.dataset('train')
  assert task.eval_set.classes.categories == train.classes.categories
  scorer = task.new_scorer()
  for i, image_id in enumerate(train.image_ids):
    predicted = train.example(tf.constant(i, tf.int64))['label_map'].numpy()
    scorer.update(_outputs(task, image_id, predicted))
  assert scorer.result()['PQ'] == 100


def test_the_run_decides_on_the_order_of_classes(tmp_path):
  config = _two_splits(tmp_path, lambda c: c.reverse())
  alone = images.ImageTask(config)
  own = alone.eval_set.classes  # Evaluated alone, the split's own.
  assert [category.id for category in own.categories] == [187, 1]
  of_run = alone.dataset('train').classes
  assert of_run is own
  task = images.ImageTask(config, classes=own)
  assert task.dataset('train').classes.categories == own.categories
  task.save_description(str(tmp_path))
  saved = class_file.load(str(tmp_path))
  assert saved and saved.categories == own.categories


def test_other_classes_are_refused(tmp_path):
  config = _two_splits(tmp_path, lambda c: c[0].update(name='man'))
  task = images.ImageTask(config)
  of_train = task.dataset('train').classes
  with pytest.raises(ValueError, match='^val of .* other classes than train: '):
    task.dataset('val')
  task = images.ImageTask(config, classes=of_train)
  with pytest.raises(
    ValueError, match="^val of .* than the run's classes.json"
  ):
    task.dataset('val')
  config.model.num_classes = 1  # Then there is nothing but ids.
  corrupt.edit(
    'annotations/panoptic_train.json',
    lambda c: (
      c['categories'].pop(),
      [
        segment.update(category_id=1)
        for annotation in c['annotations']
        for segment in annotation['segments_info']
      ],
    ),
  )(tmp_path)
  task = images.ImageTask(config, classes=classes_lib.ClassTable([]))
  assert task.dataset('train').classes.categories[0].name == 'person'


@pytest.mark.parametrize(
  ('change', 'sentence'),
  [
    (lambda c: c[1:], 'validation of shapes has other classes .* is new'),
    (lambda c: c[::-1], 'but validation of shapes is rendered with'),
  ],
)
def test_rendered_sets_have_the_classes_of_the_run(change, sentence):
  own = images.ImageTask(tiny.experiment()).eval_set.classes.categories
  for categories in (own, change(own)):
    table = classes_lib.ClassTable(categories)
    task = images.ImageTask(tiny.experiment(), classes=table)
    if categories is own:
      assert task.eval_set.num_examples == 6
      continue
    with pytest.raises(ValueError, match=sentence):
      task.dataset('validation')


# ---- With a network. ----


def _task(**changes):
  task = images.ImageTask(tiny.experiment(**changes))
  return task, tiny.build()


def _predict(task, model, **function):
  """All predictions; arguments of `tf.function`, if it is to be one."""
  predict_step = task.predict_step
  if function:
    predict_step = tf.function(predict_step, **function)
  seed = tf.constant(task.config.evaluation.seed, tf.int64)
  state = task.initial_state(task.config.evaluation.batch_size, seed)
  batches = []
  for batch in task.eval_dataset():
    outputs, state = predict_step(model, batch, state)
    batches.append(outputs)
  return {
    name: np.concatenate([batch[name] for batch in batches])
    for name in batches[0]
  }


@pytest.mark.slow
def test_predictions_are_of_every_example_once():
  task, model = _task()
  outputs = _predict(task, model, autograph=False)
  assert outputs['valid'].tolist() == [True] * 6 + [False] * 2
  assert outputs['image_id'].tolist() == [0, 1, 2, 3, 4, 5, -1, -1]
  label_map = outputs['label_map']
  assert label_map.shape == (8, 16, 16, 2) and label_map.dtype == np.int32
  assert label_map[..., 0].max() <= 6 and label_map[..., 1].max() <= 7
  assert label_map.min() == 0
  np.testing.assert_array_equal(outputs['original_size'], [[32, 32]] * 8)
  valid = outputs.pop('valid')
  scorer = task.new_scorer()
  scorer.update({name: value[valid] for name, value in outputs.items()})
  assert 0 <= scorer.result()['PQ'] < 100
  assert scorer.result()['images'] == 6


@pytest.mark.slow
def test_several_answers_of_every_example():
  task, model = _task(evaluation__samples=3, evaluation__batch_size=3)
  outputs = _predict(task, model)
  valid = outputs.pop('valid')
  assert valid.tolist() == [True] * 6
  assert outputs['label_map'].shape == (6, 3, 16, 16, 2)
  scorer = task.new_scorer()
  scorer.update(outputs)
  assert scorer.result()['images'] == 6
  task.config.evaluation.samples = 1
  single = _predict(task, model)['label_map']
  assert np.mean(np.all(outputs['label_map'][:, 0] == single, -1)) > 0.995


@pytest.mark.slow
def test_prediction_does_not_depend_on_the_batch():
  task, model = _task(evaluation__sampler__name='ddpm_small')
  together = _predict(task, model)['label_map'][:6]
  task.config.evaluation.batch_size = 1
  alone = _predict(task, model)['label_map']
  assert np.mean(np.all(together == alone, axis=-1)) > 0.995
  task.config.evaluation.seed = 1
  other = _predict(task, model)['label_map']
  assert np.mean(np.all(other == alone, axis=-1)) < 0.9


@pytest.mark.slow
def test_xla_predicts_the_same():
  task, model = _task(evaluation__sampler__name='ddpm_small')
  plain = _predict(task, model, autograph=False)
  compiled = _predict(task, model, autograph=False, jit_compile=True)
  for name in ('image_id', 'valid', 'original_size', 'resized_size'):
    np.testing.assert_array_equal(plain[name], compiled[name])
  equal = np.all(plain['label_map'] == compiled['label_map'], axis=-1)
  assert np.mean(equal[:6]) > 0.995


def test_loss_has_the_parts_that_it_names():
  task, model = _task()
  batch = next(iter(task.train_dataset(0)))
  assert batch['label_map'][..., 1].numpy().max() <= 7
  loss, parts = task.loss(model, batch)
  assert set(parts) == set(task.loss_names)
  assert np.isfinite(loss)


@pytest.mark.slow
def test_loss_of_parts_is_that_of_the_whole():
  """Noise and dropout go with an example, into whatever part it comes."""
  task = images.ImageTask(tiny.experiment(training__batch_size=6))
  model = tiny.build(copy=1, decoder__dropout=0.3)
  model.freeze_encoder()  # Or its batch norm would see other batches.
  batch = next(iter(task.train_dataset(0)))
  whole, _ = task.loss(model, batch)
  parts = [
    task.loss(model, {name: rows[part] for name, rows in batch.items()})[0]
    for part in (slice(0, 2), slice(2, 3), slice(3, 6))
  ]
  mean = np.dot([2, 1, 3], parts) / 6
  assert float(whole) == pytest.approx(mean, rel=1e-5)
  # And there is dropout.
  again = tiny.build(copy=2)
  again.freeze_encoder()
  assert float(task.loss(again, batch)[0]) != pytest.approx(mean, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
  'examples, compiled',
  [
    (None, False),
    (3, False),
    pytest.param(3, True, marks=pytest.mark.slow),
  ],
)
def test_drawings(examples, compiled, one_device):
  task, model = _task(
    evaluation__num_visualized=5,
    data__eval_examples=examples,
    training__jit_compile=compiled,
  )
  drawings = task.visualize(model, one_device)
  assert set(drawings) == {'predictions', 'trajectory'}
  rows = examples or 5
  predictions = drawings['predictions']
  assert predictions.dtype == np.uint8
  _assert_sheet(predictions, rows)
  # The image, and the prediction after 1 and 2 steps.
  _assert_sheet(drawings['trajectory'], min(rows, 4))
  task.config.evaluation.visualized_ids = ('4', '1')
  _assert_sheet(task.visualize(model, one_device)['predictions'], 2)


def test_examples_to_draw_are_chosen_by_their_ids():
  config = tiny.experiment(evaluation__visualized_ids=('4', '000000000001'))
  assert images.ImageTask(config)._visualized().tolist() == [4, 1]
  config.evaluation.visualized_ids = ('6',)
  task = images.ImageTask(config)
  task.dataset('train')  # That has another image 6.
  with pytest.raises(ValueError, match="validation has no image '6': the fir"):
    task.dataset('validation')


def _assert_sheet(drawing, rows):
  """Three columns of 32x32, enlarged, between titles and a legend."""
  assert drawing.shape[1:] == (3 * 132 - 4, 3)
  assert 30 < drawing.shape[0] - (rows * 132 - 4) < 120


@pytest.mark.slow
def test_drawings_are_compiled_in_each_replica(two_cpus):
  task, _ = _task(evaluation__num_visualized=1, training__jit_compile=True)
  with two_cpus.scope():
    model = tiny.build(copy=3)  # The others have no variables on each device.
  assert set(task.visualize(model, two_cpus)) == {'predictions', 'trajectory'}


def test_no_drawings(one_device):
  task, model = _task(evaluation__num_visualized=0)
  assert task.visualize(model, one_device) == {}


@pytest.mark.slow
def test_first_weights_follow_the_seed():
  def weights(seed):
    config = tiny.experiment(training__seed=seed)
    return images.ImageTask(config).build_model().get_weights()

  first = weights(0)
  for a, b in zip(first, weights(0), strict=True):
    np.testing.assert_array_equal(a, b)
  # Biases, gains and moving statistics are the same everywhere in a weight.
  drawn = [i for i, value in enumerate(first) if np.ptp(value)]
  assert len(drawn) > 50
  other = weights(1)
  assert all(np.any(first[i] != other[i]) for i in drawn)
  # Alike weights do not start alike.
  assert len({first[i].tobytes() for i in drawn}) == len(drawn)


def test_model_starts_from_checkpoints_and_may_freeze_the_encoder(tmp_path):
  source = tiny.build(seed=5)
  prefix = tf.train.Checkpoint(model=source).write(str(tmp_path / 'ckpt'))
  config = tiny.experiment(
    training__freeze_encoder=True, training__init_checkpoint=(prefix,)
  )
  task = images.ImageTask(config)
  model = task.build_model()
  assert isinstance(model, pix2seq_d.Pix2SeqD)
  assert not model.encoder.trainable_variables
  assert model.decoder.trainable_variables
  assert 'weights loaded' in str(task.initialize(model))
  expected = checkpoints.named_weights(source)
  for name, weight in checkpoints.named_weights(model).items():
    np.testing.assert_array_equal(weight, expected[name])

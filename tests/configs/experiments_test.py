import json

import numpy as np
import pytest
import tensorflow as tf
import tiny
import trees
from PIL import Image

from configs import loading
from models import pix2seq_d
from tasks import factory
from training import state as state_lib
from training import trainer as trainer_lib
from training import validation

_NAMES = loading.names()


def _coco_folder(root):
  """Three images of 40x60 with two things and a sky, in COCO's format."""
  categories = [
    {'id': 1, 'name': 'person', 'isthing': 1},
    {'id': 187, 'name': 'sky-other-merged', 'isthing': 0},
  ]
  random = np.random.default_rng(0)
  for split in ('train2017', 'val2017'):
    content = {'images': [], 'annotations': [], 'categories': categories}
    masks = root / 'annotations' / f'panoptic_{split}'
    masks.mkdir(parents=True)
    (root / split).mkdir()
    for key in range(1, 4):
      pixels = random.integers(0, 256, [40, 60, 3]).astype(np.uint8)
      Image.fromarray(pixels).save(root / split / f'{key}.jpg')
      ids = np.full([40, 60, 3], [7, 0, 0], np.uint8)
      ids[10:30, 5:20] = 8, 0, 0
      ids[12:40, 30:50] = 9, 1, 0
      Image.fromarray(ids).save(masks / f'{key}.png')
      content['images'].append(
        {'id': key, 'file_name': f'{key}.jpg', 'height': 40, 'width': 60}
      )
      segments = ((7, 187, 1540), (8, 1, 300), (9 + 256, 1, 560))
      content['annotations'].append(
        {
          'image_id': key,
          'file_name': f'{key}.png',
          'segments_info': [
            {'id': i, 'category_id': c, 'area': area, 'iscrowd': 0}
            for i, c, area in segments
          ],
        }
      )
    path = root / 'annotations' / f'panoptic_{split}.json'
    path.write_text(json.dumps(content))
  return str(root)


def test_what_is_registered():
  assert _NAMES == [
    'cityscapes_ablation_1024_256',
    'cityscapes_ablation_1024_512',
    'cityscapes_ablation_512_256',
    'cityscapes_ablation_512_512',
    'cityscapes_panoptic',
    'coco_decoder_pretraining',
    'coco_panoptic',
    'coco_panoptic_low_resolution',
    'coco_panoptic_one_gpu',
    'coco_panoptic_small',
    'davis',
    'davis_small',
    'kitti_step',
    'kitti_step_small',
    'moving_shapes',
    'moving_shapes_frames',
    'shapes',
  ]


@pytest.mark.parametrize('name', _NAMES)
def test_experiment_is_valid_at_its_own_size(name):
  config = loading.load(name)
  validation.validate(config)
  pix2seq_d.Pix2SeqD(config.model)


def _small_trees(name, root):
  """Writes a tiny official folder of a data set; returns it."""
  if name == 'coco_panoptic':
    return _coco_folder(root)
  if name == 'kitti_step':
    trees.kitti_step(root, 'train')
    trees.kitti_step(root, 'val', (2, 3))
  if name == 'cityscapes':
    trees.cityscapes(root)
  if name == 'davis':
    trees.davis(root)
  return str(root)


# Scores by small configuration: some experiments differ in their sizes alone.
_SCORES: dict[str, float] = {}


def _step_and_score(config, strategy) -> float:
  task = factory.create(config)
  state = state_lib.build(task, strategy)
  trainer = trainer_lib.Trainer(task, state, strategy)
  trainer.train_loop_begin()
  trainer.train_step(iter(trainer.train_dataset))
  trainer.train_loop_end()
  assert int(state.step) == 1
  assert trainer.first_bad_step() == -1
  assert trainer.output['gradient_norm'] > 0
  predictions = task.initial_state(2, tf.constant(0, tf.int64))
  scorer = task.new_scorer()
  for batch in task.eval_dataset():
    # Two sampling steps take less time than their trace would.
    outputs, predictions = task.predict_step(state.average, batch, predictions)
    outputs = {key: value.numpy() for key, value in outputs.items()}
    valid = outputs.pop('valid')
    scorer.update({key: value[valid] for key, value in outputs.items()})
  return scorer.result()[task.metric]


@pytest.mark.slow
@pytest.mark.parametrize('name', _NAMES)
def test_experiment_makes_a_step_and_a_prediction(name, one_device, tmp_path):
  config = loading.load(name)
  tiny.shrink(config.model)
  config.training.steps, config.optimizer.warmup_steps = 10, 1
  config.training.batch_size = config.evaluation.batch_size = 2
  config.optimizer.accumulation_steps = 1
  config.training.jit_compile = False  # Of its compilation others are tests.
  config.evaluation.sampler.steps = 2
  config.evaluation.video.first_frame_steps = 3
  config.data.shapes.eval_examples = 2
  config.data.moving_shapes.eval_examples = 2
  config.data.moving_shapes.frames = 3
  key = str(config.as_dict())
  if key not in _SCORES:
    config.data.dir = _small_trees(config.data.name, tmp_path)
    validation.validate(config)
    _SCORES[key] = _step_and_score(config, one_device)
  assert 0 <= _SCORES[key] <= 100


@pytest.mark.parametrize(
  ('name', 'image', 'epochs', 'batch', 'rate', 'warmup', 'jitter', 'color'),
  [
    ('coco_decoder_pretraining', 256, 800, 512, 1e-4, 5, (1.0, 3.0), 0.0),
    ('coco_panoptic_low_resolution', 256, 800, 512, 1e-4, 5, (1.0, 3.0), 1.0),
    ('coco_panoptic', 1024, 15, 16, 1e-5, 0, (1.0, 1.0), 0.0),
  ],
)
def test_recipes_of_the_paper(
  name, image, epochs, batch, rate, warmup, jitter, color
):
  config = loading.load(name)
  steps_per_epoch = 118_287 // batch
  model, optimizer = config.model, config.optimizer
  assert model.image_size == (image, image)
  assert model.mask_size == (image // 2, image // 2)
  assert (model.num_classes, model.max_instances, model.bits) == (134, 101, 8)
  assert (model.input_scaling, config.loss.weight_p) == (0.1, 0.2)
  assert model.unconditional == (name == 'coco_decoder_pretraining')
  assert config.training.steps == epochs * steps_per_epoch
  assert config.training.batch_size == batch
  assert optimizer.learning_rate == rate
  assert (optimizer.schedule, optimizer.end_factor) == ('linear', 0.1)
  assert optimizer.warmup_steps == warmup * steps_per_epoch
  assert (optimizer.weight_decay, optimizer.clip_norm) == (0.05, 1.0)
  assert (optimizer.beta_2, optimizer.ema_decay) == (0.999, 0.999)
  assert not optimizer.ema_warmup
  assert config.data.augmentation.scale_jitter == jitter
  assert config.data.augmentation.color_jitter == color
  sampler = config.evaluation.sampler
  assert (sampler.name, sampler.steps, sampler.td) == ('ddim', 20, 2.0)
  assert config.evaluation.min_segment_pixels == 40


@pytest.mark.parametrize(
  ('name', 'image', 'mask', 'epochs'),
  [
    ('cityscapes_panoptic', (1024, 2048), (512, 1024), 800),
    ('cityscapes_ablation_512_256', (512, 1024), (256, 512), 100),
    ('cityscapes_ablation_512_512', (512, 1024), (512, 1024), 100),
    ('cityscapes_ablation_1024_256', (1024, 2048), (256, 512), 100),
    ('cityscapes_ablation_1024_512', (1024, 2048), (512, 1024), 100),
  ],
)
def test_cityscapes_of_the_paper(name, image, mask, epochs):
  config = loading.load(name)
  model, optimizer = config.model, config.optimizer
  assert (model.image_size, model.mask_size) == (image, mask)
  assert (model.input_scaling, config.loss.weight_p) == (0.1, 0.2)
  assert model.num_classes == 20
  assert config.training.batch_size == 16
  assert config.training.steps == epochs * (2975 // 16)
  assert optimizer.learning_rate == 3e-5
  assert optimizer.learning_rate * optimizer.end_factor == pytest.approx(3e-6)
  assert (optimizer.schedule, optimizer.warmup_steps) == ('linear', 0)
  assert optimizer.ema_decay == 0.999
  assert config.data.augmentation.scale_jitter == (1.0, 1.0)
  sampler = config.evaluation.sampler
  assert (sampler.name, sampler.steps, sampler.td) == ('ddim', 20, 1.5)
  assert config.evaluation.min_segment_pixels == 80


@pytest.mark.parametrize(
  ('name', 'image', 'mask', 'classes', 'instances'),
  [
    ('davis', (512, 1024), (256, 512), 1, 16),
    ('kitti_step', (384, 1248), (192, 624), 20, 256),
  ],
)
def test_videos_of_the_paper(name, image, mask, classes, instances):
  config = loading.load(name)
  model, optimizer = config.model, config.optimizer
  assert (config.task, config.data.name) == ('video', name)
  assert (model.image_size, model.mask_size) == (image, mask)
  assert (model.num_classes, model.max_instances) == (classes, instances)
  assert (model.input_scaling, config.loss.weight_p) == (0.1, 0.2)
  assert (model.past_masks, config.data.past_frames) == (2, (-2, -1))
  assert config.data.augmentation.past_mask_dropout == 0.2
  assert config.data.augmentation.scale_jitter == (0.7, 2.0)
  assert (config.training.steps, config.training.batch_size) == (20_000, 32)
  assert (optimizer.learning_rate, optimizer.schedule) == (1e-5, 'constant')
  assert (optimizer.ema_decay, optimizer.warmup_steps) == (0.99, 0)
  sampler, video_settings = config.evaluation.sampler, config.evaluation.video
  assert (sampler.name, sampler.steps, sampler.td) == ('ddim', 10, 1.5)
  davis = name == 'davis'
  assert video_settings.metric == ('j_and_f' if davis else 'stq')
  assert video_settings.max_frames == (0 if davis else 400)
  assert config.evaluation.runs == (50 if davis else 1)

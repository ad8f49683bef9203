import pytest

from configs import base
from training import validation


@pytest.mark.parametrize(
  ('field', 'value', 'sentence'),
  [
    ('training.steps', 0, 'training.steps is 0; it must be at least 1'),
    ('data.eval_examples', 0, 'eval_examples is 0; it must be at least 1'),
    ('model.decoder.head_dim', 0, 'head_dim is 0; it must be at least 1'),
    ('training.batch_size', 6, 'a multiple of 4 = 2 replicas x 2'),
    ('evaluation.batch_size', 0, 'at least 1'),
    ('training.precision', 'fp16', "training.precision is 'fp16'"),
    ('optimizer.schedule', 'step', "'constant', 'linear', 'cosine'"),
    ('optimizer.ema_decay', 1.0, 'below 1'),
    (
      'optimizer.warmup_steps',
      2000,
      'at most training.steps = 1000: set, for .* optimizer.warmup_steps=100',
    ),
    ('loss.schedule.end', 0.0, 'another number than loss.schedule.start'),
    ('loss.schedule.start', 50.0, 'between -40 and 40, 40 times tau'),
    ('model.bits', 6, 'enough to write 133'),
    ('model.conditioning', ('film',), "'concat', 'attention' or"),
    ('evaluation.sampler.name', 'euler', "'ddim'"),
    ('evaluation.sampler.td', -1.0, 'at least 0'),
    ('data.eval_examples', -1, 'or null for all'),
    ('data.past_frames', (-1, -2), 'the oldest frame first'),
    ('data.augmentation.scale_jitter', (2.0, 1.0), 'the smaller first'),
    ('model.image_size', (0, 256), 'image_size is 0; it must be at least 1'),
    ('model.past_masks', -1, 'at least 0'),
    ('evaluation.samples', 0, 'between 1 and 1000'),
    (
      'evaluation.min_segment_score',
      0.5,
      'must be 0 with a single answer.*evaluation.samples=8 too',
    ),
    ('evaluation.min_segment_score', 2.0, 'between 0 and 1'),
    ('optimizer.end_factor', 1.5, 'between 0 and 1'),
    ('optimizer.learning_rate', 0.0, 'above 0'),
  ],
)
def test_validation(field, value, sentence):
  config = base.Experiment()
  config.optimizer.accumulation_steps = 2
  config.loss.schedule.name = 'sigmoid'
  validation.validate(config, num_replicas=2)
  part = config
  *parents, name = field.split('.')
  for parent in parents:
    part = getattr(part, parent)
  # Types and bounds are checked as soon as a field is set.
  with pytest.raises(ValueError, match=f'(?i){sentence}') as error:
    setattr(part, name, value)
    validation.validate(config, num_replicas=2)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('field', 'value', 'sentence'),
  [
    ('model.encoder.resnet.depth', 17, 'resnet.depth is 17; it must be one of'),
    ('model.parameterization', 'w', "'softmax', 'sigmoid', 'x', 'eps'"),
    ('model.image_size', (100, 256), 'image_size'),
    ('model.encoder.feature_dim', 31, 'feature_dim gives 31 channels, which'),
    (
      'model.encoder.resnet.width_multiplier',
      0.9,
      'width_multiplier gives 228 channels, which do not',
    ),
    ('model.encoder.num_heads', 7, 'do not divide into 7 heads'),
  ],
)
def test_parts_of_the_program_know_their_choices_and_sizes(
  field, value, sentence
):
  config = base.Experiment()
  part = config
  *parents, name = field.split('.')
  for parent in parents:
    part = getattr(part, parent)
  setattr(part, name, value)
  with pytest.raises(ValueError, match=sentence) as error:
    validation.validate(config)
  assert '\n' not in str(error.value)

"""DAVIS 2017 unsupervised, as the paper fine-tuned it, and small for a CPU."""

from official.core import exp_factory

from configs import base, recipes


@exp_factory.register_config_factory('davis')
def davis() -> base.Experiment:
  """20k steps at 512x1024, masks 256x512; 50 runs of evaluation.

  Paper: J&F on val with a standard deviation of about 1.5 over 50 runs.
  Hardware and hours: not run. Steps of the sampler and td are those of
  KITTI-STEP (?).
  """
  config = recipes.video_finetuning('davis', (512, 1024), (256, 512))
  config.model.num_classes = 1  # Objects have ids, and no classes.
  config.model.max_instances = 16
  config.evaluation.video.metric = 'j_and_f'
  config.evaluation.runs = 50
  return config


@exp_factory.register_config_factory('davis_small')
def davis_small() -> base.Experiment:
  """A small network at 96x176, masks 48x88, that memorises a few clips.

  J&F 80.9 on the clip it was trained on, after 20 minutes on one core.
  """
  config = recipes.small_video('davis', (96, 176), (48, 88), (1, 1, 2, 2))
  config.model.num_classes = 1
  config.model.max_instances, config.model.bits = 16, 4
  config.evaluation.video.metric = 'j_and_f'
  return config

"""Procedural scenes: the default experiment, which a laptop trains."""

from official.core import exp_factory

from configs import base, recipes


@exp_factory.register_config_factory('shapes')
def shapes() -> base.Experiment:
  """Learns 64x64 scenes from nothing, masks 16x16.

  PQ 75 on the 256 held-out scenes, after 15 minutes on two CPU cores.
  """
  model = recipes.small_model((64, 64), (16, 16), (1, 2, 2))
  model.num_classes, model.max_instances, model.bits = 7, 8, 4
  return base.Experiment(
    model=model,
    data=base.Data(name='shapes'),
    optimizer=recipes.small_optimizer(3e-3),
    training=base.Training(
      steps=5000, batch_size=16, log_every=50, checkpoint_every=1000
    ),
    evaluation=base.Evaluation(
      batch_size=32,
      # Fresh noise at every step corrects errors of the first steps, which are
      # frequent with so few pixels: see docs/experiments.md.
      sampler=base.Sampler(name='ddpm_small', steps=40, td=5.0),
      segments_by='class_and_id',
      min_segment_pixels=40,  # One or two of the mask's pixels are strays.
    ),
  )

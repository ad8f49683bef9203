"""Procedural scenes: the default experiment, which a laptop trains."""

from official.core import exp_factory

from configs import base


@exp_factory.register_config_factory('shapes')
def shapes() -> base.Experiment:
  """Learns 64x64 scenes from nothing on two CPU cores, within minutes."""
  return base.Experiment(
    model=base.Model(
      image_size=(64, 64),
      mask_size=(32, 32),
      num_classes=7,
      max_instances=8,
      bits=4,
      input_scaling=0.4,
      encoder=base.ImageEncoder(
        resnet=base.ResNet(depth=18, width_multiplier=0.25),
        dim=64,
        num_layers=2,
        num_heads=4,
        mlp_dim=256,
        drop_path=0.0,
        drop_units=0.0,
        feature_dim=32,
      ),
      decoder=base.MaskDecoder(
        dim=32,
        transformer_dim=64,
        transformer_layers=2,
        head_dim=16,
      ),
    ),
    data=base.Data(name='shapes'),
    optimizer=base.Optimizer(
      learning_rate=3e-3,
      schedule='cosine',
      end_factor=0.0,
      warmup_steps=100,
      ema_warmup=True,
    ),
    training=base.Training(
      steps=5000, batch_size=16, log_every=50, checkpoint_every=1000
    ),
    evaluation=base.Evaluation(batch_size=32, min_segment_pixels=12),
  )

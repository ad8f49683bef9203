"""Builds models from the golden cases' configurations."""

import json
from typing import Any, Dict, Tuple

import numpy as np
import shared

from configs import base
from models import checkpoints, pix2seq_d


def model_config(name: str, past_masks: int = 0) -> base.Model:
  """The model section of a golden case."""
  raw: Dict[str, Any] = json.loads(
    shared.path('golden', name, 'config.json').read_text()
  )
  m, d = raw['model'], raw.get('decoder')
  config = base.Model(
    image_size=tuple(m['image_size']),
    mask_size=tuple(m.get('msize', [s // 4 for s in m['image_size']])),
    max_instances=256 if past_masks else 101,
    past_masks=past_masks,
    encoder=base.ImageEncoder(
      resnet=base.ResNet(
        depth=m['resnet_depth'],
        variant=m['resnet_variant'],
        width_multiplier=m['resnet_width_multiplier'],
      ),
      dim=m['dim_att'],
      num_layers=m['num_encoder_layers'],
      num_heads=m['num_heads'],
      mlp_dim=m['dim_mlp'],
      drop_path=0.0,
      drop_units=0.0,
      feature_dim=m.get('enc_fuse_dim', 256),
    ),
  )
  if d is not None:
    config.decoder = base.MaskDecoder(
      dim=d['dim'],
      channel_multipliers=tuple(map(int, d['ch_multipliers'].split(','))),
      transformer_dim=d['transformer_dim'],
      transformer_layers=d['transformer_blocks'],
      head_dim=d['per_head_dim'],
    )
  return config


def load(
  name: str, checkpoint: str = 'ckpt', past_masks: int = 0
) -> Tuple[pix2seq_d.Pix2SeqD, checkpoints.Report, Dict[str, np.ndarray]]:
  """A golden case: its model with the weights, their report, its arrays."""
  model = pix2seq_d.Pix2SeqD(model_config(name, past_masks))
  model.build_weights()
  prefix = str(shared.path('golden', name)) + f'/{checkpoint}'
  report = checkpoints.load(model, prefix)
  arrays = np.load(shared.path('golden', name, 'golden.npz'))
  return model, report, dict(arrays)

"""The golden cases: their models, checkpoints and arrays."""

import json
from typing import Any

import numpy as np
import shared
import tiny

from configs import base
from models import pix2seq_d


def model_config(name: str) -> base.Model:
  """The model section of a case."""
  raw: dict[str, Any] = json.loads(
    shared.path('golden', name, 'config.json').read_text()
  )
  m, d = raw['model'], raw.get('decoder')
  is_video = name.startswith('video')
  config = tiny.config(
    image_size=tuple(m['image_size']),
    mask_size=tuple(m.get('msize', [s // 4 for s in m['image_size']])),
    num_classes=134,
    max_instances=256 if is_video else 101,
    bits=8,
    input_scaling=0.1,
    past_masks=2 if is_video else 0,
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


def build(name: str) -> pix2seq_d.Pix2SeqD:
  """The model of a case, with fresh weights."""
  model = pix2seq_d.Pix2SeqD(model_config(name))
  model.build_weights()
  return model


def checkpoint(name: str) -> str:
  """The prefix of a case's checkpoint."""
  return str(shared.path('golden', name) / 'ckpt')


def arrays(name: str) -> dict[str, np.ndarray]:
  """The arrays of a case; t and gamma `[B]`, label maps int32."""
  with np.load(shared.path('golden', name, 'golden.npz')) as file:
    found = dict(file)
  for key, value in found.items():
    if key in ('t', 'gamma'):
      found[key] = value.ravel()
    elif value.dtype == np.int16:
      found[key] = value.astype(np.int32)
  return found

"""Images with masks, drawn here in place of photos and an annotation tool."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

HEIGHT, WIDTH = 96, 96  # Pixels.
_MOST_OBJECTS = 3
_NOISE = 6.0  # Standard deviation, of 255.


class Scene(NamedTuple):
  """An image, and what a tool knows of it.

  Attributes:
    image: uint8 `[h, w, 3]`.
    masks: bool `[h, w]` each; the later ones lie over the earlier ones.
    names: 'wall', 'floor', 'ball' or 'box', of each.
  """

  image: np.ndarray
  masks: list[np.ndarray]
  names: list[str]


def draw(number: int) -> Scene:
  """Draws a room with balls and boxes; the same number gives the same one."""
  random = np.random.default_rng(number)
  horizon = int(random.integers(HEIGHT // 3, HEIGHT // 2))
  names = ['wall', 'floor']
  boxes = [(0, 0, WIDTH, horizon), (0, horizon, WIDTH, HEIGHT)]
  for _ in range(random.integers(1, _MOST_OBJECTS + 1)):
    names.append(str(random.choice(['ball', 'box'])))
    side = int(random.integers(HEIGHT // 4, HEIGHT // 2))
    x = int(random.integers(0, WIDTH - side))
    y = int(random.integers(horizon - side // 2, HEIGHT - side))
    boxes.append((x, y, x + side, y + side))
  image = Image.new('RGB', (WIDTH, HEIGHT))
  masks = []
  for name, box in zip(names, boxes, strict=True):
    mask = Image.new('L', image.size)
    canvas = ImageDraw.Draw(mask)
    outline = canvas.ellipse if name == 'ball' else canvas.rectangle
    outline((box[0], box[1], box[2] - 1, box[3] - 1), fill=255)
    color = tuple(random.integers(40, 220, 3).tolist())
    image.paste(color, mask=mask)
    masks.append(np.asarray(mask) > 0)
  noise = random.normal(0, _NOISE, [HEIGHT, WIDTH, 3])
  pixels = np.clip(np.asarray(image) + noise, 0, 255)
  return Scene(pixels.astype(np.uint8), masks, names)

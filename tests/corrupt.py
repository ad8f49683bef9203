"""Ways to spoil files of a tiny data set: functions of its root."""

import io
import json

import trees
from PIL import Image


def edit(json_file, change):
  def apply(root):
    content = json.loads((root / json_file).read_text())
    change(content)
    (root / json_file).write_text(json.dumps(content))

  return apply


def cut(name, share):
  def apply(root):
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[: int(len(content) * share)])

  return apply


def write(name, content):
  return lambda root: (root / name).write_bytes(content)


def save(name, make, kind=None):
  def apply(root):
    with Image.open(root / name) as image:
      image.load()
    file = io.BytesIO()
    make(image).save(file, kind or name[-3:].replace('jpg', 'jpeg'))
    (root / name).write_bytes(file.getvalue())

  return apply


def nest(root):
  """The root is one level deeper than what is given."""
  entries = list(root.iterdir())
  (root / 'coco').mkdir()
  for entry in entries:
    entry.rename(root / 'coco' / entry.name)


def rename(old, new):
  return lambda root: (root / old).rename(root / new)


def remove(name):
  return lambda root: (root / name).unlink()


def pixels(name, value):
  return lambda root: trees.png(root / name, value)


def remove_folder(name):
  def apply(root):
    for path in (root / name).iterdir():
      path.unlink()
    (root / name).rmdir()

  return apply

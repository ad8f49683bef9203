import numpy as np
import pytest
import trees
from PIL import Image

from configs import base
from data import coco
from tasks import inspection


def _config(folder):
  config = base.Experiment()
  config.data.name, config.data.dir = 'coco_panoptic', str(folder)
  config.data.train_split = 'val2017'
  config.data.augmentation.flip = False
  config.model.image_size, config.model.mask_size = (24, 40), (24, 40)
  config.model.max_instances = 12
  return config


def test_contact_sheet_and_statistics(tmp_path, capsys):
  trees.coco(tmp_path)
  inspection.run(_config(tmp_path), str(tmp_path / 'out'), count=5)
  told = capsys.readouterr().out
  assert 'segments per example: mean 3.0, from 3 to 3' in told
  assert 'dropped for want of an instance id: 0' in told
  assert 'sky-other-merged' in told and 'person' in told
  with Image.open(tmp_path / 'out/train.png') as sheet:
    # Two pairs of cells, three rows; cells are enlarged to 256 rows or more.
    assert sheet.height == 3 * 264 + 2 * 4
    assert sheet.width == 4 * 440 + 3 * 4
    assert len(np.unique(np.asarray(sheet))) > 50


def test_statistics_are_those_of_the_files(tmp_path):
  """Of examples that are the pictures themselves."""
  trees.coco(tmp_path, count=1)
  dataset = coco.CocoPanoptic(str(tmp_path), 'val2017')
  label_map = dataset.example(0)['label_map'].numpy()
  example = {'label_map': label_map, 'dropped': 2}
  found = inspection.statistics([example, example], dataset.classes)
  void = 40 + 4 * 5  # The first row, and the crowd.
  assert found['void'] == pytest.approx(void / (24 * 40))
  assert found['dropped'] == 4
  assert found['segments'].tolist() == [3, 3]
  persons = 2 * (12 * 8 + 10 * 12)
  assert found['pixels'].tolist() == [
    2 * void,
    persons,
    2 * 24 * 40 - persons - 2 * void,
  ]
  assert found['instances'].tolist() == [0, 4, 2]


def test_what_finds_no_id_is_counted(tmp_path, capsys):
  trees.coco(tmp_path)
  config = _config(tmp_path)
  config.model.max_instances = 3  # Ids 1 and 2 for three segments.
  inspection.run(config, str(tmp_path / 'out'), count=4)
  told = capsys.readouterr().out
  assert 'from 2 to 2' in told
  assert 'dropped for want of an instance id: 4' in told


def test_clips_show_past_masks(tmp_path):
  trees.coco(tmp_path, count=3, videos=True)
  config = _config(tmp_path)
  config.task, config.model.past_masks = 'video', 2
  inspection.run(config, str(tmp_path / 'out'), count=2)
  with Image.open(tmp_path / 'out/train.png') as sheet:
    cells = np.asarray(sheet).reshape(sheet.height, sheet.width, 3)
  assert cells.shape == (2 * 264 + 4, 4 * 440 + 3 * 4, 3)


@pytest.mark.parametrize(
  'output, count, sentence', [('', 1, 'needs --output'), ('x', 0, 'is 0')]
)
def test_wrong_flags(output, count, sentence):
  with pytest.raises(ValueError, match=sentence):
    inspection.run(base.Experiment(), output, count)
